"""Decode steps against one pass over the whole text, for each kind of decoder."""

from __future__ import annotations

import numpy as np
import pytest

from decoding import CONFIG, TEXTS, assert_close, logits_at
from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation import decoders
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.tf_decoder import TfDecoder
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder
from gpt2_helpers.generation.xla_decoder import XlaDecoder
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.system import xla
from paths import GOLDEN
from toy import toy_model

DEVICES: dict[str, type[Decoder]] = {
    "on a CPU": TfliteDecoder,
    "on a GPU": XlaDecoder,
    "on a GPU without XLA": TfDecoder,
}
GREEDY = SamplingConfig(temperature=0.0)
GOLDEN_FILE = GOLDEN / "transformers.npz"


@pytest.fixture(scope="module")
def model() -> GPT2:
    return toy_model(CONFIG)


@pytest.fixture(scope="module")
def expected(model: GPT2) -> np.ndarray:
    """The logits after each id of TEXTS (row, time, n_vocab), computed in one pass."""
    return model.logits(TEXTS).numpy()


@pytest.fixture(scope="module")
def pools(model: GPT2) -> dict[str, DecoderPool]:
    return {device: DecoderPool(model) for device in DEVICES}


@pytest.fixture(params=DEVICES)
def decoder(
    request: pytest.FixtureRequest, pools: dict[str, DecoderPool], monkeypatch: pytest.MonkeyPatch
) -> Decoder:
    """A decoder of each kind, with three rows. It may have been used before."""
    kind = DEVICES[request.param]
    if kind is not TfliteDecoder:
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
        monkeypatch.setenv(xla.VARIABLE, "1" if kind is XlaDecoder else "0")
    decoder = pools[request.param].get(3, CONFIG.n_ctx, "float32")
    assert isinstance(decoder, kind)
    return decoder


def test_each_step_gives_the_logits_of_one_pass(decoder: Decoder, expected: np.ndarray) -> None:
    for position in range(CONFIG.n_ctx):
        ours = logits_at(decoder, [(0, position), (1, position), (2, position)])
        assert_close(ours, expected[:3, position])


def test_log_probabilities_are_those_of_one_pass(decoder: Decoder, expected: np.ndarray) -> None:
    logits = expected[:3].astype(np.float64)
    sums = np.log(np.exp(logits).sum(-1, keepdims=True))
    for time in (2, 7, CONFIG.n_ctx):
        ids = TEXTS[:3, :time]
        parts = list(decoder.weights.log_probabilities(ids, top=3))
        ours, top_ids, top = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
        targets = ids[:, 1:, None].astype(np.int64)
        theirs = (logits - sums)[:, : time - 1]
        np.testing.assert_allclose(ours, np.take_along_axis(theirs, targets, -1)[..., 0], atol=1e-4)
        np.testing.assert_allclose(top, -np.sort(-theirs, -1)[..., :3], atol=1e-4)
        np.testing.assert_allclose(np.take_along_axis(theirs, top_ids, -1), top, atol=1e-4)
        for part in decoder.weights.log_probabilities(ids):
            assert part.top.shape == (*part.targets.shape, 0)


def test_each_row_has_its_own_position(decoder: Decoder, expected: np.ndarray) -> None:
    starts = (0, 5, 11)
    for row, start in enumerate(starts):
        decoder.prefill(row, TEXTS[row][:start].tolist())
    for step in range(CONFIG.n_ctx - max(starts)):
        ours = logits_at(decoder, [(row, start + step) for row, start in enumerate(starts)])
        assert_close(
            ours, np.stack([expected[row, start + step] for row, start in enumerate(starts)])
        )


@pytest.mark.parametrize("length", [0, 1, 7, CONFIG.n_ctx - 1])
def test_prefill_equals_decode_steps(decoder: Decoder, expected: np.ndarray, length: int) -> None:
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:length].tolist())
    ours = logits_at(decoder, [(0, length), (1, length), (2, length)])
    assert_close(ours, expected[:3, length])


def test_a_new_text_in_a_row_does_not_see_the_former_text(
    decoder: Decoder, expected: np.ndarray
) -> None:
    for position in range(CONFIG.n_ctx):  # every row is full
        logits_at(decoder, [(0, position), (1, position), (2, position)])
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:9].tolist())
    decoder.prefill(1, TEXTS[3][:4].tolist())  # shorter than the former text
    for step in range(3):
        ours = logits_at(decoder, [(0, 9 + step), (3, 4 + step), (2, 9 + step)])
        rows = [expected[0, 9 + step], expected[3, 4 + step], expected[2, 9 + step]]
        assert_close(ours, np.stack(rows))
    # A row that starts without prefill, while others continue.
    for step in range(3):
        ours = logits_at(decoder, [(0, 12 + step), (1, step), (2, 12 + step)])
        assert_close(ours[1], expected[1, step])


def test_rows_with_the_same_prompt_get_the_same_prefill(
    decoder: Decoder, expected: np.ndarray
) -> None:
    prompt = TEXTS[2][:6].tolist()
    for row in (0, 2):
        decoder.prefill(row, prompt)
    decoder.prefill(1, TEXTS[1][:6].tolist())
    ours = logits_at(decoder, [(2, 6), (1, 6), (2, 6)])
    assert_close(ours, np.stack([expected[2, 6], expected[1, 6], expected[2, 6]]))


