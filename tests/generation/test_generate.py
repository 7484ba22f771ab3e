"""Texts: their length, beginnings and ends, pieces, seeds, and rows that take each other's place.

What happens to chosen ids is tested with a decoder that follows a script; what is drawn, with a
toy model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation import generate
from gpt2_helpers.generation.batch import EMPTY_TRIES, Draft, Rows, Text
from gpt2_helpers.generation.decoders import decoder_for
from gpt2_helpers.generation.generate import in_order, pieces, stream
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
def toy() -> GPT2:
    model = toy_model(CONFIG, seed=4, scale=12.0)
    model.variables["model/wpe"].assign(8.0 * model.variables["model/wpe"])
    return model  # one whose likeliest texts depend on all that it sees, and on where


@lru_cache
def unheard() -> GPT2:
    """A model in whose place a script speaks; its context holds every script."""
    return toy_model(ModelConfig(n_vocab=4, n_ctx=1000, n_embd=2, n_head=1, n_layer=1))


@pytest.fixture(scope="module")
def model() -> GPT2:
    return unheard()


class Script:
    """In a decoder's place: each text that begins gets the next of `texts`, a list of ids; after
    its last id it would go on with `x` for ever."""

    def __init__(self, texts: Iterable[Sequence[int]]) -> None:
        self._texts = iter(texts)
        self._rows: dict[int, Iterator[int]] = {}
        self.in_use = False
        self.steps = 0
        self.rows_a_step: set[int] = set()
        self.given: list[tuple[int, ...]] = []  # what each row was begun with

    def asked_for(self, model: GPT2, batch_size: int, *_: Any) -> Script:
        """What `decoder_for` is replaced by."""
        self.config, self.batch_size = model.config, batch_size
        return self

    def read(self, row: int, ids: Sequence[int], *_: Any) -> int:
        self.given.append(tuple(ids))
        self._rows[row] = iter(next(self._texts))
        return len(ids)

    def step(self, ids: np.ndarray, *_: Any) -> np.ndarray:
        self.steps += 1
        self.rows_a_step.add(len(ids))
        goes_on = TOKENIZER.encode("x")[0]
        rows = [self._rows.get(row, iter(())) for row in range(len(ids))]
        return np.array([next(row, goes_on) for row in rows], np.int32)


Scripted = Callable[..., Script]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Makes generation follow a script of texts, each written as text, bytes or ids."""

    def prepare(*texts: str | bytes | Sequence[int]) -> Script:
        script = Script([ids_of(text) for text in texts])
        monkeypatch.setattr(generate, "decoder_for", script.asked_for)
        return script

    return prepare


def ids_of(text: str | bytes | Sequence[int]) -> list[int]:
    """The ids of a text; bytes are given one id each."""
    return TOKENIZER.encode(text, special=True) if isinstance(text, str) else list(text)


def options(**changes: Any) -> SamplingConfig:
    return SamplingConfig(**{"length": 60, "temperature": 1.0, **changes})


def texts_of(
    model: GPT2, prompts: str | Sequence[str] = "", tokenizer: Tokenizer = TOKENIZER, **changes: Any
) -> list[Text]:
    """All texts in order."""
    texts = stream(model, tokenizer, prompts, options(**changes))
    return sorted(texts, key=lambda text: text.index)


def text_of(model: GPT2, prompt: str = "", **changes: Any) -> Text:
    (text,) = texts_of(model, prompt, **changes)
    return text


def shown(model: GPT2, prompts: str | Sequence[str] = "", **changes: Any) -> dict[int, list[str]]:
    """The pieces of each text, after checking that joined they are the text."""
    found: dict[int, list[str]] = {}
    for piece in pieces(model, TOKENIZER, prompts, options(**changes)):
        found.setdefault(piece.index, []).append(piece.text)
        if piece.finished is not None:
            assert piece.finished.index == piece.index
            assert "".join(found[piece.index]) == piece.finished
    return found


# --- The end of a text


def test_the_end_token_ends_a_text_and_is_not_shown(model: GPT2, scripted: Scripted) -> None:
    scripted(ids_of("What is it?") + [END])
    text = text_of(model)
    assert text == "What is it?"
    assert text.ended
    assert text.tokens == len(ids_of("What is it?")) + 1


