"""Texts: their length, beginnings and ends, pieces, seeds, and rows that take each other's place.

What happens to chosen ids is tested with a decoder that follows a script; what is drawn, with a
toy model.
"""

from __future__ import annotations

import warnings
from collections import abc
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.batch import BLANK_RETRIES, ContinuousBatch, Sequence
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate, stream
from gpt2_helpers.generation.result import GenerationResult, in_order
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from paths import GOLDEN
from toy import toy_model, toy_tokenizer

TOKENIZER = toy_tokenizer()
END = TOKENIZER.end_of_text
CONFIG = ModelConfig(n_vocab=TOKENIZER.n_vocab, n_ctx=16, n_embd=16, n_head=2, n_layer=2)
GOLDEN_FILE = GOLDEN / "transformers.npz"
# The end token as gpt-2-simple wrote it: seven ids of GPT-2, here some more.
PLAIN_END = TOKENIZER.encode(END_OF_TEXT)


@pytest.fixture(scope="module")
def toy() -> DecoderPool:
    """A model whose likeliest texts depend on all ids in its context and on their positions."""
    model = toy_model(CONFIG, seed=4, scale=12.0)
    model.variables["model/wpe"].assign(8.0 * model.variables["model/wpe"])
    return DecoderPool(model)


@lru_cache
def scripted_model() -> GPT2:
    """The model that a script stands in for; every script fits in its context."""
    return toy_model(ModelConfig(n_vocab=4, n_ctx=1000, n_embd=2, n_head=1, n_layer=1))


class Script(DecoderPool):
    """A pool with one decoder, which gives each new sequence the next of `texts`, lists of ids.

    After its last id a sequence continues with `x` forever.
    """

    def __init__(self, texts: Iterable[abc.Sequence[int]], model: GPT2 | None = None) -> None:
        super().__init__(model or scripted_model())
        self._texts = iter(texts)
        self._rows: dict[int, Iterator[int]] = {}
        self.config, self.batch_size = self.model.config, 0
        self.in_use = False
        self.steps = 0
        self.rows_per_step: set[int] = set()
        self.prefilled: list[tuple[int, ...]] = []
        self.precisions: list[str] = []

    def get(self, batch_size: int, length: int, precision: str) -> Any:
        self.batch_size = batch_size
        self.precisions.append(precision)
        return self

    def prefill_chunk(self, row: int, ids: abc.Sequence[int], *_: Any) -> int:
        self.prefilled.append(tuple(ids))
        self._rows[row] = iter(next(self._texts))
        return len(ids)

    def step(self, ids: np.ndarray, *_: Any) -> np.ndarray:
        self.steps += 1
        self.rows_per_step.add(len(ids))
        x = TOKENIZER.encode("x")[0]
        rows = [self._rows.get(row, iter(())) for row in range(len(ids))]
        return np.array([next(row, x) for row in rows], np.int32)


def scripted(*texts: str | bytes | abc.Sequence[int]) -> Script:
    """A script of texts, each given as text, as bytes with an id for each, or as ids."""
    return Script(ids_of(text) for text in texts)


def ids_of(text: str | bytes | abc.Sequence[int]) -> list[int]:
    """The ids of a text; bytes are given one id each."""
    return TOKENIZER.encode(text, special=True) if isinstance(text, str) else list(text)


def options(**changes: Any) -> SamplingConfig:
    return SamplingConfig(**{"length": 60, "temperature": 1.0, **changes})


def results_of(
    decoders: DecoderPool,
    prompts: str | abc.Sequence[str] = "",
    tokenizer: Tokenizer = TOKENIZER,
    **changes: Any,
) -> list[GenerationResult]:
    """All results in order."""
    return list(in_order(generate(decoders, tokenizer, prompts, options(**changes))))


def texts_of(
    decoders: DecoderPool, prompts: str | abc.Sequence[str] = "", **changes: Any
) -> list[str]:
    return [result.text for result in results_of(decoders, prompts, **changes)]


def result_of(decoders: DecoderPool, prompt: str = "", **changes: Any) -> GenerationResult:
    (result,) = results_of(decoders, prompt, **changes)
    return result


