"""The training loop: gpt-2-simple's losses, exact resuming, and the effect of each option."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.data import batches
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.training import trainer
from gpt2_helpers.training.lr_schedule import learning_rate_at
from gpt2_helpers.training.trainer import Progress, Trainer
from paths import GOLDEN
from toy import TOY, toy_model

ONE_LAYER = dataclasses.replace(TOY, n_layer=1)
# A text that can be learned: the same forty ids repeated.
REPEATING = np.tile(np.random.default_rng(1).integers(0, TOY.n_vocab, 40), 15)
OPTIMIZERS = {"adam": 0.01, "adamw": 0.01, "adafactor": 0.03, "sgd": 0.3}

Weights = dict[str, np.ndarray]


def options(**changes: Any) -> FinetuneConfig:
    """Options of three SGD steps, which compile fastest, with some changes."""
    defaults: dict[str, Any] = {"steps": 3, "optimizer": "sgd", "learning_rate": 0.1, "seed": 1}
    return FinetuneConfig(**{**defaults, "batch_size": 2, "accumulate_gradients": 1, **changes})


def weights_of(model: GPT2) -> Weights:
    return {name: variable.numpy() for name, variable in model.variables.items()}


def trained(
    config: FinetuneConfig, tokens: np.ndarray = REPEATING, **model_options: Any
) -> tuple[list[Progress], Weights]:
    """The progress of each step of a one-layer toy model, and its final weights."""
    model = toy_model(ONE_LAYER, **model_options)
    return list(Trainer(model, tokens, config)), weights_of(model)


def state_of(trainer: Trainer) -> dict[str, np.ndarray]:
    """A copy of the state, since the optimizer's variables change."""
    return {
        name: np.asarray(tf.convert_to_tensor(value)).copy()
        for name, value in trainer.state().items()
    }


def losses(steps: list[Progress]) -> list[float]:
    return [step.loss for step in steps]


def assert_same(first: Weights, second: Weights) -> None:
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)


def assert_close(first: Weights, second: Weights) -> None:
    for name, array in first.items():
        np.testing.assert_allclose(second[name], array, rtol=0, atol=1e-5, err_msg=name)


@pytest.fixture(autouse=True, scope="module")
def _on_cpu() -> Iterator[None]:
    """Sums on a GPU are not deterministic: only a CPU repeats bit for bit."""
    with tf.device("CPU:0"):
        yield


@pytest.fixture(scope="module")
def plain() -> tuple[list[Progress], Weights]:
    """Three steps with default options, to compare with."""
    return trained(options())


# --- The same numbers as gpt-2-simple


@pytest.fixture
def golden_model() -> GPT2:
    with np.load(GOLDEN / "transformers.npz") as golden:
        config = ModelConfig(*golden["config"].tolist())
        return GPT2(config, {name: golden[name] for name in variable_shapes(config)})


@pytest.fixture
def golden_run(
    golden_model: GPT2, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[float], np.ndarray]]:
    """Trains the golden model on the windows of gpt-2-simple, in its order."""
    with np.load(GOLDEN / "gpt_2_simple.npz") as file:
        golden = dict(file)
    windows = golden["windows"]

    def golden_windows(
        tokens: Any, seed: int, step: int, batch_size: int, length: int, numbers: Any
    ) -> np.ndarray:
        assert length == windows.shape[1]
        return windows[step * batch_size : (step + 1) * batch_size]

    def train(name: str, **changes: Any) -> tuple[list[float], np.ndarray]:
        monkeypatch.setattr(batches, "random_windows", golden_windows)
        config = FinetuneConfig(steps=20, **changes)
        # A text as long as one window gives windows of that length.
        steps = list(Trainer(golden_model, windows[0], config))
        return losses(steps), golden[f"losses/{name}"]

    return train


def test_losses_and_trained_model_equal_those_of_gpt_2_simple(
    golden_run: Any, golden_model: GPT2
) -> None:
    ours, theirs = golden_run("adam", batch_size=2, learning_rate=1e-3, accumulate_gradients=1)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    ids = np.arange(32)[None]
    saved = load_model(GOLDEN / "gpt_2_simple_run").logits(ids)
    np.testing.assert_allclose(golden_model.logits(ids), saved, rtol=0, atol=1e-2)


