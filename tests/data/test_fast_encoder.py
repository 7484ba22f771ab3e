"""The fast encoder: ids equal to those of `Tokenizer.encode`, for any text and vocabulary."""

from __future__ import annotations

import ast
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpt2_helpers.data import fast_encoder as module
from gpt2_helpers.data.fast_encoder import FastEncoder, expressible_tokens, fast_encoder
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode
from paths import GOLDEN, ROOT, SHARED
from toy import toy_tokenizer

tiktoken = pytest.importorskip("tiktoken", reason="needs the package tiktoken")
TOY = toy_tokenizer()


def encoder(tokenizer: Tokenizer) -> FastEncoder:
    fast = fast_encoder(tokenizer)
    assert fast is not None
    return fast


@pytest.fixture(scope="module")
def toy() -> FastEncoder:
    return encoder(TOY)


@pytest.fixture(scope="module")
def openai() -> tuple[Tokenizer, FastEncoder]:
    folder = SHARED / "gpt2-vocab"
    if not folder.is_dir():
        pytest.skip("needs GPT-2's vocabulary in ../shared/gpt2-vocab")
    tokenizer = Tokenizer.load(folder)
    return tokenizer, encoder(tokenizer)


def check(tokenizer: Tokenizer, fast: FastEncoder, text: str) -> None:
    for special in (False, True):
        assert fast.encode(text, special).tolist() == tokenizer.encode(text, special), text


# -- Texts -------------------------------------------------------------------------------------


def strings_of_the_tests() -> list[str]:
    """All strings in the source of the tests, and the golden ones."""
    found = dict(json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8")))
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] = None
    return [text for text in found if module._is_unicode(text)]


def test_every_string_of_the_tests(toy: FastEncoder, openai: tuple[Tokenizer, FastEncoder]) -> None:
    texts = strings_of_the_tests()
    assert len(texts) > 2400
    for text in [*texts, "".join(texts), END_OF_TEXT.join(texts)]:
        check(TOY, toy, text)
        check(*openai, text)


parts = st.sampled_from(
    ["the", "People", "é", "幸福", " ", "  ", "\n", "\n\n", "\u3000", "\x1c", "\x85", "\u200b"]
    + ["'s", "'", "'ll", "12", "½", "٣", ".", "...", "<", "|>", "e\u0301", "😂", "\u0378"]
    + [END_OF_TEXT, "<|endof", "text|>", "\r\n", "\t"]
)
texts = st.lists(parts, max_size=60).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=60
)


@given(texts)
@example("")
@example(" " * 50 + "x" + " " * 50)
@example("I've, you're, he'd, I'm, we'll, isn't, it's, 'S, ''ve, ' s, 'lll")
def test_any_text(toy: FastEncoder, openai: tuple[Tokenizer, FastEncoder], text: str) -> None:
    check(TOY, toy, text)
    check(*openai, text)


def test_every_kind_of_character_is_the_same() -> None:
    """Also of characters that only one of the libraries knows.

    In this vocabulary the ids show with what a character forms a word: with a letter, a number, a
    sign, or with none of them if it is a space.
    """
    first_bytes = [bytes_to_unicode()[byte] for byte in range(0xC2, 0xF5)]
    merges = [(left, right) for left in "a1." for right in first_bytes]
    tokens = vocabulary_of(merges)
    tokenizer = Tokenizer({token: index for index, token in enumerate(tokens)}, merges)
    fast = encoder(tokenizer)
    everything = "".join(map(chr, [*range(0x80, 0xD800), *range(0xE000, sys.maxunicode + 1)]))
    kinds = set()
    for run in module._KINDS.finditer(everything):
        for character in (run[0][0], run[0][-1]):
            ids = [fast.encode(f"{left}{character}", False).tolist() for left in "a1."]
            assert ids == [tokenizer.encode(f"{left}{character}") for left in "a1."], character
            kinds.add(tuple(start[0] > 255 for start in ids))
    assert len(kinds) == 4


def test_a_text_is_the_same_in_several_threads(toy: FastEncoder) -> None:
    several = [f"What would {number} people say? {END_OF_TEXT}" * 50 for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda text: toy.encode(text, True), several))
    for text, ids in zip(several, results, strict=True):
        assert ids.tolist() == TOY.encode(text, special=True)