def text_of(decoders: DecoderPool, prompt: str = "", **changes: Any) -> str:
    return result_of(decoders, prompt, **changes).text


def chunks_of(
    decoders: DecoderPool, prompts: str | abc.Sequence[str] = "", **changes: Any
) -> dict[int, list[str]]:
    """The chunks of each text, after checking that joined they are the text."""
    found: dict[int, list[str]] = {}
    for chunk in stream(decoders, TOKENIZER, prompts, options(**changes)):
        found.setdefault(chunk.index, []).append(chunk.text)
        if chunk.result is not None:
            assert chunk.result.index == chunk.index
            assert "".join(found[chunk.index]) == chunk.result.text
    return found


# --- The end of a text


def test_the_end_token_ends_a_text_and_is_not_shown() -> None:
    script = scripted(ids_of("What is it?") + [END])
    result = result_of(script)
    assert (result.text, result.finish_reason) == ("What is it?", "stop")
    assert result.n_tokens == len(ids_of("What is it?")) + 1


def test_the_plain_characters_of_the_end_token_end_a_text_too() -> None:
    assert END not in PLAIN_END
    script = scripted(ids_of("What is it?") + PLAIN_END)
    result = result_of(script)
    assert (result.text, result.finish_reason) == ("What is it?", "stop")
    assert script.steps == len(ids_of("What is it?")) + len(PLAIN_END)


def test_length_ends_a_text() -> None:
    script = scripted("abcdefgh")
    result = result_of(script, length=5)
    assert (result.text, result.finish_reason, result.n_tokens) == ("abcde", "length", 5)


def test_length_counts_the_prefix_in() -> None:
    script = scripted("defgh")
    result = result_of(script, "abc", length=5)
    assert (result.text, result.n_tokens, result.prompt) == ("abcde", 2, "abc")


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        ("one. two. three", "one"),
        ("one", "one" + "x" * 17),  # it does not occur: the whole text
        (b"one." + bytes([END_OF_TEXT.encode()[0]]), "one"),
        ("one\n. two", "one\n"),
    ],
)
def test_truncate_ends_a_text_at_its_first_occurrence(generated: str, text: str) -> None:
    script = scripted(generated)
    assert text_of(script, truncate=".", length=20) == text


def test_truncate_is_found_over_several_tokens_and_inside_of_one() -> None:
    script = scripted(b"What the person", "What the")
    assert text_of(script, truncate="the p") == "What "
    assert script.steps == len("What the p")
    assert len(ids_of("What the")) == 2
    assert text_of(script, truncate="th") == "What "


def test_truncate_that_almost_occurs_is_shown() -> None:
    script = scripted(b"aab aaab aaaa!" + bytes([33]))
    assert text_of(script, truncate="aaaa!") == "aab aaab "
    script = scripted([*b"ab<|endof", END])
    assert text_of(script, truncate="abc") == "ab<|endof"


def test_the_first_of_two_ends_counts() -> None:
    script = scripted("one, two" + "<|end" + "oftext|>, three")
    assert text_of(script, truncate=", ") == "one"
    script = scripted([*b"one<|endoftext|>two. three"])
    assert text_of(script, truncate=". ") == "one"
    script = scripted([*b"one<|endoftext|>"])  # both are complete at once
    assert text_of(script, truncate="t|>") == "one"


def test_truncate_in_another_script() -> None:
    script = scripted("日本。です".encode())
    assert text_of(script, truncate="。") == "日本"


def test_truncate_inside_the_prefix_ends_nothing() -> None:
    script = scripted("no. yes", "no. yes")
    assert text_of(script, "Mr. X: ", truncate=".") == "Mr. X: no"
    assert text_of(script, "Mr. X: ", truncate=".", include_prefix=False) == "no"


def test_truncate_that_is_no_character_ends_nothing() -> None:
    script = scripted(b"what? why?")
    assert text_of(script, truncate="\ud800", length=10) == "what? why?"


# --- The beginning of a text