def test_accumulated_gradients_have_the_losses_of_gpt_2_simple(golden_run: Any) -> None:
    ours, theirs = golden_run(
        "accumulated", batch_size=1, learning_rate=1e-3, accumulate_gradients=2
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


def test_sgd_has_the_losses_of_gpt_2_simple(golden_run: Any) -> None:
    ours, theirs = golden_run(
        "sgd", batch_size=2, learning_rate=1e-2, accumulate_gradients=1, optimizer="sgd"
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


def test_training_only_the_layers_equals_gpt_2_simple_and_freezes_the_embeddings(
    golden_run: Any, golden_model: GPT2
) -> None:
    before = weights_of(golden_model)
    ours, theirs = golden_run(
        "layers",
        batch_size=2,
        learning_rate=1e-3,
        accumulate_gradients=1,
        only_train_transformer_layers=True,
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    after = weights_of(golden_model)
    unchanged = {name for name in before if np.array_equal(before[name], after[name])}
    assert unchanged == {"model/wte", "model/wpe", "model/ln_f/g", "model/ln_f/b"}


# --- Learning and resuming


@dataclass
class Training:
    """A training of thirty steps, and the weights and state after fifteen."""

    config: FinetuneConfig
    steps: list[Progress]
    half_weights: Weights
    half_state: Weights
    weights: Weights


@pytest.fixture(scope="module", params=list(OPTIMIZERS))
def training(request: pytest.FixtureRequest) -> Training:
    config = options(
        steps=30,
        optimizer=request.param,
        learning_rate=OPTIMIZERS[request.param],
        dropout=0.02,
        lr_schedule="cosine",
        warmup_steps=4,
        eval_every=4,
        max_grad_norm=5.0,
    )
    model = toy_model(ONE_LAYER)
    trainer = Trainer(model, REPEATING, config, validation=REPEATING[:60])
    training = iter(trainer)
    steps = list(itertools.islice(training, 15))
    half = weights_of(model), state_of(trainer)
    steps += training
    return Training(config, steps, *half, weights_of(model))


def test_every_optimizer_learns_a_repetitive_text(training: Training) -> None:
    first, last = losses(training.steps)[:3], losses(training.steps)[-3:]
    assert np.mean(last) < 0.9 * np.mean(first)
    assert training.steps[-1].validation_loss is not None
    assert training.steps[-1].validation_loss < first[0]


def test_resumed_training_continues_exactly(training: Training) -> None:
    model = GPT2(ONE_LAYER, training.half_weights)
    config = dataclasses.replace(training.config, steps=15, seed=None)  # `steps` more
    trainer = Trainer(model, REPEATING, config, validation=REPEATING[:60])
    assert trainer.restore(training.half_state)
    resumed = list(trainer)
    for name in ("step", "steps_left", "loss", "average_loss", "validation_loss", "is_best"):
        expected = [getattr(step, name) for step in training.steps[15:]]
        assert [getattr(step, name) for step in resumed] == expected, name
    assert [s.learning_rate for s in resumed] == [s.learning_rate for s in training.steps[15:]]
    assert_same(training.weights, weights_of(model))


def test_learning_rate_follows_the_schedule(training: Training) -> None:
    rates = [step.learning_rate for step in training.steps]
    assert rates == [learning_rate_at(training.config, step, 30) for step in range(30)]


@pytest.mark.parametrize(
    ("before", "after", "fits"),
    [
        ({"optimizer": "adam"}, {"optimizer": "adamw"}, True),
        ({"optimizer": "adam"}, {"optimizer": "sgd"}, False),
        ({"optimizer": "sgd"}, {"optimizer": "adam"}, False),
        ({"optimizer": "adam"}, {"optimizer": "adafactor"}, False),
        (
            {"optimizer": "adam"},
            {"optimizer": "adam", "only_train_transformer_layers": True},
            False,
        ),
    ],
)
def test_another_optimizer_restarts_and_the_data_order_continues(
    before: dict[str, Any], after: dict[str, Any], fits: bool
) -> None:
    first = Trainer(toy_model(ONE_LAYER), REPEATING, options(**before, seed=None))
    first.start_at(77)
    second = Trainer(toy_model(ONE_LAYER), REPEATING, options(**after, seed=None))
    initial = state_of(second)
    assert second.restore(first.state()) is fits
    assert (second.step, second.seed) == (77, first.seed)
    if not fits:
        state = second.state()
        for name in (name for name in initial if name.startswith("optimizer/")):
            np.testing.assert_array_equal(state[name], initial[name])


def test_warm_up_happens_once_when_training_until_interrupted() -> None:
    config = options(steps=0, warmup_steps=3, learning_rate=0.3)
    first = Trainer(toy_model(ONE_LAYER), REPEATING, config)
    before = [step.learning_rate for step in itertools.islice(first, 2)]
    second = Trainer(toy_model(ONE_LAYER), REPEATING, config)
    second.restore(first.state())
    after = [step.learning_rate for step in itertools.islice(second, 3)]
    assert before + after == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3])


# --- Options


def test_accumulated_passes_equal_one_large_batch(plain: tuple[list[Progress], Weights]) -> None:
    steps, weights = trained(options(batch_size=1, accumulate_gradients=2))
    assert losses(steps) == pytest.approx(losses(plain[0]), abs=1e-5)
    assert_close(plain[1], weights)


def test_memory_saving_gradients_do_not_change_the_result(
    plain: tuple[list[Progress], Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    recomputed: list[object] = []
    original = tf.recompute_grad

    def recompute_grad(function: Callable[..., Any]) -> Any:
        recomputed.append(function)
        return original(function)

    monkeypatch.setattr(tf, "recompute_grad", recompute_grad)
    steps, weights = trained(options(use_memory_saving_gradients=True))
    assert len(recomputed) == ONE_LAYER.n_layer
    assert losses(steps) == pytest.approx(losses(plain[0]), abs=1e-5)
    assert_close(plain[1], weights)


def test_seed_makes_training_reproducible(plain: tuple[list[Progress], Weights]) -> None:
    steps, weights = trained(options())
    assert losses(steps) == losses(plain[0])
    assert_same(plain[1], weights)


def test_another_seed_gives_other_windows(plain: tuple[list[Progress], Weights]) -> None:
    steps, _ = trained(options(seed=2))
    assert losses(steps)[0] != losses(plain[0])[0]


def test_random_seed_by_default() -> None:
    seeds = {Trainer(toy_model(ONE_LAYER), REPEATING, options(seed=None)).seed for _ in range(3)}
    assert len(seeds) == 3


def test_dropout_changes_the_training_loss(plain: tuple[list[Progress], Weights]) -> None:
    steps, _ = trained(options(steps=1, dropout=0.5))
    assert losses(steps)[0] != pytest.approx(losses(plain[0])[0], abs=1e-3)


@pytest.mark.usefixtures("eager")
def test_gradient_norm_is_clipped() -> None:
    def change_of(clip: float) -> tuple[float, Weights]:
        before = weights_of(toy_model(ONE_LAYER))
        _, after = trained(
            options(steps=1, learning_rate=1.0, max_grad_norm=clip, accumulate_gradients=2)
        )
        change = {name: after[name] - array for name, array in before.items()}
        return math.sqrt(sum(float(np.sum(array**2)) for array in change.values())), change

    norm, direction = change_of(0.0)
    assert norm > 0.2
    clipped, change = change_of(0.1)
    assert clipped == pytest.approx(0.1, rel=1e-3)
    for name, array in change.items():
        np.testing.assert_allclose(array, direction[name] * 0.1 / norm, atol=1e-6, err_msg=name)
    assert change_of(norm * 2)[0] == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize(
    ("without", "decaying", "decay"),
    [
        ({"optimizer": "sgd"}, {"optimizer": "sgd", "weight_decay": 0.2}, 0.2),
        ({"optimizer": "adam"}, {"optimizer": "adamw"}, 0.01),
    ],
)
@pytest.mark.usefixtures("eager")
def test_weight_decay_applies_to_matrices_only(
    without: dict[str, Any], decaying: dict[str, Any], decay: float
) -> None:
    rate = 0.05
    start = weights_of(toy_model(ONE_LAYER))
    _, plain = trained(options(steps=1, learning_rate=rate, **without))
    _, decayed = trained(options(steps=1, learning_rate=rate, **decaying))
    for name, array in start.items():
        if array.ndim == 1:
            np.testing.assert_array_equal(decayed[name], plain[name], err_msg=name)
        else:
            expected = -rate * decay * array
            np.testing.assert_allclose(
                decayed[name] - plain[name], expected, atol=1e-6, err_msg=name
            )


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_with_fp32_weights(precision: str) -> None:
    config = options(steps=30, optimizer="adam", learning_rate=0.01, accumulate_gradients=2)
    steps, weights = trained(config, precision=precision)
    assert np.mean(losses(steps)[-3:]) < 0.8 * np.mean(losses(steps)[:3])
    # In half precision most of an update would be rounded away.
    wte = weights["model/wte"]
    assert wte.dtype == np.float32
    halved = tf.cast(tf.cast(wte, precision), tf.float32).numpy()
    assert np.mean(halved != wte) > 0.9


def test_fp16_loss_scale_is_part_of_the_state() -> None:
    model = toy_model(ONE_LAYER, precision="float16")
    trainer = Trainer(model, REPEATING, options())
    state = trainer.state()
    assert Trainer(model, REPEATING, options()).restore(state)
    assert not Trainer(toy_model(ONE_LAYER), REPEATING, options()).restore(state)


# --- Validation


def test_validation_loss_covers_every_token_once_without_dropout() -> None:
    model = toy_model(ONE_LAYER)
    held_out = np.random.default_rng(5).integers(0, TOY.n_vocab, 37)  # three windows of 13
    trainer = Trainer(model, REPEATING, options(dropout=0.5), validation=held_out)
    windows = np.stack([held_out[0:13], held_out[12:25], held_out[24:37]])
    assert trainer.validation_loss() == pytest.approx(float(model.loss(windows)), abs=1e-5)


def test_validation_loss_is_computed_at_intervals_and_at_the_end() -> None:
    model = toy_model(ONE_LAYER)
    trainer = Trainer(model, REPEATING, options(steps=5, eval_every=2), REPEATING[:30])
    steps = list(trainer)
    measured = {s.step: s.validation_loss for s in steps if s.validation_loss is not None}
    assert list(measured) == [2, 4, 5]
    assert measured[5] == trainer.validation_loss()
    best = math.inf
    for step in steps:
        assert step.is_best == (step.validation_loss is not None and step.validation_loss < best)
        best = min(best, step.validation_loss or math.inf)


def test_short_validation_text_is_one_window() -> None:
    model = toy_model(ONE_LAYER)
    trainer = Trainer(model, REPEATING, options(), validation=np.array([1, 2, 3]))
    expected = float(model.loss(np.array([[1, 2, 3]])))
    assert trainer.validation_loss() == pytest.approx(expected, abs=1e-6)


def test_early_stopping_patience() -> None:
    # With a learning rate of zero, the first validation loss stays the best.
    config = options(steps=100, learning_rate=0.0, eval_every=2, early_stopping_patience=3)
    steps = list(Trainer(toy_model(ONE_LAYER), REPEATING, config, REPEATING[:30]))
    assert steps[-1].step == 8
    assert [step.stops_early for step in steps] == [False] * 7 + [True]
    assert [step.is_last for step in steps] == [False] * 7 + [True]
    assert [step.step for step in steps if step.is_best] == [2]


def test_validation_loss_without_validation_data() -> None:
    with pytest.raises(DatasetError, match="no validation data"):
        Trainer(toy_model(ONE_LAYER), REPEATING, options()).validation_loss()


# --- Progress


def test_progress_reports_steps_losses_and_speed(plain: tuple[list[Progress], Weights]) -> None:
    steps, _ = plain
    assert [(s.step, s.steps_left, s.is_last) for s in steps] == [
        (1, 2, False),
        (2, 1, False),
        (3, 0, True),
    ]
    first, second, _ = losses(steps)
    assert steps[0].average_loss == pytest.approx(first)
    assert steps[1].average_loss == pytest.approx((first * 0.99 + second) / 1.99)
    assert all(step.tokens_per_second > 0 for step in steps)
    assert steps[-1].seconds_left == 0
    assert steps[0].seconds <= steps[1].seconds <= steps[2].seconds


def test_speed_excludes_compiling_and_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: clock.now))
    training = Trainer(toy_model(ONE_LAYER), REPEATING, options(steps=5))

    def train_step(learning_rate: float) -> float:
        clock.now += 100.0 if training.step == 0 else 2.0
        return 1.0

    monkeypatch.setattr(training, "_train_step", train_step)
    reported = []
    for step in training:
        reported.append((step.tokens_per_second, step.seconds_left))
        clock.now += 1000.0
    tokens = training.tokens_per_step
    assert reported[0] == pytest.approx((tokens / 100, 400))
    assert reported[1:] == [pytest.approx((tokens / 2, left)) for left in (6, 4, 2, 0)]


def test_interrupted_step_counts_as_a_change_of_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = toy_model()
    trainer = Trainer(model, REPEATING, options(steps=2))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_train", interrupted)
    before = model.version
    with pytest.raises(KeyboardInterrupt):
        next(iter(trainer))
    assert model.version > before  # or a decoder would keep using the old weights


def test_training_until_interrupted_reports_no_end() -> None:
    trainer = Trainer(toy_model(ONE_LAYER), REPEATING, options(steps=-1))
    steps = list(itertools.islice(trainer, 4))
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert all(step.steps_left is None and step.seconds_left is None for step in steps)
    assert not any(step.is_last for step in steps)


def test_start_at_a_step_without_a_saved_state() -> None:
    config = options(steps=2, lr_schedule="linear")
    trainer = Trainer(toy_model(ONE_LAYER), REPEATING, config)
    trainer.start_at(1000)
    steps = list(trainer)
    assert [step.step for step in steps] == [1001, 1002]
    assert [step.learning_rate for step in steps] == pytest.approx([0.1, 0.05])


# --- Data


def test_text_shorter_than_the_context() -> None:
    steps, _ = trained(options(), tokens=np.array([5, 7, 9]))
    assert losses(steps)[-1] < losses(steps)[0]


@pytest.mark.parametrize("tokens", [[], [5]])
def test_text_of_less_than_two_tokens_is_rejected(tokens: list[int]) -> None:
    with pytest.raises(DatasetError, match=f"needs at least 2 tokens, got {len(tokens)}"):
        Trainer(toy_model(ONE_LAYER), np.array(tokens, int), options())
    with pytest.raises(DatasetError, match=f"needs at least 2 tokens, got {len(tokens)}"):
        Trainer(toy_model(ONE_LAYER), REPEATING, options(), np.array(tokens, int))


@pytest.mark.parametrize("wrong", [48, -1, 50256])
def test_ids_outside_the_vocabulary_are_rejected(wrong: int) -> None:
    tokens = np.append(REPEATING, wrong)
    with pytest.raises(
        DatasetError, match=f"token id {wrong} is outside the model's vocabulary of 48"
    ):
        Trainer(toy_model(ONE_LAYER), tokens, options())


def test_all_weights_are_trained_in_place() -> None:
    model = toy_model(ONE_LAYER)
    before = weights_of(model)
    steps = list(Trainer(model, REPEATING, options(), validation=REPEATING[:60]))
    assert len(steps) == 3
    assert steps[-1].validation_loss is not None
    assert not any(np.array_equal(before[name], weights_of(model)[name]) for name in before)