def test_the_plain_characters_of_the_end_token_end_a_text_too(
    model: GPT2, scripted: Scripted
) -> None:
    assert END not in PLAIN_END
    script = scripted(ids_of("What is it?") + PLAIN_END)
    text = text_of(model)
    assert (str(text), text.ended) == ("What is it?", True)
    assert script.steps == len(ids_of("What is it?")) + len(PLAIN_END)


def test_length_ends_a_text(model: GPT2, scripted: Scripted) -> None:
    scripted("abcdefgh")
    text = text_of(model, length=5)
    assert (str(text), text.ended, text.tokens) == ("abcde", False, 5)


def test_length_counts_the_prefix_in(model: GPT2, scripted: Scripted) -> None:
    scripted("defgh")
    text = text_of(model, "abc", length=5)
    assert (str(text), text.tokens, text.prompt) == ("abcde", 2, "abc")


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        ("one. two. three", "one"),
        ("one", "one" + "x" * 17),  # it does not occur: the whole text
        (b"one." + bytes([END_OF_TEXT.encode()[0]]), "one"),
        ("one\n. two", "one\n"),
    ],
)
def test_truncate_ends_a_text_at_its_first_occurrence(
    model: GPT2, scripted: Scripted, generated: str, text: str
) -> None:
    scripted(generated)
    assert text_of(model, truncate=".", length=20) == text


def test_truncate_is_found_over_several_tokens_and_inside_of_one(
    model: GPT2, scripted: Scripted
) -> None:
    script = scripted(b"What the person", "What the")
    assert text_of(model, truncate="the p") == "What "
    assert script.steps == len("What the p")
    assert len(ids_of("What the")) == 2
    assert text_of(model, truncate="th") == "What "


def test_truncate_that_almost_occurs_is_shown(model: GPT2, scripted: Scripted) -> None:
    scripted(b"aab aaab aaaa!" + bytes([33]))
    assert text_of(model, truncate="aaaa!") == "aab aaab "
    scripted([*b"ab<|endof", END])
    assert text_of(model, truncate="abc") == "ab<|endof"


def test_the_first_of_two_ends_counts(model: GPT2, scripted: Scripted) -> None:
    scripted("one, two" + "<|end" + "oftext|>, three")
    assert text_of(model, truncate=", ") == "one"
    scripted([*b"one<|endoftext|>two. three"])
    assert text_of(model, truncate=". ") == "one"
    scripted([*b"one<|endoftext|>"])  # both are complete at once
    assert text_of(model, truncate="t|>") == "one"


def test_truncate_in_another_script(model: GPT2, scripted: Scripted) -> None:
    scripted("日本。です".encode())
    assert text_of(model, truncate="。") == "日本"


def test_truncate_inside_the_prefix_ends_nothing(model: GPT2, scripted: Scripted) -> None:
    scripted("no. yes", "no. yes")
    assert text_of(model, "Mr. X: ", truncate=".") == "Mr. X: no"
    assert text_of(model, "Mr. X: ", truncate=".", include_prefix=False) == "no"


def test_truncate_that_is_no_character_ends_nothing(model: GPT2, scripted: Scripted) -> None:
    scripted(b"what? why?")
    assert text_of(model, truncate="\ud800", length=10) == "what? why?"


# --- The beginning of a text


def test_include_prefix(model: GPT2, scripted: Scripted) -> None:
    script = scripted("def.", "def.", "def.")
    assert text_of(model, "abc", truncate=".") == "abcdef"
    assert text_of(model, "abc", truncate=".", include_prefix=False) == "def"
    without_truncate = text_of(model, "abc", length=7, include_prefix=False)
    assert without_truncate == "def."
    assert set(script.given) == {tuple(ids_of("ab"))}  # the last id is read in the first step


def test_a_text_without_prefix_starts_from_the_end_token(model: GPT2) -> None:
    seen = []

    class Spy(Script):
        def step(self, ids: np.ndarray, positions: np.ndarray, *rest: Any) -> np.ndarray:
            seen.append((ids.tolist(), positions.tolist()))
            return super().step(ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "decoder_for", Spy([ids_of("ab")]).asked_for)
        assert text_of(model, length=2) == "ab"
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
def test_leading_newlines_are_stripped(
    model: GPT2, scripted: Scripted, prefix: str, generated: str, text: str
) -> None:
    scripted([*ids_of(generated), END])
    assert text_of(model, prefix) == text


def test_an_end_token_in_the_prefix_is_the_one_id(model: GPT2, scripted: Scripted) -> None:
    script = scripted("ab")
    assert text_of(model, f"a{END_OF_TEXT}b", length=5) == f"a{END_OF_TEXT}bab"
    assert script.given == [(*ids_of("a"), END)]