def test_include_prefix() -> None:
    script = scripted("def.", "def.", "def.")
    assert text_of(script, "abc", truncate=".") == "abcdef"
    assert text_of(script, "abc", truncate=".", include_prefix=False) == "def"
    without_truncate = text_of(script, "abc", length=7, include_prefix=False)
    assert without_truncate == "def."
    assert set(script.prefilled) == {tuple(ids_of("ab"))}  # the last id is read in the first step


def test_a_text_without_prefix_starts_from_the_end_token() -> None:
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


def test_an_end_token_in_the_prefix_is_the_one_id() -> None:
    script = scripted("ab")
    assert text_of(script, f"a{END_OF_TEXT}b", length=5) == f"a{END_OF_TEXT}bab"
    assert script.prefilled == [(*ids_of("a"), END)]


def test_a_prefix_that_fills_the_length_is_refused() -> None:
    script = scripted("")
    for length in (2, 3):
        with pytest.raises(OptionError, match=f"3 tokens and length={length} .* to 4 or more"):
            texts_of(script, ["a", "abc"], length=length)


def test_no_prefix_gives_no_text() -> None:
    script = scripted()
    assert texts_of(script, []) == []
    assert script.steps == 0


# --- Empty texts


def test_an_empty_text_is_drawn_again() -> None:
    script = scripted([END], ids_of("\n \n") + [END], ids_of(".b"), ids_of("Yes.") + [END])
    assert text_of(script, truncate=".") == "Yes"


def test_a_text_is_empty_whatever_its_prefix_is() -> None:
    script = scripted([END], ids_of(" no") + [END])
    assert text_of(script, "Say:") == "Say: no"
    assert script.prefilled == [tuple(ids_of("Say"))] * 2


def test_a_model_that_says_nothing_is_asked_so_often_and_no_more() -> None:
    script = scripted(*[[END]] * 100)
    result = result_of(script, "Say:")
    assert (result.text, result.finish_reason) == ("Say:", "stop")
    assert script.steps == 1 + BLANK_RETRIES
    # The likeliest token is the same each time.
    script = scripted(*[[END]] * 100)
    assert text_of(script, temperature=0.0) == ""
    assert script.steps == 1


def test_a_blank_text_of_full_length_is_a_text() -> None:
    script = scripted("   ")
    assert text_of(script, length=3) == "   "
    assert script.steps == 3


# --- Pieces


def test_pieces_come_as_the_text_does() -> None:
    script = scripted(ids_of("What is it?") + [END])
    tokens = [TOKENIZER.decode([index]) for index in ids_of("What is it?")]
    assert chunks_of(script, "Q: ") == {0: ["Q: " + tokens[0], *tokens[1:], ""]}


def test_no_piece_splits_a_character() -> None:
    script = scripted([*"aé日😀".encode(), END])
    assert chunks_of(script) == {0: ["a", "é", "日", "😀", ""]}


def test_no_piece_shows_part_of_a_stop_text() -> None:
    script = scripted(b"one ENd two END three")
    found = chunks_of(script, truncate="END")[0]
    assert "".join(found) == "one ENd two "
    # Held back until it turned out to be no end.
    assert "ENd" in found
    assert not any("END".startswith(piece) for piece in found if piece)


def test_no_piece_of_an_empty_text_is_shown() -> None:
    script = scripted(ids_of(" \n") + [END], [*b" yes", END])
    assert chunks_of(script, "Say:")[0] == ["Say: y", "e", "s", ""]


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        (b"a\xe6\x97", "a\ufffd"),  # two bytes of three
        (b"a\xe6b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x80a\xf0\x9f\x98", "\ufffda\ufffd"),
    ],
)
def test_cut_characters_show_as_the_replacement_character(generated: bytes, text: str) -> None:
    script = scripted(generated, [*generated, END])
    assert text_of(script, length=len(generated)) == text
    assert "".join(chunks_of(script)[0]) == text


