"""Generation: prefixes, several texts in a batch, seeds, and the sliding window.

What happens to given ids is tested with a scripted decoder, what is sampled with a toy model.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate, stream
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import END_OF_TEXT
from paths import GOLDEN
from scripted import (
    CONFIG,
    END,
    TOKENIZER,
    Script,
    context_sensitive_toy,
    ids_of,
    options,
    result_of,
    results_of,
    scripted,
    text_of,
    texts_of,
)
from toy import toy_model, toy_tokenizer

GOLDEN_FILE = GOLDEN / "transformers.npz"


@pytest.fixture(scope="module")
def toy() -> DecoderPool:
    return context_sensitive_toy()


# --- The start of a text


def test_include_prefix() -> None:
    script = scripted("def.", "def.", "def.")
    assert text_of(script, "abc", truncate=".") == "abcdef"
    assert text_of(script, "abc", truncate=".", include_prefix=False) == "def"
    without_truncate = text_of(script, "abc", length=7, include_prefix=False)
    assert without_truncate == "def."
    assert set(script.prefilled) == {
        tuple(ids_of("ab"))
    }  # the last id is the input of the first step


def test_a_text_without_prefix_starts_from_the_end_of_text_token() -> None:
    seen = []

    class Spy(Script):
        def step(self, ids: np.ndarray, positions: np.ndarray, *rest: Any) -> np.ndarray:
            seen.append((ids.tolist(), positions.tolist()))
            return super().step(ids)

    assert text_of(Spy([ids_of("ab")]), length=2) == "ab"
    assert seen == [([END], [0]), (ids_of("a"), [1])]


@pytest.mark.parametrize(
    ("prefix", "generated", "text"),
    [
        ("", "\n\nWhat\nis", "What\nis"),
        ("", b"\n \nWhat", " \nWhat"),
        ("\n\n", "\nWhat", "What"),
        ("\nQ:", "\nWhat", "Q:\nWhat"),
    ],
)
def test_leading_newlines_are_stripped(prefix: str, generated: str, text: str) -> None:
    script = scripted([*ids_of(generated), END])
    assert text_of(script, prefix) == text


def test_a_prompt_prefix_is_seen_by_the_model_but_not_shown() -> None:
    script = scripted("def", "def")
    marked = {"prompt_prefix": "<|startoftext|>", "length": 6}  # of the shown text
    assert text_of(script, "abc", **marked) == "abcdef"
    assert text_of(script, "<|startoftext|>abc", **marked) == "abcdef"
    seen = ids_of("<|startoftext|>abc")[:-1]
    assert set(script.prefilled) == {tuple(seen)}


def test_the_next_row_ends_a_row_whose_end_is_missing() -> None:
    script = scripted("def\n<|startoftext|>ghi")
    assert text_of(script, "abc", prompt_prefix="<|startoftext|>", length=60) == "abcdef\n"


def test_an_end_of_text_token_in_the_prefix_is_one_id() -> None:
    script = scripted("ab")
    assert text_of(script, f"a{END_OF_TEXT}b", length=5) == f"a{END_OF_TEXT}bab"
    assert script.prefilled == [(*ids_of("a"), END)]


def test_a_prefix_that_fills_the_length_is_refused() -> None:
    script = scripted("")
    for length in (2, 3):
        with pytest.raises(OptionError, match=f"3 tokens and length={length} .* to 4 or more"):
            texts_of(script, ["a", "abc"], length=length)


def test_an_empty_list_of_prefixes_gives_no_text() -> None:
    script = scripted()
    assert texts_of(script, []) == []
    assert script.steps == 0


# --- Several texts in a batch


def test_every_text_is_generated_whatever_the_batch_size() -> None:
    for batch_size in (1, 2, 3, 5, 20):
        script = scripted(*(ids_of(f"text {number}") + [END] for number in range(7)))
        results = results_of(script, nsamples=7, batch_size=batch_size)
        assert [result.text for result in results] == [f"text {number}" for number in range(7)]
        assert [result.index for result in results] == list(range(7))


def test_there_are_no_more_rows_than_texts() -> None:
    script = scripted(*["a."] * 6)
    texts_of(script, ["x", "y"], nsamples=3, batch_size=20, truncate=".")
    assert script.rows_per_step == {6}


def test_results_of_several_prefixes_are_numbered_in_order() -> None:
    script = scripted(*[".", "."] * 3)
    results = results_of(
        script, ["a", "bcd", ""], nsamples=2, batch_size=4, temperature=0, truncate="."
    )
    assert [(result.index, result.prompt, result.text) for result in results] == [
        (0, "a", "a"),
        (1, "a", "a"),
        (2, "bcd", "bcd"),
        (3, "bcd", "bcd"),
        (4, "", ""),
        (5, "", ""),
    ]


def test_a_finished_text_makes_room_for_the_next() -> None:
    long, short = [*b"y" * 39, END], [*b"y", END]
    # While one row generates forty tokens, the other generates twenty texts of two.
    script = scripted(long, *[short] * 20)
    results = list(generate(script, TOKENIZER, "", options(nsamples=21, batch_size=2)))
    assert script.steps == 40
    assert [result.index for result in results] == [*range(1, 20), 0, 20]


def test_results_are_yielded_as_soon_as_they_are_finished() -> None:
    script = scripted([*b"abcd", END], [*b"ab", END])
    results = generate(script, TOKENIZER, "", options(nsamples=2, batch_size=2))
    assert (str(next(results)), script.steps) == ("ab", 3)
    assert (str(next(results)), script.steps) == ("abcd", 5)


def test_closing_the_generator_releases_the_decoder() -> None:
    script = scripted([*b"ab", END], [*b"cd", END])
    results = generate(script, TOKENIZER, "", options(nsamples=2))
    assert str(next(results)) == "ab"
    assert script.in_use
    results.close()  # type: ignore[attr-defined]
    assert (script.steps, script.in_use) == (3, False)
    assert list(results) == []


# --- With a model


def greedy(decoders: DecoderPool, ids: list[int], length: int) -> list[int]:
    """The greedy continuation, by a full pass for each token over the same sliding window."""
    model, window = cast("GPT2", decoders.model), list(ids)
    while len(ids) < length:
        ids = [*ids, int(model.logits([window]).numpy()[0, -1].argmax())]
        window.append(ids[-1])
        if len(window) > model.config.n_ctx:
            window = window[-(model.config.n_ctx // 2) :]
    return ids


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN_FILE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def golden_model(golden: dict[str, np.ndarray]) -> DecoderPool:
    return DecoderPool(GPT2(ModelConfig(*golden["config"].tolist()), golden))


@pytest.mark.parametrize("order", range(5))
def test_greedy_texts_equal_those_of_transformers(
    golden: dict[str, np.ndarray],
    golden_model: DecoderPool,
    order: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, prompt = golden[f"greedy_{order}"].tolist(), int(golden[f"prompt_{order}"])
    assert END not in ids
    tokenizer = toy_tokenizer()
    # These prompts are random ids, which are not the encoding of any text.
    monkeypatch.setattr(tokenizer, "encode", lambda *_, **__: ids[:prompt])
    given = {"length": len(ids), "temperature": 0.0, "include_prefix": False}
    text = text_of(golden_model, "prompt", tokenizer=tokenizer, **given)
    assert text == tokenizer.decode(ids[prompt:]).lstrip("\n")


def test_prefixes_of_different_lengths_give_the_same_texts_in_one_batch_as_alone(
    toy: DecoderPool,
) -> None:
    prompts = ["W", "What is the", "", "of to in that", "ab" * 7]
    together = texts_of(toy, prompts, batch_size=3, temperature=0.0, length=30)
    alone = [text_of(toy, prompt, temperature=0.0, length=30) for prompt in prompts]
    assert together == alone
    assert len(set(together)) == len(prompts)


def test_text_beyond_the_context_continues_with_a_sliding_window(toy: DecoderPool) -> None:
    prompt = "What is"
    expected = greedy(toy, TOKENIZER.encode(prompt), 50)
    assert END not in expected
    result = result_of(toy, prompt, temperature=0.0, length=50)
    assert result.text == TOKENIZER.decode(expected)
    assert result.n_tokens == 50 - len(TOKENIZER.encode(prompt))


def test_a_prefix_longer_than_the_context_is_continued_from_its_last_part(toy: DecoderPool) -> None:
    prompt = "the people of the best thing ever, " * 2
    ids = TOKENIZER.encode(prompt)
    assert len(ids) > CONFIG.n_ctx
    with pytest.warns(UserWarning, match=f"{len(ids)} tokens, .* context of {CONFIG.n_ctx}"):
        text = text_of(toy, prompt, temperature=0.0, length=len(ids) + 5)
    expected = greedy(toy, ids[-CONFIG.n_ctx // 2 :], CONFIG.n_ctx // 2 + 5)
    assert text == prompt + TOKENIZER.decode(expected[-5:])


def test_a_prefix_that_just_fits_gives_no_warning(toy: DecoderPool) -> None:
    prompt = "a" * CONFIG.n_ctx
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = text_of(toy, prompt, temperature=0.0, length=CONFIG.n_ctx + 3)
    expected = greedy(toy, TOKENIZER.encode(prompt), CONFIG.n_ctx + 3)
    assert text == TOKENIZER.decode(expected)


@pytest.mark.parametrize(
    "sampling",
    [
        {},
        {"top_k": 5},
        {"top_p": 0.8},
        {"temperature": 0.3},
        {"min_p": 0.05},
        {"typical_p": 0.9},
        {"repetition_penalty": 1.5, "presence_penalty": 0.5, "frequency_penalty": 0.5},
    ],
    ids=str,
)
def test_a_seed_gives_the_same_texts_whatever_the_batch_size(
    toy: DecoderPool, sampling: dict[str, Any]
) -> None:
    # Longer than the context, and more texts than rows.
    changes = {"nsamples": 8, "length": 24, "truncate": "e", **sampling}
    first = results_of(toy, "What", seed=5, batch_size=1, **changes)
    for batch_size in (3, 7, 20):
        assert results_of(toy, "What", seed=5, batch_size=batch_size, **changes) == first
    assert results_of(toy, "What", seed=6, batch_size=7, **changes) != first
    assert len({result.text for result in first}) > 4
    assert len({result.n_tokens for result in first}) > 2


@pytest.mark.parametrize(("seed", "precision"), [(None, "bfloat16"), (5, "float32")])
def test_a_seed_generates_in_fp32_instead_of_16_bits(seed: int | None, precision: str) -> None:
    script = Script([ids_of("ab")], toy_model(CONFIG, precision="bfloat16"))
    text_of(script, seed=seed, length=2)
    assert script.precisions == [precision]


def test_more_samples_of_a_seed_start_with_the_same_texts(toy: DecoderPool) -> None:
    few, more = (
        texts_of(toy, seed=1, nsamples=nsamples, batch_size=3, length=10) for nsamples in (2, 5)
    )
    assert more[:2] == few


def test_two_streams_can_take_turns(toy: DecoderPool) -> None:
    config = options(temperature=0.0, length=12)
    alone = {prompt: text_of(toy, prompt, temperature=0.0, length=12) for prompt in ("ab", "cde")}
    first = stream(toy, TOKENIZER, "ab", config)
    assert next(first).result is None
    assert [result.text for result in generate(toy, TOKENIZER, "cde", config)] == [alone["cde"]]
    last = [chunk.result for chunk in first][-1]
    assert last is not None
    assert last.text == alone["ab"]


def test_without_a_seed_texts_differ(toy: DecoderPool) -> None:
    assert text_of(toy, length=16) != text_of(toy, length=16)


def test_temperature_zero_gives_the_same_text_each_time(toy: DecoderPool) -> None:
    texts = texts_of(toy, "What", nsamples=3, batch_size=2, length=20, temperature=0.0)
    assert len(texts) == 3
    assert len(set(texts)) == 1


def test_a_model_may_have_more_ids_than_its_vocabulary() -> None:
    padded = ModelConfig(n_vocab=384, n_ctx=16, n_embd=2, n_head=1, n_layer=1)
    assert text_of(Script([[*b"ab", 383, *b"c", END]], toy_model(padded))) == "abc"


def test_only_the_completion_is_shown_after_a_prompt_suffix() -> None:
    options: dict[str, Any] = {"prompt_prefix": "<|startoftext|>", "length": 3}
    options["prompt_suffix"] = "\n!\n"
    script = scripted("def", "ghi")
    results = list(results_of(script, ["abc", "a longer prompt"], **options))
    assert [result.text for result in results] == ["def", "ghi"]
    assert [result.prompt for result in results] == ["abc", "a longer prompt"]
    seen = [ids_of(f"<|startoftext|>{prompt}\n!\n")[:-1] for prompt in ("abc", "a longer prompt")]
    assert script.prefilled == [*map(tuple, seen)]
