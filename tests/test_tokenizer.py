"""The tokenizer against a simple implementation, Hugging Face's tokenizers, and known ids."""

from __future__ import annotations

import itertools
import json
import pickle
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpt2_helpers import tokenizer as module
from gpt2_helpers.errors import CheckpointError, DatasetError, OptionError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode
from paths import GOLDEN

GOLDEN_FILE = GOLDEN / "tokenizer.json"
MERGES = [
    *[("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), ("o", "r"), ("Ġw", "or")],
    *[("l", "d"), ("Ġwor", "ld"), ("a", "a"), ("aa", "aa"), ("a", "b"), ("ab", "ab")],
    *[("Ã", "©"), ("Ġ", "Ġ"), ("Ċ", "Ċ"), ("1", "2"), ("ð", "Ł"), ("ðŁ", "ĺ"), ("'", "s")],
]


# -- A simple implementation of byte-pair encoding ---------------------------------------------

SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)}
SPACES |= {0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def kind(character: str) -> str:
    if ord(character) in SPACES:
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(character)[0], "other")


def plain_words(text: str) -> list[str]:
    """Split into GPT-2's words without a regular expression."""
    words = []
    start = 0
    while start < len(text):
        first = start  # of the word without the space before it
        if text[start] == " " and start + 1 < len(text) and kind(text[start + 1]) != "space":
            first += 1
        end = first
        while end < len(text) and kind(text[end]) == kind(text[first]):
            end += 1
        # The last of several spaces belongs to the next word.
        if kind(text[first]) == "space" and end < len(text) and end - first > 1:
            end -= 1
        for contraction in CONTRACTIONS:
            if text.startswith(contraction, start):
                end = start + len(contraction)
        words.append(text[start:end])
        start = end
    return words