def test_a_prefix_that_fills_the_length_is_refused(model: GPT2, scripted: Scripted) -> None:
    scripted("")
    for length in (2, 3):
        with pytest.raises(OptionError, match=f"3 tokens, and length={length} .* over 3"):
            texts_of(model, ["a", "abc"], length=length)


def test_no_prefix_gives_no_text(model: GPT2, scripted: Scripted) -> None:
    script = scripted()
    assert texts_of(model, []) == []
    assert script.steps == 0


# --- Empty texts


def test_an_empty_text_is_drawn_again(model: GPT2, scripted: Scripted) -> None:
    scripted([END], ids_of("\n \n") + [END], ids_of(".b"), ids_of("Yes.") + [END])
    assert text_of(model, truncate=".") == "Yes"


def test_a_text_is_empty_whatever_its_prefix_is(model: GPT2, scripted: Scripted) -> None:
    script = scripted([END], ids_of(" no") + [END])
    assert text_of(model, "Say:") == "Say: no"
    assert script.given == [tuple(ids_of("Say"))] * 2


def test_a_model_that_says_nothing_is_asked_so_often_and_no_more(
    model: GPT2, scripted: Scripted
) -> None:
    script = scripted(*[[END]] * 100)
    text = text_of(model, "Say:")
    assert (str(text), text.ended) == ("Say:", True)
    assert script.steps == 1 + EMPTY_TRIES
    # The likeliest token is the same each time.
    script = scripted(*[[END]] * 100)
    assert text_of(model, temperature=0.0) == ""
    assert script.steps == 1


def test_a_blank_text_of_full_length_is_a_text(model: GPT2, scripted: Scripted) -> None:
    script = scripted("   ")
    assert text_of(model, length=3) == "   "
    assert script.steps == 3


# --- Pieces


def test_pieces_come_as_the_text_does(model: GPT2, scripted: Scripted) -> None:
    scripted(ids_of("What is it?") + [END])
    tokens = [TOKENIZER.decode([index]) for index in ids_of("What is it?")]
    assert shown(model, "Q: ") == {0: ["Q: " + tokens[0], *tokens[1:], ""]}


def test_no_piece_splits_a_character(model: GPT2, scripted: Scripted) -> None:
    scripted([*"aé日😀".encode(), END])
    assert shown(model) == {0: ["a", "é", "日", "😀", ""]}


def test_no_piece_shows_part_of_a_stop_text(model: GPT2, scripted: Scripted) -> None:
    scripted(b"one ENd two END three")
    found = shown(model, truncate="END")[0]
    assert "".join(found) == "one ENd two "
    # Held back until it turned out to be no end.
    assert "ENd" in found
    assert not any("END".startswith(piece) for piece in found if piece)


def test_no_piece_of_an_empty_text_is_shown(model: GPT2, scripted: Scripted) -> None:
    scripted(ids_of(" \n") + [END], [*b" yes", END])
    assert shown(model, "Say:")[0] == ["Say: y", "e", "s", ""]


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        (b"a\xe6\x97", "a\ufffd"),  # two bytes of three
        (b"a\xe6b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x80a\xf0\x9f\x98", "\ufffda\ufffd"),
    ],
)
def test_cut_characters_show_as_the_replacement_character(
    model: GPT2, scripted: Scripted, generated: bytes, text: str
) -> None:
    scripted(generated, [*generated, END])
    assert text_of(model, length=len(generated)) == text
    assert "".join(shown(model)[0]) == text


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

    with pytest.MonkeyPatch.context() as patch:
        script = Script([[*whole, END]] * (1 + EMPTY_TRIES))
        patch.setattr(generate, "decoder_for", script.asked_for)
        found = shown(unheard(), prefix, truncate=truncate, length=200)[0]
    assert "".join(found) == expected


# --- Several texts side by side


def test_every_text_is_written_whatever_the_batch_size(model: GPT2, scripted: Scripted) -> None:
    for batch_size in (1, 2, 3, 5, 20):
        scripted(*(ids_of(f"text {number}") + [END] for number in range(7)))
        texts = texts_of(model, nsamples=7, batch_size=batch_size)
        assert [str(text) for text in texts] == [f"text {number}" for number in range(7)]
        assert [text.index for text in texts] == list(range(7))


