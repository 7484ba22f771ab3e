"""The tokenizer against byte-pair encoding written out plainly, Hugging Face's, and known ids."""

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


# -- Byte-pair encoding as one would do it by hand ---------------------------------------------

SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)}
SPACES |= {0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def kind(character: str) -> str:
    if ord(character) in SPACES:
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(character)[0], "other")


def plain_words(text: str) -> list[str]:
    """GPT-2's words without a regular expression: a word takes the one space before it."""
    words = []
    start = 0
    while start < len(text):
        first = start
        if text[start] == " " and start + 1 < len(text) and kind(text[start + 1]) != "space":
            first += 1
        end = first
        while end < len(text) and kind(text[end]) == kind(text[first]):
            end += 1
        # Of several spaces the last is left for what follows.
        if kind(text[first]) == "space" and end < len(text) and end - first > 1:
            end -= 1
        for contraction in CONTRACTIONS:
            if text.startswith(contraction, start):
                end = start + len(contraction)
        words.append(text[start:end])
        start = end
    return words


def plain_encode(text: str, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> list[int]:
    """Again and again, join the listed-first pair of neighbours wherever it stands."""
    order: dict[tuple[str, str], int] = {}
    for rank, pair in enumerate(merges):
        order.setdefault(pair, rank)
    ids = []
    for word in plain_words(text):
        pieces = [bytes_to_unicode()[byte] for byte in word.encode("utf-8")]
        while pairs := {pair for pair in zip(pieces, pieces[1:], strict=False) if pair in order}:
            chosen = min(pairs, key=order.__getitem__)
            joined: list[str] = []
            position = 0
            while position < len(pieces):
                if tuple(pieces[position : position + 2]) == chosen:
                    joined.append("".join(chosen))
                    position += 2
                else:
                    joined.append(pieces[position])
                    position += 1
            pieces = joined
        ids += [vocabulary[piece] for piece in pieces]
    return ids


def vocabulary_of(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Bytes, then what the merges make, then the end, as OpenAI numbers them."""
    pieces = [*bytes_to_unicode().values(), *(left + right for left, right in merges), END_OF_TEXT]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


@pytest.fixture(scope="module")
def toy() -> Tokenizer:
    return Tokenizer(vocabulary_of(MERGES), MERGES)


@pytest.fixture(scope="module")
def openai_folder(shared: Path) -> Path:
    """The folder with GPT-2's own vocabulary."""
    folder = shared / "gpt2-vocab"
    if not folder.is_dir():
        pytest.skip("needs GPT-2's own vocabulary in ../shared/gpt2-vocab, which is not here")
    return folder


@pytest.fixture(scope="module")
def openai(openai_folder: Path) -> Tokenizer:
    return Tokenizer.load(openai_folder)


@pytest.fixture(scope="module")
def openai_merges(openai_folder: Path) -> list[tuple[str, str]]:
    lines = (openai_folder / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    return [(line.split(" ")[0], line.split(" ")[1]) for line in lines]


# -- Texts -------------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=["Cs"]))
# Characters that Python knows by now: libraries of another age class the newest ones otherwise.
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
written = st.lists(snippets, max_size=12).map("".join)
long_words = st.one_of(
    st.text("ab", min_size=45, max_size=300),
    st.text("helowrd", min_size=45, max_size=300),
    st.text("ETAOINetaoinshrdlu", min_size=45, max_size=200),
    st.text("éèà😀日", min_size=15, max_size=80),
    st.builds(lambda unit, times: unit * times, st.text("=-*a1 ", min_size=1), st.integers(1, 99)),
)
texts = st.one_of(
    st.text(known_character), written, long_words, st.tuples(written, long_words).map("".join)
)


@given(any_text)
@example("".join(map(chr, range(0x300))))
@example("\U0010ffff\ufffe\uffff\u0378")
def test_decode_gives_back_what_was_encoded(toy: Tokenizer, text: str) -> None:
    assert toy.decode(toy.encode(text)) == text
    assert toy.decode(toy.encode(text, special=True)) == text


@given(any_text)
def test_decode_gives_back_what_was_encoded_by_gpt2(openai: Tokenizer, text: str) -> None:
    assert openai.decode(openai.encode(text)) == text


@given(texts)
@example("hello" * 12)
@example("I've, you're, he'd, I'm, we'll, isn't, it's, 'S, ''ve, ' s, 'lll")
def test_toy_ids_are_those_of_plain_byte_pair_encoding(toy: Tokenizer, text: str) -> None:
    assert toy.encode(text) == plain_encode(text, toy.vocabulary, MERGES)


@given(texts)
@example("I've, you're, he'd, I'm, we'll, isn't, it's, 'S, ''ve, ' s, 'lll")
def test_gpt2_ids_are_those_of_plain_byte_pair_encoding(
    openai: Tokenizer, openai_merges: list[tuple[str, str]], text: str
) -> None:
    assert openai.encode(text) == plain_encode(text, openai.vocabulary, openai_merges)


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Merges over a, b and c in any order, some of them two ways to one piece."""
    pieces = ["a", "b", "c"]
    merges = []
    for _ in range(draw(st.integers(1, 12))):
        pair = draw(st.sampled_from(pieces)), draw(st.sampled_from(pieces))
        merges.append(pair)
        pieces.append("".join(pair))
    return draw(st.permutations(merges))


@given(merge_lists(), st.text("abc", max_size=120))
@example([("ab", "a"), ("a", "b")], "ab" * 40)
@example([("a", "a")], "a" * 99)
def test_any_list_of_merges_is_followed(merges: list[tuple[str, str]], word: str) -> None:
    vocabulary = vocabulary_of(merges)
    assert Tokenizer(vocabulary, merges).encode(word) == plain_encode(word, vocabulary, merges)


# -- Hugging Face's tokenizer ------------------------------------------------------------------

Encode = Callable[[str], list[int]]


def hugging_face(folder: Path) -> Encode:
    tokenizers = pytest.importorskip("tokenizers", reason="compares with the package tokenizers")
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
def test_toy_ids_are_hugging_faces(toy: Tokenizer, hugging_face_toy: Encode, text: str) -> None:
    assert toy.encode(text) == hugging_face_toy(text)


@given(texts)
def test_gpt2_ids_are_hugging_faces(
    openai: Tokenizer, hugging_face_openai: Encode, text: str
) -> None:
    assert openai.encode(text) == hugging_face_openai(text)


def test_english_at_length_is_hugging_faces(
    shared: Path, openai: Tokenizer, hugging_face_openai: Encode
) -> None:
    path = shared / "corpus" / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip("needs ../shared/corpus/tinyshakespeare.txt, which is not here")
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
def test_ids_known_to_everyone(openai: Tokenizer, text: str, ids: list[int]) -> None:
    assert openai.encode(text) == ids
    assert openai.decode(ids) == text


def test_golden_ids(openai: Tokenizer) -> None:
    golden = json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))
    assert golden
    for text, ids in golden:
        assert openai.encode(text) == ids
        assert openai.decode(ids) == text


def test_gpt2s_end_of_text(openai: Tokenizer) -> None:
    assert openai.n_vocab == 50257
    assert openai.end_of_text == 50256
    assert openai.decode([50256]) == END_OF_TEXT


# -- The end token -----------------------------------------------------------------------------


def test_end_of_text_is_one_id_only_where_asked_for(toy: Tokenizer) -> None:
    text = f"hello{END_OF_TEXT}{END_OF_TEXT} world"
    hello, world = toy.encode("hello"), toy.encode(" world")
    end = toy.end_of_text
    assert end == toy.n_vocab - 1
    assert toy.encode(text, special=True) == [*hello, end, end, *world]
    assert end not in toy.encode(text)
    assert toy.decode(toy.encode(text, special=True)) == text == toy.decode(toy.encode(text))


def test_end_of_text_alone_and_at_the_edges(toy: Tokenizer) -> None:
    end = toy.end_of_text
    assert toy.encode(END_OF_TEXT, special=True) == [end]
    assert toy.encode(f"{END_OF_TEXT}a{END_OF_TEXT}", special=True) == [end, *toy.encode("a"), end]
    assert toy.encode("<|endoftext", special=True) == toy.encode("<|endoftext")


def test_words_do_not_reach_over_an_end_of_text(toy: Tokenizer) -> None:
    """What follows is encoded as a text of its own: the space before the token stays a space."""
    end = toy.end_of_text
    assert toy.encode(f"a  {END_OF_TEXT}", special=True) == [*toy.encode("a  "), end]


# -- Ids and texts that are none ---------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, 277, 10**30, np.int64(-1), np.int32(277), float("nan")])
def test_an_id_outside_the_vocabulary_is_refused(toy: Tokenizer, wrong: int) -> None:
    assert toy.n_vocab == 277
    with pytest.raises(OptionError, match=r"between 0 and 276, got .*tokenizer\?"):
        toy.decode([0, wrong])


@pytest.mark.parametrize("wrong", ["12", [1.0], 7, None, [None], [[1, 2]], np.zeros((2, 2), int)])
def test_what_are_no_ids_is_refused(toy: Tokenizer, wrong: object) -> None:
    with pytest.raises(OptionError, match="whole numbers"):
        toy.decode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [b"hello", None, 7, ["hello"]])
def test_what_is_no_text_is_refused(toy: Tokenizer, wrong: object) -> None:
    with pytest.raises(OptionError, match=f"only text.*got {type(wrong).__name__}"):
        toy.encode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_numpy_ids_decode(toy: Tokenizer, dtype: type) -> None:
    ids = np.array(toy.encode("hello world"), dtype)
    assert toy.decode(ids) == "hello world"
    assert toy.decode(index for index in ids) == "hello world"
    assert toy.decode([]) == ""


@pytest.mark.parametrize("text", ["\ud800", "before \udfff after", "x\udc80" * 30])
def test_a_lone_surrogate_is_refused(toy: Tokenizer, text: str) -> None:
    with pytest.raises(DatasetError, match=r"lone surrogate, '\\ud[0-9a-f]{3}'") as caught:
        toy.encode(text)
    str(caught.value).encode("utf-8")  # can be printed
    assert toy.encode("hello") == [toy.vocabulary["hello"]]  # and it goes on working


def test_half_a_character_shows_as_the_replacement_character(toy: Tokenizer) -> None:
    whole = toy.encode("hello 日")
    assert toy.decode(whole[:-1]) == "hello \ufffd"
    assert toy.decode(whole[:-2]) == "hello \ufffd"
    assert toy.decode(whole[-1:]) == "\ufffd"
    assert toy.decode_bytes(whole[:-1]) + toy.decode_bytes(whole[-1:]) == "hello 日".encode()


# -- The memo ----------------------------------------------------------------------------------


def test_the_memo_stays_bounded(toy: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED_WORDS", 500)
    text = " ".join(map("".join, itertools.product("abcdefghijklmnopqrst", repeat=3)))
    fresh = Tokenizer(toy.vocabulary, MERGES)
    before = len(pickle.dumps(fresh))
    first = fresh.encode(text)  # in one call, and in many
    assert len(pickle.dumps(fresh)) - before < 40_000
    for start in range(0, len(text), 1000):
        fresh.encode(text[start : start + 1000])
    assert len(pickle.dumps(fresh)) - before < 40_000
    assert fresh.encode(text) == first == toy.encode(text)


def test_huge_words_are_not_kept(toy: Tokenizer) -> None:
    fresh = Tokenizer(toy.vocabulary, MERGES)
    before = len(pickle.dumps(fresh))
    assert fresh.decode(fresh.encode("ab" * 50_000)) == "ab" * 50_000
    assert len(pickle.dumps(fresh)) - before < 1000


def test_what_is_given_back_is_the_callers_own(toy: Tokenizer) -> None:
    ids = toy.encode("hello")
    ids.append(0)
    assert toy.encode("hello") == ids[:-1]


# -- Files -------------------------------------------------------------------------------------


def test_save_and_load(toy: Tokenizer, tmp_path: Path) -> None:
    toy.save(tmp_path)
    again = Tokenizer.load(str(tmp_path))
    assert again.vocabulary == toy.vocabulary
    assert again.end_of_text == toy.end_of_text
    text = "hello world, aaaab é 😀"
    assert again.encode(text) == toy.encode(text)
    again.save(tmp_path)
    assert Tokenizer.load(tmp_path).encode(text) == toy.encode(text)


def test_gpt2s_merges_are_saved_as_they_were(
    openai: Tokenizer, openai_folder: Path, tmp_path: Path
) -> None:
    openai.save(tmp_path)
    assert (tmp_path / "vocab.bpe").read_bytes() == (openai_folder / "vocab.bpe").read_bytes()
    saved, original = (folder / "encoder.json" for folder in (tmp_path, openai_folder))
    assert json.loads(saved.read_bytes()) == json.loads(original.read_bytes())


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", "#version: 0.2\n"])
def test_other_programs_merge_files_load(
    toy: Tokenizer, tmp_path: Path, head: str, ending: str
) -> None:
    """With and without the version line or a last line end, and with those of Windows."""
    toy.save(tmp_path)
    lines = head + "\n".join(" ".join(pair) for pair in MERGES)
    (tmp_path / "vocab.bpe").write_bytes(lines.replace("\n", ending).encode())
    text = "hello world's aaaa"
    assert Tokenizer.load(tmp_path).encode(text) == toy.encode(text)


@pytest.mark.parametrize("name", ["encoder.json", "vocab.bpe"])
def test_a_missing_file_is_named(toy: Tokenizer, tmp_path: Path, name: str) -> None:
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
        (b"[]", "whole numbers"),
        (b'{"a": "0"}', "whole numbers"),
        (b'{"a": 0.0}', "whole numbers"),
        (b'{"a": true}', "whole numbers"),
        (b"{}", "lacks a piece for the byte"),
        (b'{"a": 0, "b": 1}', "lacks a piece for the byte 0"),
        (b'{"a": 1, "b": 2}', "0, 1, 2 and on, each once"),
        (b'{"a": 0, "b": 0}', "0, 1, 2 and on, each once"),
        (b'{"a": 0, "b": -1}', "0, 1, 2 and on, each once"),
        (b'{"a": 0, "b": 1000000000000000}', "0, 1, 2 and on, each once"),
    ],
)
def test_an_unfit_vocabulary_is_refused(
    toy: Tokenizer, tmp_path: Path, content: bytes, message: str
) -> None:
    toy.save(tmp_path)
    (tmp_path / "encoder.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_piece_that_is_no_text_is_refused(tmp_path: Path) -> None:
    pieces = [*bytes_to_unicode().values(), "\ud800"]
    with pytest.raises(CheckpointError, match="lone surrogate"):
        Tokenizer({piece: index for index, piece in enumerate(pieces)}, [])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("h e\nl x\n", r"merge 2, 'l' \+ 'x', needs the piece 'lx'"),
        ("#version: 0.2\nzz e\n", "merge 1.*needs the piece 'zz'"),
        ("he\n", "merge 1 is not two pieces: 'he'"),
        ("h e\n e\n", "merge 2 is not two pieces"),
        ("h e l\n", "needs the piece 'e l'"),
        ("<!DOCTYPE html>\n", "needs the piece"),
    ],
)
def test_merges_that_do_not_fit_are_refused(
    toy: Tokenizer, tmp_path: Path, lines: str, message: str
) -> None:
    toy.save(tmp_path)
    (tmp_path / "vocab.bpe").write_text(lines, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message) as caught:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_byte_characters_are_256_printable_ones() -> None:
    table = bytes_to_unicode()
    assert sorted(table) == list(range(256))
    assert len(set(table.values())) == 256
    assert all(character.isprintable() and character != " " for character in table.values())
    assert [table[byte] for byte in (0, 10, 32, 127, 160, 173)] == ["Ā", "Ċ", "Ġ", "ġ", "ł", "Ń"]