def plain_encode(text: str, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> list[int]:
    """Repeatedly merge all occurrences of the pair that is first in the list."""
    order: dict[tuple[str, str], int] = {}
    for rank, pair in enumerate(merges):
        order.setdefault(pair, rank)
    ids = []
    for word in plain_words(text):
        tokens = [bytes_to_unicode()[byte] for byte in word.encode("utf-8")]
        while pairs := {pair for pair in zip(tokens, tokens[1:], strict=False) if pair in order}:
            best = min(pairs, key=order.__getitem__)
            merged: list[str] = []
            position = 0
            while position < len(tokens):
                if tuple(tokens[position : position + 2]) == best:
                    merged.append("".join(best))
                    position += 2
                else:
                    merged.append(tokens[position])
                    position += 1
            tokens = merged
        ids += [vocabulary[token] for token in tokens]
    return ids


def vocabulary_of(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Number the bytes, the results of the merges, and the end of text, as OpenAI does."""
    tokens = [*bytes_to_unicode().values(), *(left + right for left, right in merges), END_OF_TEXT]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


@pytest.fixture(scope="module")
def toy() -> Tokenizer:
    return Tokenizer(vocabulary_of(MERGES), MERGES)


@pytest.fixture(scope="module")
def openai_folder(shared: Path) -> Path:
    """The folder with GPT-2's vocabulary."""
    folder = shared / "gpt2-vocab"
    if not folder.is_dir():
        pytest.skip("needs GPT-2's vocabulary in ../shared/gpt2-vocab")
    return folder


@pytest.fixture(scope="module")
def openai(openai_folder: Path) -> Tokenizer:
    return Tokenizer.load(openai_folder)


@pytest.fixture(scope="module")
def openai_merges(openai_folder: Path) -> list[tuple[str, str]]:
    lines = (openai_folder / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    return [(line.split(" ")[0], line.split(" ")[1]) for line in lines]


# -- Random texts ------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=["Cs"]))
# Only characters known to Python: other libraries may classify newer ones differently.
known_character = st.characters(exclude_categories=["Cs", "Cn"])
snippets = st.sampled_from(
    [
        *["hello", " world", "Hello", "don't", "we'll", "I've", "I'D", "'s", "''ve", " 'm", "x's1"],
        *[" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " \n ", "\u00a0", "\u3000", "\x00", "\x1c"],
        *["12", "3.14", "½", "٣", "Ⅷ", "!?", "...", "=====", "<|endoftext|>", "_", "€", "\ufeff"],
        *[
            "é",
            "e\u0301",
            "naïve",
            "привет",
            "日本語",
            "ไทย",
            "हिन्दी",
            "👩\u200d👩\u200d👧",
            "🇫🇷",
            "\u200b",
        ],
    ]
)
mixed_text = st.lists(snippets, max_size=12).map("".join)
long_words = st.one_of(
    st.text("ab", min_size=45, max_size=300),
    st.text("helowrd", min_size=45, max_size=300),
    st.text("ETAOINetaoinshrdlu", min_size=45, max_size=200),
    st.text("éèà😀日", min_size=15, max_size=80),
    st.builds(lambda unit, times: unit * times, st.text("=-*a1 ", min_size=1), st.integers(1, 99)),
)
texts = st.one_of(
    st.text(known_character), mixed_text, long_words, st.tuples(mixed_text, long_words).map("".join)
)


@given(any_text)
@example("".join(map(chr, range(0x300))))
@example("\U0010ffff\ufffe\uffff\u0378")
def test_decoding_inverts_encoding(toy: Tokenizer, text: str) -> None:
    assert toy.decode(toy.encode(text)) == text
    assert toy.decode(toy.encode(text, special=True)) == text


@given(any_text)
def test_decoding_inverts_encoding_with_gpt2_s_vocabulary(openai: Tokenizer, text: str) -> None:
    assert openai.decode(openai.encode(text)) == text


@given(texts)
@example("hello" * 12)
@example("I've, you're, he'd, I'm, we'll, isn't, it's, 'S, ''ve, ' s, 'lll")
def test_toy_ids_match_the_simple_implementation(toy: Tokenizer, text: str) -> None:
    assert toy.encode(text) == plain_encode(text, toy.vocabulary, MERGES)


@given(texts)
@example("I've, you're, he'd, I'm, we'll, isn't, it's, 'S, ''ve, ' s, 'lll")
def test_gpt2_ids_match_the_simple_implementation(
    openai: Tokenizer, openai_merges: list[tuple[str, str]], text: str
) -> None:
    assert openai.encode(text) == plain_encode(text, openai.vocabulary, openai_merges)


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Merges over a, b and c in any order; some result in the same token."""
    tokens = ["a", "b", "c"]
    merges = []
    for _ in range(draw(st.integers(1, 12))):
        pair = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        merges.append(pair)
        tokens.append("".join(pair))
    return draw(st.permutations(merges))


@given(merge_lists(), st.text("abc", max_size=120))
@example([("ab", "a"), ("a", "b")], "ab" * 40)
@example([("a", "a")], "a" * 99)
def test_any_merges_match_the_simple_implementation(
    merges: list[tuple[str, str]], word: str
) -> None:
    vocabulary = vocabulary_of(merges)
    assert Tokenizer(vocabulary, merges).encode(word) == plain_encode(word, vocabulary, merges)


# -- Hugging Face's tokenizer ------------------------------------------------------------------

Encode = Callable[[str], list[int]]


def hugging_face(folder: Path) -> Encode:
    tokenizers = pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    other = tokenizers.ByteLevelBPETokenizer(
        str(folder / "encoder.json"), str(folder / "vocab.bpe")
    )
    return lambda text: list(other.encode(text).ids)


@pytest.fixture(scope="module")
def hugging_face_toy(toy: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Encode:
    folder = tmp_path_factory.mktemp("toy")
    toy.save(folder)
    return hugging_face(folder)


@pytest.fixture(scope="module")
def hugging_face_openai(openai_folder: Path) -> Encode:
    return hugging_face(openai_folder)


@given(texts)
def test_toy_ids_match_hugging_face(toy: Tokenizer, hugging_face_toy: Encode, text: str) -> None:
    assert toy.encode(text) == hugging_face_toy(text)


@given(texts)
def test_gpt2_ids_match_hugging_face(
    openai: Tokenizer, hugging_face_openai: Encode, text: str
) -> None:
    assert openai.encode(text) == hugging_face_openai(text)


def test_a_long_english_text_matches_hugging_face(
    shared: Path, openai: Tokenizer, hugging_face_openai: Encode
) -> None:
    path = shared / "corpus" / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip("needs ../shared/corpus/tinyshakespeare.txt")
    text = path.read_text(encoding="utf-8")[:200_000]
    assert openai.encode(text) == hugging_face_openai(text)


# -- Known ids ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world", [15496, 995]),
        ("Hello, my dog is cute", [15496, 11, 616, 3290, 318, 13779]),
        ("", []),
        ("\n", [198]),
        ("\n\n", [628]),
        ("a\n\nb", [64, 198, 198, 65]),
        ("<|endoftext|>", [27, 91, 437, 1659, 5239, 91, 29]),
        ("<|startoftext|>", [27, 91, 9688, 1659, 5239, 91, 29]),
    ],
)
def test_well_known_ids(openai: Tokenizer, text: str, ids: list[int]) -> None:
    assert openai.encode(text) == ids
    assert openai.decode(ids) == text


def test_golden_ids(openai: Tokenizer) -> None:
    golden = json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))
    assert golden
    for text, ids in golden:
        assert openai.encode(text) == ids
        assert openai.decode(ids) == text


def test_the_end_of_text_of_gpt2(openai: Tokenizer) -> None:
    assert openai.n_vocab == 50257
    assert openai.end_of_text == 50256
    assert openai.decode([50256]) == END_OF_TEXT


# -- The end token -----------------------------------------------------------------------------


def test_end_of_text_is_one_id_only_if_special(toy: Tokenizer) -> None:
    text = f"hello{END_OF_TEXT}{END_OF_TEXT} world"
    hello, world = toy.encode("hello"), toy.encode(" world")
    end = toy.end_of_text
    assert end == toy.n_vocab - 1
    assert toy.encode(text, special=True) == [*hello, end, end, *world]
    assert end not in toy.encode(text)
    assert toy.decode(toy.encode(text, special=True)) == text == toy.decode(toy.encode(text))


def test_end_of_text_at_the_start_and_end(toy: Tokenizer) -> None:
    end = toy.end_of_text
    assert toy.encode(END_OF_TEXT, special=True) == [end]
    assert toy.encode(f"{END_OF_TEXT}a{END_OF_TEXT}", special=True) == [end, *toy.encode("a"), end]
    assert toy.encode("<|endoftext", special=True) == toy.encode("<|endoftext")


def test_an_end_of_text_ends_a_word(toy: Tokenizer) -> None:
    """The text before it is encoded separately, so the last two spaces stay together."""
    end = toy.end_of_text
    assert toy.encode(f"a  {END_OF_TEXT}", special=True) == [*toy.encode("a  "), end]


# -- Invalid input -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, 277, 10**30, np.int64(-1), np.int32(277), float("nan")])
def test_an_id_outside_the_vocabulary_is_an_error(toy: Tokenizer, wrong: int) -> None:
    assert toy.n_vocab == 277
    with pytest.raises(OptionError, match=r"between 0 and 276, got .*tokenizer\?"):
        toy.decode([0, wrong])


@pytest.mark.parametrize("wrong", ["12", [1.0], 7, None, [None], [[1, 2]], np.zeros((2, 2), int)])
def test_invalid_ids_are_an_error(toy: Tokenizer, wrong: object) -> None:
    with pytest.raises(OptionError, match="must be a list of integers"):
        toy.decode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [b"hello", None, 7, ["hello"]])
def test_a_value_that_is_not_a_str_is_an_error(toy: Tokenizer, wrong: object) -> None:
    with pytest.raises(OptionError, match=f"must be a str, got {type(wrong).__name__}"):
        toy.encode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_numpy_ids_are_decoded(toy: Tokenizer, dtype: type) -> None:
    ids = np.array(toy.encode("hello world"), dtype)
    assert toy.decode(ids) == "hello world"
    assert toy.decode(index for index in ids) == "hello world"
    assert toy.decode([]) == ""


@pytest.mark.parametrize("text", ["\ud800", "before \udfff after", "x\udc80" * 30])
def test_a_lone_surrogate_is_an_error(toy: Tokenizer, text: str) -> None:
    with pytest.raises(DatasetError, match=r"lone surrogate, '\\ud[0-9a-f]{3}'") as caught:
        toy.encode(text)
    str(caught.value).encode("utf-8")  # can be printed
    assert toy.encode("hello") == [toy.vocabulary["hello"]]  # the tokenizer still works


def test_an_incomplete_character_becomes_the_replacement_character(toy: Tokenizer) -> None:
    ids = toy.encode("hello 日")
    assert toy.decode(ids[:-1]) == "hello \ufffd"
    assert toy.decode(ids[:-2]) == "hello \ufffd"
    assert toy.decode(ids[-1:]) == "\ufffd"
    assert toy.decode_bytes(ids[:-1]) + toy.decode_bytes(ids[-1:]) == "hello 日".encode()


# -- The cache ---------------------------------------------------------------------------------


def test_the_size_of_the_cache_is_limited(toy: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED_WORDS", 500)
    text = " ".join(map("".join, itertools.product("abcdefghijklmnopqrst", repeat=3)))
    tokenizer = Tokenizer(toy.vocabulary, MERGES)
    before = len(pickle.dumps(tokenizer))
    first = tokenizer.encode(text)  # in one call, then in many
    assert len(pickle.dumps(tokenizer)) - before < 40_000
    for start in range(0, len(text), 1000):
        tokenizer.encode(text[start : start + 1000])
    assert len(pickle.dumps(tokenizer)) - before < 40_000
    assert tokenizer.encode(text) == first == toy.encode(text)


def test_long_words_are_not_cached(toy: Tokenizer) -> None:
    tokenizer = Tokenizer(toy.vocabulary, MERGES)
    before = len(pickle.dumps(tokenizer))
    assert tokenizer.decode(tokenizer.encode("ab" * 50_000)) == "ab" * 50_000
    assert len(pickle.dumps(tokenizer)) - before < 1000


def test_changing_the_result_does_not_change_the_cache(toy: Tokenizer) -> None:
    ids = toy.encode("hello")
    ids.append(0)
    assert toy.encode("hello") == ids[:-1]


# -- Files -------------------------------------------------------------------------------------


def test_save_and_load(toy: Tokenizer, tmp_path: Path) -> None:
    toy.save(tmp_path)
    loaded = Tokenizer.load(str(tmp_path))
    assert loaded.vocabulary == toy.vocabulary
    assert loaded.end_of_text == toy.end_of_text
    text = "hello world, aaaab é 😀"
    assert loaded.encode(text) == toy.encode(text)
    loaded.save(tmp_path)
    assert Tokenizer.load(tmp_path).encode(text) == toy.encode(text)


def test_gpt2_s_merges_are_saved_unchanged(
    openai: Tokenizer, openai_folder: Path, tmp_path: Path
) -> None:
    openai.save(tmp_path)
    assert (tmp_path / "vocab.bpe").read_bytes() == (openai_folder / "vocab.bpe").read_bytes()
    saved, original = (folder / "encoder.json" for folder in (tmp_path, openai_folder))
    assert json.loads(saved.read_bytes()) == json.loads(original.read_bytes())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", "#version: 0.2\n"])
def test_merge_files_of_other_programs_are_loaded(
    toy: Tokenizer, tmp_path: Path, head: str, newline: str
) -> None:
    """Without the version line, without the last line end, or with Windows line ends."""
    toy.save(tmp_path)
    lines = head + "\n".join(" ".join(pair) for pair in MERGES)
    (tmp_path / "vocab.bpe").write_bytes(lines.replace("\n", newline).encode())
    text = "hello world's aaaa"
    assert Tokenizer.load(tmp_path).encode(text) == toy.encode(text)


@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe"])
def test_a_missing_file_is_an_error(toy: Tokenizer, tmp_path: Path, name: str) -> None:
    toy.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 0, ', "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"<html>404</html>", "cannot be read"),
        (b"[]", "must map tokens to integers"),
        (b'{"a": "0"}', "must map tokens to integers"),
        (b'{"a": 0.0}', "must map tokens to integers"),
        (b'{"a": true}', "must map tokens to integers"),
        (b"{}", "has no token for the byte"),
        (b'{"a": 0, "b": 1}', "has no token for the byte 0"),
        (b'{"a": 1, "b": 2}', "0, 1, 2, ..., each once"),
        (b'{"a": 0, "b": 0}', "0, 1, 2, ..., each once"),
        (b'{"a": 0, "b": -1}', "0, 1, 2, ..., each once"),
        (b'{"a": 0, "b": 1000000000000000}', "0, 1, 2, ..., each once"),
    ],
)
def test_an_invalid_vocabulary_is_an_error(
    toy: Tokenizer, tmp_path: Path, content: bytes, message: str
) -> None:
    toy.save(tmp_path)
    (tmp_path / "encoder.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_token_with_a_lone_surrogate_is_an_error(tmp_path: Path) -> None:
    tokens = [*bytes_to_unicode().values(), "\ud800"]
    with pytest.raises(CheckpointError, match="lone surrogate"):
        Tokenizer({token: index for index, token in enumerate(tokens)}, [])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("h e\nl x\n", r"merge 2, 'l' \+ 'x', needs the token 'lx'"),
        ("#version: 0.2\nzz e\n", "merge 1.*needs the token 'zz'"),
        ("he\n", "merge 1 is not a pair of tokens: 'he'"),
        ("h e\n e\n", "merge 2 is not a pair of tokens"),
        ("h e l\n", "needs the token 'e l'"),
        ("<!DOCTYPE html>\n", "needs the token"),
    ],
)
def test_invalid_merges_are_an_error(
    toy: Tokenizer, tmp_path: Path, lines: str, message: str
) -> None:
    toy.save(tmp_path)
    (tmp_path / "vocab.bpe").write_text(lines, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_byte_has_a_printable_character() -> None:
    table = bytes_to_unicode()
    assert sorted(table) == list(range(256))
    assert len(set(table.values())) == 256
    assert all(character.isprintable() and character != " " for character in table.values())
    assert [table[byte] for byte in (0, 10, 32, 127, 160, 173)] == ["Ā", "Ċ", "Ġ", "ġ", "ł", "Ń"]