def test_no_more_rows_than_texts(model: GPT2, scripted: Scripted) -> None:
    script = scripted(*["a."] * 6)
    texts_of(model, ["x", "y"], nsamples=3, batch_size=20, truncate=".")
    assert script.rows_a_step == {6}


def test_texts_of_several_prefixes_are_counted_in_order(model: GPT2, scripted: Scripted) -> None:
    scripted(*[".", "."] * 3)
    texts = texts_of(model, ["a", "bcd", ""], nsamples=2, batch_size=4, temperature=0, truncate=".")
    assert [(text.index, text.prompt, str(text)) for text in texts] == [
        (0, "a", "a"),
        (1, "a", "a"),
        (2, "bcd", "bcd"),
        (3, "bcd", "bcd"),
        (4, "", ""),
        (5, "", ""),
    ]


def test_short_texts_cost_what_they_are_long(model: GPT2, scripted: Scripted) -> None:
    long, short = [*b"y" * 39, END], [*b"y", END]
    # While one row writes forty tokens, the other one writes twenty texts of two.
    script = scripted(long, *[short] * 20)
    texts = list(stream(model, TOKENIZER, "", options(nsamples=21, batch_size=2)))
    assert script.steps == 40
    assert [text.index for text in texts] == [*range(1, 20), 0, 20]


def test_texts_come_as_soon_as_they_are_finished(model: GPT2, scripted: Scripted) -> None:
    script = scripted([*b"abcd", END], [*b"ab", END])
    texts = stream(model, TOKENIZER, "", options(nsamples=2, batch_size=2))
    assert (str(next(texts)), script.steps) == ("ab", 3)
    assert (str(next(texts)), script.steps) == ("abcd", 5)


def test_a_generator_can_be_closed_midway(model: GPT2, scripted: Scripted) -> None:
    script = scripted([*b"ab", END], [*b"cd", END])
    texts = stream(model, TOKENIZER, "", options(nsamples=2))
    assert next(texts) == "ab"
    assert script.in_use
    texts.close()  # type: ignore[attr-defined]
    assert (script.steps, script.in_use) == (3, False)
    assert list(texts) == []


# --- With a model


def greedy(model: GPT2, ids: list[int], length: int) -> list[int]:
    """The likeliest continuation, by whole passes over a window that slides as generation's."""
    window = list(ids)
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
def golden_model(golden: dict[str, np.ndarray]) -> GPT2:
    return GPT2(ModelConfig(*golden["config"].tolist()), golden)


@pytest.mark.parametrize("order", range(5))
def test_greedy_texts_are_those_of_transformers(
    golden: dict[str, np.ndarray],
    golden_model: GPT2,
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
    toy: GPT2,
) -> None:
    prompts = ["W", "What is the", "", "of to in that", "ab" * 7]
    together = texts_of(toy, prompts, batch_size=3, temperature=0.0, length=30)
    alone = [text_of(toy, prompt, temperature=0.0, length=30) for prompt in prompts]
    assert together == alone
    assert len(set(together)) == len(prompts)


def test_length_beyond_the_context_goes_on_with_a_sliding_window(toy: GPT2) -> None:
    prompt = "What is"
    expected = greedy(toy, TOKENIZER.encode(prompt), 50)
    assert END not in expected
    text = text_of(toy, prompt, temperature=0.0, length=50)
    assert text == TOKENIZER.decode(expected)
    assert text.tokens == 50 - len(TOKENIZER.encode(prompt))


