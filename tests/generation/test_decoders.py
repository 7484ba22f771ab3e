"""One token at a time against the whole text at once, with rows that come and go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation import decoders
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.decoders import KEPT_DECODERS, DecoderPool
from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights
from gpt2_helpers.generation.tflite_decoder import READ_AT_ONCE, TfliteDecoder, TfliteWeights
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from paths import GOLDEN
from toy import toy_model, toy_weights

CONFIG = ModelConfig(n_vocab=48, n_ctx=24, n_embd=16, n_head=2, n_layer=2)
GREEDY = SamplingConfig(temperature=0.0)
GOLDEN_FILE = GOLDEN / "transformers.npz"
TEXTS = np.random.default_rng(1).integers(0, CONFIG.n_vocab, (4, CONFIG.n_ctx))


@pytest.fixture(scope="module")
def model() -> GPT2:
    return toy_model(CONFIG)


@pytest.fixture(scope="module")
def whole(model: GPT2) -> np.ndarray:
    """Logits after each id of TEXTS, (row, time, n_vocab), computed at once."""
    return model.logits(TEXTS).numpy()


@pytest.fixture(scope="module")
def pools(model: GPT2) -> dict[str, DecoderPool]:
    return {device: DecoderPool(model) for device in ("on a processor", "on a GPU")}


@pytest.fixture(params=["on a processor", "on a GPU"])
def decoder(
    request: pytest.FixtureRequest, pools: dict[str, DecoderPool], monkeypatch: pytest.MonkeyPatch
) -> Decoder:
    """Each kind of decoder, with three rows; it may have been used before."""
    kind: type[Decoder] = TfliteDecoder
    if request.param == "on a GPU":
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
        kind = TfDecoder
    decoder = pools[request.param].get(3, CONFIG.n_ctx, "float32")
    assert isinstance(decoder, kind)
    return decoder


def logits_at(decoder: Decoder, rows: list[tuple[int, int]]) -> np.ndarray:
    """Logits (batch, n_vocab) where row n reads the id of TEXTS[text][position]."""
    ids = np.array([TEXTS[text][position] for text, position in rows], np.int32)
    positions = np.array([position for _, position in rows], np.int32)
    return decoder.logits(ids, positions)


def assert_close(ours: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


# --- The same numbers


def test_each_step_gives_the_logits_of_the_whole_text(decoder: Decoder, whole: np.ndarray) -> None:
    for position in range(CONFIG.n_ctx):
        ours = logits_at(decoder, [(0, position), (1, position), (2, position)])
        assert_close(ours, whole[:3, position])


def test_rows_stand_at_positions_of_their_own(decoder: Decoder, whole: np.ndarray) -> None:
    starts = (0, 5, 11)
    for row, start in enumerate(starts):
        decoder.prefill(row, TEXTS[row][:start].tolist())
    for step in range(CONFIG.n_ctx - max(starts)):
        ours = logits_at(decoder, [(row, start + step) for row, start in enumerate(starts)])
        assert_close(ours, np.stack([whole[row, start + step] for row, start in enumerate(starts)]))


@pytest.mark.parametrize("length", [0, 1, 7, CONFIG.n_ctx - 1])
def test_prefill_equals_stepping(decoder: Decoder, whole: np.ndarray, length: int) -> None:
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:length].tolist())
    ours = logits_at(decoder, [(0, length), (1, length), (2, length)])
    assert_close(ours, whole[:3, length])


def test_a_refilled_row_knows_nothing_of_its_former_text(
    decoder: Decoder, whole: np.ndarray
) -> None:
    for position in range(CONFIG.n_ctx):  # every row is full
        logits_at(decoder, [(0, position), (1, position), (2, position)])
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:9].tolist())
    decoder.prefill(1, TEXTS[3][:4].tolist())  # shorter than what stood there
    for step in range(3):
        ours = logits_at(decoder, [(0, 9 + step), (3, 4 + step), (2, 9 + step)])
        expected = np.stack([whole[0, 9 + step], whole[3, 4 + step], whole[2, 9 + step]])
        assert_close(ours, expected)
    # A row that starts without a beginning, beside others that go on.
    for step in range(3):
        ours = logits_at(decoder, [(0, 12 + step), (1, step), (2, 12 + step)])
        assert_close(ours[1], whole[1, step])


def test_rows_that_begin_alike_are_filled_alike(decoder: Decoder, whole: np.ndarray) -> None:
    beginning = TEXTS[2][:6].tolist()
    for row in (0, 2):
        decoder.prefill(row, beginning)
    decoder.prefill(1, TEXTS[1][:6].tolist())
    ours = logits_at(decoder, [(2, 6), (1, 6), (2, 6)])
    assert_close(ours, np.stack([whole[2, 6], whole[1, 6], whole[2, 6]]))


def test_fewer_rows_are_the_first_ones(decoder: Decoder, whole: np.ndarray) -> None:
    decoder.prefill(0, TEXTS[0][:5].tolist())
    alone = logits_at(decoder, [(0, 5)])
    assert_close(alone, whole[0, 5][None])
    # Others begin above it, both alike.
    for row in (1, 2):
        decoder.prefill(row, TEXTS[1][:5].tolist())
    ours = logits_at(decoder, [(0, 6), (1, 5), (1, 5)])
    assert_close(ours, np.stack([whole[0, 6], whole[1, 5], whole[1, 5]]))


def test_greedy_ids_are_those_of_transformers() -> None:
    with np.load(GOLDEN_FILE) as golden:
        model = GPT2(ModelConfig(*golden["config"].tolist()), golden)
        expected = [golden[f"greedy_{order}"].tolist() for order in range(5)]
        prompts = [int(golden[f"prompt_{order}"]) for order in range(5)]
    # Side by side: prompts of five lengths, each until the context is full.
    decoder = DecoderPool(model).get(5, model.config.n_ctx, "float32")
    texts = [ids[:prompt] for ids, prompt in zip(expected, prompts, strict=True)]
    for row, ids in enumerate(texts):
        decoder.prefill(row, ids[:-1])
    for _ in range(model.config.n_ctx - min(prompts)):
        newest = np.array([ids[-1] for ids in texts], np.int32)
        positions = np.array([len(ids) - 1 for ids in texts], np.int32)
        for ids, token in zip(
            texts,
            decoder.step(newest, positions, np.zeros(5, np.float32), [GREEDY] * 5),
            strict=True,
        ):
            if len(ids) < model.config.n_ctx:
                ids.append(int(token))
    assert texts == expected


@pytest.mark.parametrize(("dtype", "off"), [("bfloat16", 0.06), ("float16", 0.01), ("int8", 0.2)])
def test_fewer_bits_give_nearly_the_same_logits(
    model: GPT2, whole: np.ndarray, dtype: str, off: float
) -> None:
    pool = DecoderPool(model)
    decoder = pool.get(3, CONFIG.n_ctx, dtype)
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:10].tolist())
    difference = 0.0
    for position in range(10, 15):
        ours = logits_at(decoder, [(0, position), (1, position), (2, position)])
        assert ours.dtype == np.float32
        difference = max(difference, abs(ours - whole[:3, position]).max())
    assert 0 < difference < off


@pytest.mark.parametrize("kind", [TfliteDecoder, TfDecoder])
@pytest.mark.parametrize(
    ("precision", "off"), [("float32", 1e-4), ("bfloat16", 0.1)]
)  # of the frozen weights
def test_adapters_write_too_as_they_stand_after_each_step(
    monkeypatch: pytest.MonkeyPatch, kind: type[Decoder], precision: str, off: float
) -> None:
    if kind is TfDecoder:
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
    model = GPT2(CONFIG, toy_weights(CONFIG), precision, frozen=True)
    pool = DecoderPool(model)
    pool.get(1, CONFIG.n_ctx, "float32")  # which knows nothing of what comes
    model.load_adapters(new_adapters(CONFIG, 2, seed=1))
    for change in (0.0, 0.1, -0.2):
        for name, adapter in model.adapters.items():
            if name.endswith("lora_b"):
                adapter.assign_add(tf.fill(adapter.shape, change))
        model.version += 1
        plain = GPT2(
            CONFIG, {name: model.effective_weight(name).numpy() for name in model.variables}
        )
        expected = plain.logits(TEXTS).numpy()[:1, 8]
        decoder = pool.get(1, CONFIG.n_ctx, "float32")
        assert isinstance(decoder, kind)
        decoder.prefill(0, TEXTS[0][:8].tolist())
        ours = logits_at(decoder, [(0, 8)])
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours, model.logits(TEXTS)[:1, 8], rtol=0, atol=off)


def test_weights_that_decoding_takes_as_they_are_lie_in_memory_once() -> None:
    frozen = GPT2(CONFIG, toy_weights(CONFIG), "bfloat16", frozen=True)
    pool = DecoderPool(frozen)
    frozen.load_adapters(new_adapters(CONFIG, 2, seed=1))
    decoder = pool.get(1, CONFIG.n_ctx, "bfloat16")
    assert isinstance(decoder, TfDecoder)
    named = decoder.weights.named
    copies = {name for name, own in frozen.variables.items() if named[name] is not own}
    assert copies == {name for name in named if "/h" in name and name.endswith("/w")}


NARROW = ModelConfig(n_vocab=48, n_ctx=100, n_embd=32, n_head=2, n_layer=2)
AS_WIDE_AS_124M = ModelConfig(n_vocab=200, n_ctx=640, n_embd=768, n_head=12, n_layer=1)


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        (NARROW, [0, 3, 90, 31, 32, 33, 50, 64, 1]),
        (AS_WIDE_AS_124M, [0, 5, 630, 300, 255, 257, 511, 64, 1]),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_row_is_the_same_to_the_last_bit_whatever_stands_beside_it(
    precision: str, config: ModelConfig, starts: list[int]
) -> None:
    model = toy_model(config)
    pool = DecoderPool(model)
    texts = np.random.default_rng(3).integers(0, config.n_vocab, (9, config.n_ctx))
    alone = []
    for text, start in zip(texts, starts, strict=True):
        decoder = pool.get(1, config.n_ctx, precision)
        decoder.prefill(0, text[:start].tolist())
        alone.append(
            [
                decoder.logits(text[at : at + 1].astype(np.int32), np.array([at], np.int32))[0]
                for at in range(start, start + 8)
            ]
        )
    together = pool.get(len(texts), config.n_ctx, precision)
    for row, start in enumerate(starts):
        together.prefill(row, texts[row][:start].tolist())
    for step in range(8):
        positions = np.array(starts, np.int32) + step
        ids = texts[np.arange(len(texts)), positions].astype(np.int32)
        for row, logits in enumerate(together.logits(ids, positions)):
            assert (logits == alone[row][step]).all()


def test_a_long_beginning_is_read_in_parts() -> None:
    config = ModelConfig(n_vocab=20, n_ctx=3 * READ_AT_ONCE, n_embd=8, n_head=1, n_layer=2)
    model = toy_model(config)
    pool = DecoderPool(model)
    text = np.random.default_rng(4).integers(0, config.n_vocab, (1, config.n_ctx))
    whole = model.logits(text).numpy()[0]
    decoder = pool.get(1, config.n_ctx, "float32")
    for length in (READ_AT_ONCE - 1, READ_AT_ONCE, 2 * READ_AT_ONCE + 5):
        decoder.prefill(0, text[0, :length].tolist())
        last = np.array([length], np.int32)
        assert_close(decoder.logits(text[0, last].astype(np.int32), last)[0], whole[length])


def test_others_step_while_a_beginning_is_read(decoder: Decoder, whole: np.ndarray) -> None:
    decoder.prefill(0, TEXTS[0][:2].tolist())
    beginning, done, step = TEXTS[1][:9].tolist(), 0, 0
    while done < len(beginning):
        done = decoder.prefill_chunk(1, beginning, done, 2)
        text = 1 if done == len(beginning) else 3  # what it gets meanwhile is of no matter
        ours = logits_at(decoder, [(0, 2 + step), (text, done)])
        assert_close(ours[0], whole[0, 2 + step])
        step += 1
    assert_close(ours[1], whole[1, 9])
    decoder.prefill(2, beginning)
    assert_close(logits_at(decoder, [(0, 2 + step), (1, 10), (1, 9)])[2], whole[1, 9])
    if isinstance(decoder, TfliteDecoder):
        assert step == 5


def test_a_beginning_that_was_written_over_is_read_again(
    decoder: Decoder, whole: np.ndarray
) -> None:
    decoder.prefill(0, TEXTS[0][:5].tolist())
    logits_at(decoder, [(1, 0), (1, 0), (1, 0)])  # row 0 begins another text, unsaid
    decoder.prefill(2, TEXTS[0][:5].tolist())
    assert_close(logits_at(decoder, [(1, 1), (1, 1), (0, 5)])[2], whole[0, 5])


def test_a_step_draws_by_the_options_it_is_given(decoder: Decoder, whole: np.ndarray) -> None:
    ids, start = TEXTS[:3, 0].astype(np.int32), np.zeros(3, np.int32)
    likeliest = whole[:3, 0].argmax(-1).tolist()
    random = np.random.default_rng(2)
    for options in ({"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        uniforms = random.random(3, np.float32)
        drawn = decoder.step(ids, start, uniforms, [SamplingConfig(**options)] * len(ids))
        assert drawn.tolist() == likeliest
    hot = SamplingConfig(temperature=50.0)
    draws = [decoder.step(ids, start, random.random(3, np.float32), [hot] * 3) for _ in range(20)]
    assert len(set(np.ravel(draws))) > CONFIG.n_vocab / 2


@pytest.mark.parametrize("tokens", [CONFIG.n_ctx, 64])
def test_a_row_takes_no_more_than_it_has_room_for(decoder: Decoder, tokens: int) -> None:
    message = f"has room for {CONFIG.n_ctx} tokens, got {tokens + 1}"
    positions = np.array([0, tokens, 0], np.int32)
    with pytest.raises(OptionError, match=message):
        decoder.logits(np.zeros(3, np.int32), positions)
    with pytest.raises(OptionError, match=message):
        decoder.prefill(0, [0] * (tokens + 1))


# --- Decoders that are kept


def trained(model: GPT2) -> None:
    """Change the weights, as training does."""
    for variable in model.variables.values():
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=0.1))
    model.version += 1


@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_training_changes_what_is_decoded(dtype: str, off: float) -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    before = model.logits(TEXTS).numpy()[:1, 8]
    beginning = TEXTS[0][:8].tolist()
    decoder = pool.get(1, CONFIG.n_ctx, dtype)
    decoder.prefill(0, beginning)
    np.testing.assert_allclose(logits_at(decoder, [(0, 8)]), before, rtol=0, atol=off)
    trained(model)
    after = model.logits(TEXTS).numpy()[:1, 8]
    assert abs(after - before).max() > 5 * off
    again = pool.get(1, CONFIG.n_ctx, dtype)
    assert again is decoder  # still compiled
    again.prefill(0, beginning)  # the same beginning, with other keys and values now
    np.testing.assert_allclose(logits_at(again, [(0, 8)]), after, rtol=0, atol=off)


@pytest.mark.parametrize("kind", [TfliteWeights, TfWeights])
def test_weights_whose_taking_over_was_stopped_are_taken_over_the_next_time(
    monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    if kind is TfWeights:
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    precision = "float32" if kind is TfliteWeights else "bfloat16"
    pool.get(1, CONFIG.n_ctx, precision)
    trained(model)
    fresh = GPT2(CONFIG, {name: value.numpy() for name, value in model.variables.items()})
    with monkeypatch.context() as stopping:
        asked: list[str] = []

        def interrupted(name: str, whole: Any = model.effective_weight) -> Any:
            asked.append(name)
            if len(asked) > 2:
                raise KeyboardInterrupt
            return whole(name)

        stopping.setattr(model, "effective_weight", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.get(1, CONFIG.n_ctx, precision)
    decoder = pool.get(1, CONFIG.n_ctx, precision)
    assert isinstance(decoder.weights, kind)
    expected = logits_at(DecoderPool(fresh).get(1, CONFIG.n_ctx, precision), [(0, 0)])
    assert (logits_at(decoder, [(0, 0)]) == expected).all()


def test_only_a_few_decoders_are_kept_and_the_last_used_among_them() -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    first = pool.get(1, 8, "float32")
    for batch_size in range(2, KEPT_DECODERS + 4):
        pool.get(batch_size, 8, "float32")
        assert pool.get(1, 8, "float32") is first
        assert len(pool) <= KEPT_DECODERS
    for batch_size in range(2, KEPT_DECODERS + 2):
        pool.get(batch_size, 8, "float32")
    assert pool.get(1, 8, "float32") is not first


def test_a_decoder_in_use_is_neither_shared_nor_dropped(whole: np.ndarray) -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    mine = pool.get(1, CONFIG.n_ctx, "float32")
    mine.in_use = True
    mine.prefill(0, TEXTS[0][:5].tolist())
    other = pool.get(1, CONFIG.n_ctx, "float32")
    assert other is not mine
    assert other.weights is mine.weights
    other.prefill(0, TEXTS[1][:7].tolist())
    for batch_size in range(2, KEPT_DECODERS + 4):
        pool.get(batch_size, CONFIG.n_ctx, "float32")
    assert_close(logits_at(mine, [(0, 5)]), whole[:1, 5])
    mine.in_use = False
    assert pool.get(1, CONFIG.n_ctx, "float32") is mine


def test_decoders_of_one_type_share_their_weights() -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    one, two, half = (
        pool.get(size, 8, dtype)
        for size, dtype in ((1, "float32"), (2, "float32"), (1, "bfloat16"))
    )
    assert one.weights is two.weights
    assert one.weights is not half.weights


@pytest.mark.parametrize(
    ("n_ctx", "length", "capacity"),
    [(24, 8, 24), (24, 1000, 24), (256, 8, 64), (256, 65, 128), (2000, 1100, 2000)],
)
def test_room_comes_in_few_sizes_and_never_beyond_the_context(
    n_ctx: int, length: int, capacity: int
) -> None:
    config = ModelConfig(n_vocab=8, n_ctx=n_ctx, n_embd=4, n_head=1, n_layer=1)
    assert DecoderPool(toy_model(config)).get(1, length, "float32").capacity == capacity