@given(
    chunks=st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from(["é", "日", "😀", "ab", "<|endof", "text|>", "\n"]).map(str.encode),
        ),
        max_size=12,
    ),
    truncate=st.sampled_from([None, "ab", "aba", "日", "\n"]),
    prefix=st.sampled_from(["", "Q: ", "\n"]),
)
def test_pieces_joined_are_the_text_decoded_at_once(
    chunks: list[bytes], truncate: str | None, prefix: str
) -> None:
    whole = b"".join(chunks)
    places = [whole.find(stop.encode()) for stop in (END_OF_TEXT, truncate or END_OF_TEXT)]
    kept = whole[: min((place for place in places if place >= 0), default=len(whole))]
    expected = (prefix + kept.decode("utf-8", errors="replace")).lstrip("\n")

    script = Script([[*whole, END]] * (1 + BLANK_RETRIES))
    found = chunks_of(script, prefix, truncate=truncate, length=200)[0]
    assert "".join(found) == expected


# --- Several texts side by side


def test_every_text_is_written_whatever_the_batch_size() -> None:
    for batch_size in (1, 2, 3, 5, 20):
        script = scripted(*(ids_of(f"text {number}") + [END] for number in range(7)))
        results = results_of(script, nsamples=7, batch_size=batch_size)
        assert [result.text for result in results] == [f"text {number}" for number in range(7)]
        assert [result.index for result in results] == list(range(7))


def test_no_more_rows_than_texts() -> None:
    script = scripted(*["a."] * 6)
    texts_of(script, ["x", "y"], nsamples=3, batch_size=20, truncate=".")
    assert script.rows_per_step == {6}


def test_texts_of_several_prefixes_are_counted_in_order() -> None:
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


def test_short_texts_cost_what_they_are_long() -> None:
    long, short = [*b"y" * 39, END], [*b"y", END]
    # While one row writes forty tokens, the other one writes twenty texts of two.
    script = scripted(long, *[short] * 20)
    results = list(generate(script, TOKENIZER, "", options(nsamples=21, batch_size=2)))
    assert script.steps == 40
    assert [result.index for result in results] == [*range(1, 20), 0, 20]


def test_texts_come_as_soon_as_they_are_finished() -> None:
    script = scripted([*b"abcd", END], [*b"ab", END])
    results = generate(script, TOKENIZER, "", options(nsamples=2, batch_size=2))
    assert (str(next(results)), script.steps) == ("ab", 3)
    assert (str(next(results)), script.steps) == ("abcd", 5)


def test_a_generator_can_be_closed_midway() -> None:
    script = scripted([*b"ab", END], [*b"cd", END])
    results = generate(script, TOKENIZER, "", options(nsamples=2))
    assert str(next(results)) == "ab"
    assert script.in_use
    results.close()  # type: ignore[attr-defined]
    assert (script.steps, script.in_use) == (3, False)
    assert list(results) == []


# --- With a model