def test_a_prefix_longer_than_the_context_goes_on_from_its_last_part(toy: GPT2) -> None:
    prompt = "the people of the best thing ever, " * 2
    ids = TOKENIZER.encode(prompt)
    assert len(ids) > CONFIG.n_ctx
    with pytest.warns(UserWarning, match=f"{len(ids)} tokens, the model sees {CONFIG.n_ctx}"):
        text = text_of(toy, prompt, temperature=0.0, length=len(ids) + 5)
    expected = greedy(toy, ids[-CONFIG.n_ctx // 2 :], CONFIG.n_ctx // 2 + 5)
    assert text == prompt + TOKENIZER.decode(expected[-5:])


def test_a_prefix_that_just_fits_is_not_warned_of(toy: GPT2) -> None:
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
    toy: GPT2, drawing: dict[str, Any]
) -> None:
    # Beyond the context, and so many that rows are refilled at different times.
    changes = {"nsamples": 8, "length": 24, "truncate": "e", **drawing}
    first = texts_of(toy, "What", seed=5, batch_size=1, **changes)
    for batch_size in (3, 7, 20):
        assert texts_of(toy, "What", seed=5, batch_size=batch_size, **changes) == first
    assert texts_of(toy, "What", seed=6, batch_size=7, **changes) != first
    assert len(set(first)) > 4
    assert len({text.tokens for text in first}) > 2


def test_a_long_beginning_is_read_between_the_steps_of_others(toy: GPT2) -> None:
    prompts, config = ["What", "is the best of all?"], options(seed=5, length=30, top_k=3)
    rows = Rows(decoder_for(toy, 2, 30, "float32"), TOKENIZER)
    drafts = [
        Draft(number, prompt, TOKENIZER.encode(prompt), config, 5, number)
        for number, prompt in enumerate(prompts)
    ]
    rows.begin(drafts[0])
    rows.read(3)
    assert rows.ready == 1
    rows.begin(drafts[1])
    found, alone = [], 0
    while rows.busy:
        rows.read(3)
        alone += rows.ready == 1 and rows.busy == 2
        found += [piece.finished for piece in rows.advance() if piece.finished]
    rows.close()
    assert alone >= 2
    assert sorted(found, key=lambda text: text.index) == texts_of(toy, prompts, **vars(config))


@pytest.mark.parametrize(("seed", "precision"), [(None, "bfloat16"), (5, "float32")])
def test_a_seed_asks_for_products_that_batches_do_not_round_otherwise(
    monkeypatch: pytest.MonkeyPatch, seed: int | None, precision: str
) -> None:
    asked = []

    def asked_for(model: GPT2, batch_size: int, length: int, precision: str) -> Script:
        asked.append(precision)
        return Script([ids_of("ab")]).asked_for(model, batch_size)

    monkeypatch.setattr(generate, "decoder_for", asked_for)
    text_of(toy_model(CONFIG, precision="bfloat16"), seed=seed, length=2)
    assert asked == [precision]


def test_more_texts_of_a_seed_begin_with_the_fewer(toy: GPT2) -> None:
    few, more = (
        texts_of(toy, seed=1, nsamples=nsamples, batch_size=3, length=10) for nsamples in (2, 5)
    )
    assert more[:2] == few


def test_a_second_text_can_begin_before_the_first_is_done(toy: GPT2) -> None:
    config = options(temperature=0.0, length=12)
    alone = {prompt: text_of(toy, prompt, temperature=0.0, length=12) for prompt in ("ab", "cde")}
    first = pieces(toy, TOKENIZER, "ab", config)
    begun = next(first)
    assert begun.finished is None
    assert list(stream(toy, TOKENIZER, "cde", config)) == [alone["cde"]]
    assert [piece.finished for piece in first][-1] == alone["ab"]


def test_without_a_seed_texts_differ(toy: GPT2) -> None:
    assert text_of(toy, length=16) != text_of(toy, length=16)


def test_temperature_zero_gives_the_same_text_each_time(toy: GPT2) -> None:
    texts = texts_of(toy, "What", nsamples=3, batch_size=2, length=20, temperature=0.0)
    assert len(texts) == 3
    assert len(set(texts)) == 1


def test_a_model_may_have_more_ids_than_its_vocabulary(scripted: Scripted) -> None:
    padded = ModelConfig(n_vocab=384, n_ctx=16, n_embd=2, n_head=1, n_layer=1)
    scripted([*b"ab", 383, *b"c", END])
    assert text_of(toy_model(padded)) == "abc"


def text(index: int) -> Text:
    made = Text(f"text {index}")
    made.index = index
    return made


def test_texts_that_finish_early_wait_for_their_turn() -> None:
    ordered = in_order(iter([text(2), text(0), text(1), text(3)]))
    assert list(ordered) == ["text 0", "text 1", "text 2", "text 3"]
    finishing = iter([text(0), text(2)])
    assert next(in_order(finishing)) == "text 0"  # before the next one is asked for
    assert next(finishing) == "text 2"


def test_an_interrupt_loses_no_finished_text() -> None:
    def interrupted() -> Iterator[Text]:
        yield from (text(0), text(3), text(2))
        raise KeyboardInterrupt

    seen: list[Text] = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(in_order(interrupted()))
    ordered = in_order(interrupted())
    assert [next(ordered) for _ in range(3)] == ["text 0", "text 2", "text 3"]