def test_fewer_inputs_are_for_the_first_rows(decoder: Decoder, expected: np.ndarray) -> None:
    decoder.prefill(0, TEXTS[0][:5].tolist())
    alone = logits_at(decoder, [(0, 5)])
    assert_close(alone, expected[0, 5][None])
    # Then the rows above it start, with the same prompt.
    for row in (1, 2):
        decoder.prefill(row, TEXTS[1][:5].tolist())
    ours = logits_at(decoder, [(0, 6), (1, 5), (1, 5)])
    assert_close(ours, np.stack([expected[0, 6], expected[1, 5], expected[1, 5]]))


def test_greedy_ids_equal_those_of_transformers() -> None:
    with np.load(GOLDEN_FILE) as golden:
        model = GPT2(ModelConfig(*golden["config"].tolist()), golden)
        expected = [golden[f"greedy_{order}"].tolist() for order in range(5)]
        prompts = [int(golden[f"prompt_{order}"]) for order in range(5)]
    # In one batch: prompts of five lengths, each until the context is full.
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


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("bfloat16", 0.06), ("float16", 0.01), ("int8", 0.2)]
)
def test_logits_in_lower_precision_are_close(
    model: GPT2, expected: np.ndarray, dtype: str, tolerance: float
) -> None:
    pool = DecoderPool(model)
    decoder = pool.get(3, CONFIG.n_ctx, dtype)
    for row in range(3):
        decoder.prefill(row, TEXTS[row][:10].tolist())
    difference = 0.0
    for position in range(10, 15):
        ours = logits_at(decoder, [(0, position), (1, position), (2, position)])
        assert ours.dtype == np.float32
        difference = max(difference, abs(ours - expected[:3, position]).max())
    assert 0 < difference < tolerance


def test_other_rows_step_while_a_prompt_is_prefilled(
    decoder: Decoder, expected: np.ndarray
) -> None:
    if isinstance(decoder, TfliteDecoder):
        decoder.weights.prefixes.clear()
    decoder.prefill(0, TEXTS[0][:2].tolist())
    prompt, done, step = TEXTS[1][:9].tolist(), 0, 0
    while done < len(prompt):
        done = decoder.prefill_chunk(1, prompt, done, 2)
        text = 1 if done == len(prompt) else 3  # its input is ignored until then
        ours = logits_at(decoder, [(0, 2 + step), (text, done)])
        assert_close(ours[0], expected[0, 2 + step])
        step += 1
    assert_close(ours[1], expected[1, 9])
    decoder.prefill(2, prompt)
    assert_close(logits_at(decoder, [(0, 2 + step), (1, 10), (1, 9)])[2], expected[1, 9])
    if isinstance(decoder, TfliteDecoder):
        assert step == 5


def test_a_prompt_that_was_overwritten_is_prefilled_again(
    decoder: Decoder, expected: np.ndarray
) -> None:
    decoder.prefill(0, TEXTS[0][:5].tolist())
    logits_at(decoder, [(1, 0), (1, 0), (1, 0)])  # row 0 starts another text without prefill
    decoder.prefill(2, TEXTS[0][:5].tolist())
    assert_close(logits_at(decoder, [(1, 1), (1, 1), (0, 5)])[2], expected[0, 5])


def test_a_step_samples_with_each_rows_options(decoder: Decoder, expected: np.ndarray) -> None:
    ids, start = TEXTS[:3, 0].astype(np.int32), np.zeros(3, np.int32)
    likeliest = expected[:3, 0].argmax(-1).tolist()
    random = np.random.default_rng(2)
    for options in ({"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        uniform_samples = random.random(3, np.float32)
        sampled = decoder.step(ids, start, uniform_samples, [SamplingConfig(**options)] * len(ids))
        assert sampled.tolist() == likeliest
    hot = SamplingConfig(temperature=50.0)
    samples = [decoder.step(ids, start, random.random(3, np.float32), [hot] * 3) for _ in range(20)]
    assert len(set(np.ravel(samples))) > CONFIG.n_vocab / 2


@pytest.mark.parametrize("tokens", [CONFIG.n_ctx, 64])
def test_tokens_beyond_the_capacity_are_refused(decoder: Decoder, tokens: int) -> None:
    message = f"has room for {CONFIG.n_ctx} tokens, got {tokens + 1}"
    positions = np.array([0, tokens, 0], np.int32)
    with pytest.raises(OptionError, match=message):
        decoder.logits(np.zeros(3, np.int32), positions)
    with pytest.raises(OptionError, match=message):
        decoder.prefill(0, [0] * (tokens + 1))


@pytest.mark.parametrize(
    ("n_ctx", "length", "capacity"),
    [(24, 8, 24), (24, 1000, 24), (256, 8, 64), (256, 65, 128), (2000, 1100, 2000)],
)
def test_capacities_are_few_and_within_the_context(n_ctx: int, length: int, capacity: int) -> None:
    config = ModelConfig(n_vocab=8, n_ctx=n_ctx, n_embd=4, n_head=1, n_layer=1)
    assert DecoderPool(toy_model(config)).get(1, length, "float32").capacity == capacity