def greedy(decoders: DecoderPool, ids: list[int], length: int) -> list[int]:
    """The likeliest continuation, by whole passes over a window that slides as generation's."""
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
def test_greedy_texts_are_those_of_transformers(
    golden: dict[str, np.ndarray],
    golden_model: DecoderPool,
    order: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, prompt = golden[f"greedy_{order}"].tolist(), int(golden[f"prompt_{order}"])
    assert END not in ids
    tokenizer = toy_tokenizer()
    # These prompts are random ids, which no text is encoded as.
    monkeypatch.setattr(tokenizer, "encode", lambda *_, **__: ids[:prompt])
    given = {"length": len(ids), "temperature": 0.0, "include_prefix": False}
    text = text_of(golden_model, "of so many ids", tokenizer=tokenizer, **given)
    assert text == tokenizer.decode(ids[prompt:]).lstrip("\n")


def test_prefixes_of_different_lengths_give_in_one_batch_what_each_gives_alone(
    toy: DecoderPool,
) -> None:
    prompts = ["W", "What is the", "", "of to in that", "ab" * 7]
    together = texts_of(toy, prompts, batch_size=3, temperature=0.0, length=30)
    alone = [text_of(toy, prompt, temperature=0.0, length=30) for prompt in prompts]
    assert together == alone
    assert len(set(together)) == len(prompts)


def test_length_beyond_the_context_goes_on_with_a_sliding_window(toy: DecoderPool) -> None:
    prompt = "What is"
    expected = greedy(toy, TOKENIZER.encode(prompt), 50)
    assert END not in expected
    result = result_of(toy, prompt, temperature=0.0, length=50)
    assert result.text == TOKENIZER.decode(expected)
    assert result.n_tokens == 50 - len(TOKENIZER.encode(prompt))


def test_a_prefix_longer_than_the_context_goes_on_from_its_last_part(toy: DecoderPool) -> None:
    prompt = "the people of the best thing ever, " * 2
    ids = TOKENIZER.encode(prompt)
    assert len(ids) > CONFIG.n_ctx
    with pytest.warns(UserWarning, match=f"{len(ids)} tokens, .* context of {CONFIG.n_ctx}"):
        text = text_of(toy, prompt, temperature=0.0, length=len(ids) + 5)
    expected = greedy(toy, ids[-CONFIG.n_ctx // 2 :], CONFIG.n_ctx // 2 + 5)
    assert text == prompt + TOKENIZER.decode(expected[-5:])


def test_a_prefix_that_just_fits_is_not_warned_of(toy: DecoderPool) -> None:
    prompt = "a" * CONFIG.n_ctx
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = text_of(toy, prompt, temperature=0.0, length=CONFIG.n_ctx + 3)
    expected = greedy(toy, TOKENIZER.encode(prompt), CONFIG.n_ctx + 3)
    assert text == TOKENIZER.decode(expected)


@pytest.mark.parametrize(
    "drawing", [{}, {"top_k": 5}, {"top_p": 0.8}, {"temperature": 0.3}], ids=str
)
def test_a_seed_gives_the_same_texts_whatever_the_batch_size(
    toy: DecoderPool, drawing: dict[str, Any]
) -> None:
    # Beyond the context, and so many that rows are refilled at different times.
    changes = {"nsamples": 8, "length": 24, "truncate": "e", **drawing}
    first = results_of(toy, "What", seed=5, batch_size=1, **changes)
    for batch_size in (3, 7, 20):
        assert results_of(toy, "What", seed=5, batch_size=batch_size, **changes) == first
    assert results_of(toy, "What", seed=6, batch_size=7, **changes) != first
    assert len({result.text for result in first}) > 4
    assert len({result.n_tokens for result in first}) > 2


def test_a_long_beginning_is_read_between_the_steps_of_others(toy: DecoderPool) -> None:
    prompts, config = ["What", "is the best of all?"], options(seed=5, length=30, top_k=3)
    batch = ContinuousBatch(toy.get(2, 30, "float32"), TOKENIZER)
    sequences = [
        Sequence(number, prompt, TOKENIZER.encode(prompt), config, 5, number)
        for number, prompt in enumerate(prompts)
    ]
    batch.add(sequences[0])
    batch.prefill(3)
    assert batch.n_ready == 1
    batch.add(sequences[1])
    results, steps_of_one = [], 0
    while batch.n_active:
        batch.prefill(3)
        steps_of_one += batch.n_ready == 1 and batch.n_active == 2
        results += [chunk.result for chunk in batch.step() if chunk.result]
    batch.close()
    assert steps_of_one >= 2
    assert list(in_order(results)) == results_of(toy, prompts, **vars(config))


@pytest.mark.parametrize(("seed", "precision"), [(None, "bfloat16"), (5, "float32")])
def test_a_seed_asks_for_products_that_batches_do_not_round_otherwise(
    seed: int | None, precision: str
) -> None:
    script = Script([ids_of("ab")], toy_model(CONFIG, precision="bfloat16"))
    text_of(script, seed=seed, length=2)
    assert script.precisions == [precision]


def test_more_texts_of_a_seed_begin_with_the_fewer(toy: DecoderPool) -> None:
    few, more = (
        texts_of(toy, seed=1, nsamples=nsamples, batch_size=3, length=10) for nsamples in (2, 5)
    )
    assert more[:2] == few


def test_a_second_text_can_begin_before_the_first_is_done(toy: DecoderPool) -> None:
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