# -- Long runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["a", " ", "=", "1", "\n", "日", "😂", "ab", "a1"])
def test_a_million_equal_characters(toy: FastEncoder, unit: str) -> None:
    """Older versions of tiktoken need hours for them, or overflow the stack."""
    text = unit * (1_000_000 // len(unit.encode()))
    assert toy.encode(f"x {text}.", True).tolist() == TOY.encode(f"x {text}.")


@pytest.mark.parametrize("length", [1, 2, 999, 1000, 1001, 1998, 1999, 2000, 2500])
@pytest.mark.parametrize("start", [0, 1, 500, 999])
def test_tiktoken_gets_no_long_words(
    toy: FastEncoder, monkeypatch: pytest.MonkeyPatch, start: int, length: int
) -> None:
    seen: list[str] = []
    real = toy._encoding.encode_to_numpy

    class Spy:
        def encode_to_numpy(self, text: str, **options: object) -> object:
            seen.append(text)
            return real(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(toy, "_encoding", Spy())
    text = ". " * (start // 2) + "." * (start % 2) + "a" * length + " b" * 500
    check(TOY, toy, text)
    if length < 1000:
        assert seen
    if length >= 2000:
        assert not seen


# -- Invalid text ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\ud800", "before \udfff after", "\ud83d\ude00", "x\udc80" * 30])
def test_a_lone_surrogate_is_the_same_error(toy: FastEncoder, text: str) -> None:
    for special in (False, True):
        with pytest.raises(DatasetError) as expected:
            TOY.encode(text, special)
        with pytest.raises(DatasetError) as caught:
            toy.encode(text, special)
        assert str(caught.value) == str(expected.value)


# -- Vocabularies ------------------------------------------------------------------------------


def vocabulary_of(merges: list[tuple[str, str]], end: bool = True) -> list[str]:
    tokens = [*bytes_to_unicode().values(), *(left + right for left, right in merges)]
    return list(dict.fromkeys([*tokens, *([END_OF_TEXT] if end else [])]))


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Different merges over a, b and c; some result in the same token, some are out of order."""
    tokens = ["a", "b", "c"]
    merges: dict[tuple[str, str], None] = {}
    for _ in range(draw(st.integers(1, 14))):
        pair = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        merges[pair] = None
        tokens.append("".join(pair))
    order = list(merges)
    return draw(st.permutations(order)) if draw(st.booleans()) else order


@given(
    merges=merge_lists(),
    words=st.lists(st.text("abc", max_size=30), max_size=20),
    seed=st.randoms(use_true_random=False),
)
@example([("a", "a")], ["a" * 99], None)
@example([("a", "a"), ("a", "aa")], ["a" * 7], None)
@example([("a", "a"), ("aa", "a"), ("aa", "aa")], ["a" * count for count in range(20)], None)
@example([("a", "b"), ("b", "c"), ("a", "bc"), ("ab", "c")], ["abc", "aabcc", "bcabc"], None)
@example([("b", "c"), ("a", "b"), ("ab", "c"), ("a", "bc")], ["abc", "aabcc", "bcabc"], None)
def test_any_vocabulary_has_equal_ids_or_is_refused(
    merges: list[tuple[str, str]], words: list[str], seed: object
) -> None:
    tokens = vocabulary_of(merges)
    if seed is not None:
        seed.shuffle(tokens)  # type: ignore[attr-defined]
    tokenizer = Tokenizer({token: index for index, token in enumerate(tokens)}, merges)
    fast = fast_encoder(tokenizer)
    if fast is not None:
        every = [left + right for left, right in merges]
        check(tokenizer, fast, " ".join([*words, *every, "".join(every)]))


@given(merges=merge_lists())
def test_only_merges_before_their_parts_are_refused(merges: list[tuple[str, str]]) -> None:
    created = {"a", "b", "c"}
    in_order = True
    for left, right in merges:
        in_order &= left in created and right in created
        created.add(left + right)
    if in_order:
        assert expressible_tokens(merges) is not None


def test_a_vocabulary_that_tiktoken_cannot_represent_is_refused() -> None:
    merges = [("ab", "a"), ("a", "b")]
    tokenizer = Tokenizer({token: i for i, token in enumerate(vocabulary_of(merges))}, merges)
    assert fast_encoder(tokenizer) is None


@pytest.mark.parametrize("end", [False, True])
def test_the_end_of_text_has_the_tokenizer_s_id(end: bool) -> None:
    """Any id, also that of an ordinary token if the vocabulary has no end of text."""
    merges = [("a", "a"), ("<", "|")]
    tokens = vocabulary_of(merges, end)
    tokenizer = Tokenizer({token: index for index, token in enumerate(tokens[::-1])}, merges)
    check(tokenizer, encoder(tokenizer), f"aaa<|{END_OF_TEXT}{END_OF_TEXT} <|endoftext|a>")


def test_an_end_of_text_that_is_also_the_result_of_merges() -> None:
    left, merges = "<", []
    for right in END_OF_TEXT[1:]:
        merges.append((left, right))
        left += right
    tokenizer = Tokenizer({token: i for i, token in enumerate(vocabulary_of(merges))}, merges)
    check(tokenizer, encoder(tokenizer), f"a{END_OF_TEXT}b {END_OF_TEXT}\n<|endoftext")


def test_the_dtype_is_that_of_the_vocabulary(toy: FastEncoder) -> None:
    assert toy.encode("What is", False).dtype == np.uint16
    assert toy.encode("", False).dtype == np.uint16
    assert toy.encode("a" * 5000, False).dtype == np.uint16
    tokens = [*vocabulary_of([]), *(f"unused {number}" for number in range(70_000))]
    large = Tokenizer({token: index for index, token in enumerate(tokens)}, [])
    assert encoder(large).encode("What is", False).dtype == np.int32
    check(large, encoder(large), f"What is{END_OF_TEXT}")


def test_all_merges_of_gpt2_are_used(openai: tuple[Tokenizer, FastEncoder]) -> None:
    merges = openai[0].merges
    assert expressible_tokens(merges) == [left + right for left, right in merges]


def test_without_tiktoken_there_is_no_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert fast_encoder(TOY) is None


def test_a_tiktoken_that_finds_unwanted_special_tokens_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As versions before 0.11 do."""
    real = tiktoken.Encoding.encode_to_numpy

    def always_special(self: object, text: str, **_: object) -> object:
        return real(self, text, allowed_special={END_OF_TEXT})

    monkeypatch.setattr(tiktoken.Encoding, "encode_to_numpy", always_special)
    assert fast_encoder(TOY) is None
