"""Datasets: the ids of files, their description, and the memory that reading needs."""

from __future__ import annotations

import csv
import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.config import BUNDLED_FOLDER, DatasetConfig
from gpt2_helpers.data import dataset as module
from gpt2_helpers.data.dataset import (
    Dataset,
    iter_load,
    load_dataset,
    sample_tokens,
    train_validation_split,
)
from gpt2_helpers.data.vocabulary_fit import POOR_FIT
from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.system.files import CopyProgress
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
from paths import ROOT
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
END = TOKENIZER.end_of_text
LEGACY = DatasetConfig(legacy_tokens=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def decoded(dataset: Dataset) -> str:
    return TOKENIZER.decode(dataset.tokens.tolist())


# -- Text files


def test_a_text_file_is_encoded(tmp_path: Path) -> None:
    text = "What is the best thing?\n" * 100
    dataset = load_dataset(str(write(tmp_path / "a.txt", text)), TOKENIZER)
    assert dataset.tokens.tolist() == TOKENIZER.encode(text)
    assert dataset.tokens.dtype == np.uint16
    assert (dataset.documents, dataset.characters) == (1, len(text))
    assert dataset.sources == (str(tmp_path / "a.txt"),)
    assert dataset.notes == ()


def test_end_of_text_is_one_id_and_several_with_legacy_tokens(tmp_path: Path) -> None:
    text = f"one{END_OF_TEXT}two{END_OF_TEXT}\nthree"
    path = write(tmp_path / "a.txt", text)
    dataset = load_dataset(path, TOKENIZER)
    assert dataset.tokens.tolist() == TOKENIZER.encode(text, special=True)
    assert dataset.tokens.tolist().count(END) == 2
    old = load_dataset(path, TOKENIZER, LEGACY)
    assert old.tokens.tolist() == TOKENIZER.encode(text)
    assert END not in old.tokens
    assert decoded(dataset) == decoded(old) == text
    assert dataset.documents == old.documents == 3


def test_an_end_of_text_separates_the_files_of_a_folder_or_glob(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "two")
    write(tmp_path / "a.txt", "one")
    write(tmp_path / "sub" / "c.md", "three")
    for path in (tmp_path, tmp_path / "**" / "*.*"):
        dataset = load_dataset(path, TOKENIZER)
        expected = "one<|endoftext|>two<|endoftext|>three"
        assert dataset.tokens.tolist() == TOKENIZER.encode(expected, special=True)
        assert dataset.documents == 3
        assert [Path(source).name for source in dataset.sources] == ["a.txt", "b.txt", "c.md"]
    old = load_dataset(tmp_path, TOKENIZER, LEGACY)
    assert old.tokens.tolist() == TOKENIZER.encode(expected)


def test_the_encoding_is_in_the_notes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Grüße aus Köln".encode("latin-1"))
    dataset = load_dataset(tmp_path / "a.txt", TOKENIZER)
    assert decoded(dataset) == "Grüße aus Köln"
    assert "read as Latin-1" in "; ".join(dataset.notes)
    assert dataset.describe(1024)[0] == dataset.notes[0]


def test_two_tokens_are_enough(tmp_path: Path) -> None:
    dataset = load_dataset(write(tmp_path / "a.txt", "xy"), TOKENIZER)
    assert dataset.tokens.tolist() == TOKENIZER.encode("xy")


@given(
    text=st.text(
        st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), min_size=2
    )
)
def test_decoding_gives_the_text_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write(tmp_path_factory.getbasetemp() / "a.txt", "x" + text + ".")
    dataset = load_dataset(path, TOKENIZER)
    assert decoded(dataset) == "x" + text + "."


# -- Tables


def test_rows_are_documents_between_markers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'title\n"one, two"\nthree\n')
    dataset = load_dataset(path, TOKENIZER)
    expected = "<|startoftext|>one, two<|endoftext|>\n<|startoftext|>three<|endoftext|>\n"
    assert dataset.tokens.tolist() == TOKENIZER.encode(expected, special=True)
    assert dataset.tokens.tolist().count(END) == 2
    assert (dataset.documents, dataset.characters) == (2, len(expected))
    assert "read as the header" in dataset.notes[0]
    old = load_dataset(path, TOKENIZER, LEGACY)
    assert old.tokens.tolist() == TOKENIZER.encode(expected)


def test_a_column_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "id\ttitle\n1\tone\n2\ttwo\n")
    dataset = load_dataset(path, TOKENIZER, DatasetConfig(column="title"))
    assert decoded(dataset) == "<|startoftext|>one<|endoftext|>\n<|startoftext|>two<|endoftext|>\n"
    with pytest.raises(DatasetError, match=r"2 columns \(id, title\)"):
        load_dataset(path, TOKENIZER)
    path = write(tmp_path / "a.txt", "one")
    with pytest.raises(OptionError, match=r"no table \(\.csv, \.tsv\), JSON or Parquet file"):
        load_dataset(path, TOKENIZER, DatasetConfig(column="title"))


CELLS = st.text(
    st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), min_size=1
)
ROWS = CELLS | st.sampled_from(['"', '""', ",", "\n", 'a "b" c', "a,b", " x ", "\u2028", "é;\t"])


@given(rows=st.lists(ROWS.filter(str.strip), min_size=1))
def test_the_rows_of_the_csv_module_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([row] for row in rows)])
    dataset = load_dataset(path, TOKENIZER)
    assert decoded(dataset) == "".join(f"{START_OF_TEXT}{row}{END_OF_TEXT}\n" for row in rows)


# -- Token files


def test_archives_of_gpt_2_simple_are_read(tmp_path: Path) -> None:
    chunks = [np.array(TOKENIZER.encode(text)) for text in ("What is", " the best", " thing?")]
    np.savez_compressed(tmp_path / "a.npz", *chunks)
    dataset = load_dataset(tmp_path / "a.npz", TOKENIZER)
    assert decoded(dataset) == "What is the best thing?"
    assert dataset.tokens.dtype == np.uint16
    assert (dataset.documents, dataset.characters) == (1, 0)
    assert "characters" not in " ".join(dataset.describe(1024))


def test_archives_of_another_tokenizer_are_an_error(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", np.array([1, 2, 50256]))
    with pytest.raises(DatasetError, match="up to 50256.*another model's tokenizer"):
        load_dataset(tmp_path / "a.npz", TOKENIZER)


def test_archives_and_texts_can_be_mixed(tmp_path: Path) -> None:
    for name, text in (("b.npz", "bb"), ("c.npz", "cc<|endoftext|>")):
        np.savez(tmp_path / name, np.array(TOKENIZER.encode(text, special=True)))
    write(tmp_path / "a.txt", "aa")
    write(tmp_path / "d.csv", "text\ndd\n")
    write(tmp_path / "e.txt", "ee")
    dataset = load_dataset(tmp_path, TOKENIZER)
    expected = "aa<|endoftext|>bb<|endoftext|>cc<|endoftext|>"
    expected += "<|startoftext|>dd<|endoftext|>\nee"
    assert dataset.tokens.tolist() == TOKENIZER.encode(expected, special=True)
    assert (dataset.documents, dataset.characters) == (5, 0)
    old = load_dataset(tmp_path / "[ab].*", TOKENIZER, LEGACY)
    assert old.tokens.tolist() == TOKENIZER.encode("aa<|endoftext|>") + TOKENIZER.encode("bb")


# -- Errors


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "contains no text to train on ({path}: empty)"),
        ("a.txt", b"\xef\xbb\xbf", "contains no text to train on ({path}: empty)"),
        ("a.txt", b" \n\n\t", "contains no text to train on"),
        ("a.txt", b"<|endoftext|>\n<|endoftext|>", "contains no text to train on"),
        ("a.txt", b"x", "contains a single token"),
        ("a.csv", b"", "contains no text to train on ({path}: no rows)"),
        ("a.csv", b"title\n", "a header but no texts"),
        ("a.csv", b"title\n\n \n", "a header but no texts"),
        ("a.csv", b'title\n"never closed\n', "line 2: a quote in this row is never closed"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a PNG image"),
        ("a.txt", "é\né\né\n".encode() + b"\xff\n", "line 4: 0xff"),
        ("a.npz", b"PK\5\6" + b"\0" * 18, "contains no text to train on"),
    ],
)
def test_unusable_files_are_an_error_of_one_line(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=re.escape(message.format(path=path))) as caught:
        load_dataset(path, TOKENIZER)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_of_images_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "story.txt", "text")
    with pytest.raises(DatasetError, match=r"does not exist.*did you mean 'story.txt'"):
        load_dataset(tmp_path / "stori.txt", TOKENIZER)
    with pytest.raises(DatasetError, match="matches no files"):
        load_dataset(tmp_path / "*.md", TOKENIZER)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        (images / f"{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    with pytest.raises(DatasetError, match=r"0\.jpg is a JPEG image"):
        load_dataset(images, TOKENIZER)


# -- Descriptions


def dataset_of(count: int, characters: int = 0, documents: int = 1) -> Dataset:
    return Dataset(np.zeros(count, np.uint16), documents, characters)


def test_the_amounts_are_described() -> None:
    first, *others = dataset_of(2_000, 8_000, 30).describe(n_ctx=1024)
    assert first == "30 documents, 2,000 tokens, 8,000 characters: 0.25 tokens per character"
    assert others == []


@pytest.mark.parametrize(
    ("per_step", "steps", "message"),
    [
        (5_120, 100, "100 steps of 5,120 tokens: the data is seen 51 times"),
        (1_000, 1, "1 step of 1,000 tokens: 10% of the data is seen"),
        (1_000, 10, "10 steps of 1,000 tokens: the data is seen once"),
        (1_000, 25, "25 steps of 1,000 tokens: the data is seen 2.5 times"),
        (1_000, -1, "the data is seen once in 10 steps"),
        (1_000, None, "the data is seen once in 10 steps"),
        (50_000, 0, "the data is seen once in 1 step"),
    ],
)
def test_the_number_of_epochs_is_described(per_step: int, steps: int | None, message: str) -> None:
    assert dataset_of(10_000).describe(1024, per_step, steps)[-1] == message


def test_data_shorter_than_the_context_is_mentioned() -> None:
    assert "shorter than the model's context of 1,024 tokens" in " ".join(
        dataset_of(900).describe(1024)
    )
    assert "shorter" not in " ".join(dataset_of(1025).describe(1024))


SAMPLES = {
    "English": ("To begin my life with the beginning of my life, I record that I was born.", True),
    "titles": ("<|startoftext|>Why is it so?<|endoftext|>\n", True),
    "code": ("def seen(self, count: int) -> float:\n    return self.steps / count\n", True),
    "German": ("Alle glücklichen Familien gleichen einander, jede unglückliche ist anders.", True),
    "Russian": ("Все счастливые семьи похожи друг на друга, каждая несчастливая по-своему.", False),
    "Japanese": ("幸福な家庭はどれも似たものだが、不幸な家庭は不幸なものである。", False),
    "Greek": ("Όλες οι ευτυχισμένες οικογένειες μοιάζουν μεταξύ τους.", False),
    "Russian titles": ("<|startoftext|>Почему небо голубое?<|endoftext|>\n", False),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_a_poorly_fitting_vocabulary_gives_a_warning(
    tmp_path: Path, shared: Path, name: str
) -> None:
    text, fits = SAMPLES[name]
    tokenizer = Tokenizer.load(shared / "gpt2-vocab")
    dataset = load_dataset(write(tmp_path / "a.txt", text * 100), tokenizer)
    warnings = [line for line in dataset.describe(10) if line.startswith("Warning")]
    assert bool(warnings) is not fits
    assert fits or "poor fit for the language" in warnings[0]


CHAT = "[12/03/21, 14:05:33] Anna: ok 😂😂😂\n[12/03/21, 14:05:41] Ben: 👍👍 https://x.co/a9F3b\n"
LOG = "id=184467 ts=1669800000.25 xy=[0.125, -3.75] ok=true n=null\n"
NOTE = "much of the text is digits, symbols or markup"


@pytest.mark.parametrize("text", [CHAT, LOG, "!?* -- 3.14159 {{}} " * 3])
@pytest.mark.parametrize("vocabulary", ["gpt2", "tiny"])
def test_text_with_few_words_is_not_taken_for_another_language(
    tmp_path: Path, shared: Path, text: str, vocabulary: str
) -> None:
    folder = shared / "gpt2-vocab" if vocabulary == "gpt2" else BUNDLED_FOLDER
    dataset = load_dataset(write(tmp_path / "a.txt", text * 100), Tokenizer.load(folder))
    said = " ".join(dataset.describe(10))
    assert "Warning" not in said
    rate = len(dataset.tokens) / dataset.characters
    assert (NOTE in said) == (rate > POOR_FIT and dataset.word_rate > 0)


@pytest.mark.parametrize("text", ["日本語", "abc", "Да!"])
def test_a_few_characters_say_nothing_about_the_language(tmp_path: Path, text: str) -> None:
    dataset = load_dataset(write(tmp_path / "a.txt", text), Tokenizer.load(BUNDLED_FOLDER))
    assert len(dataset.describe(10_000)) == 2  # the amounts, and that it is short


# -- Validation


def numbers(dataset: Dataset) -> list[int]:
    return [int(line) for line in decoded(dataset).replace(END_OF_TEXT, "\n").split()]


def test_the_split_is_at_the_end_of_a_document(tmp_path: Path) -> None:
    text = END_OF_TEXT.join(str(number) for number in range(1000, 1200))
    dataset = load_dataset(write(tmp_path / "a.txt", text), TOKENIZER)
    train, validation = train_validation_split(dataset, 0.1)
    assert numbers(train) + numbers(validation) == list(range(1000, 1200))
    assert train.tokens[-1] == END
    assert abs(len(validation.tokens) - 0.1 * len(dataset.tokens)) <= 3
    assert train.documents == len(numbers(train))
    assert validation.documents == len(numbers(validation))
    assert train.characters + validation.characters == dataset.characters
    assert validation.tokens.dtype == dataset.tokens.dtype


def test_the_documents_of_both_parts_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"{number}\n" for number in range(1000, 1100))
    dataset = load_dataset(write(tmp_path / "a.csv", "text\n" + rows), TOKENIZER)
    train, validation = train_validation_split(dataset, 0.2)
    assert (train.documents, validation.documents) == (80, 20)


def test_the_split_is_exact_without_a_nearby_end_of_a_document(tmp_path: Path) -> None:
    text = "x" * 10 + END_OF_TEXT + "x" * 989
    dataset = load_dataset(write(tmp_path / "a.txt", text), TOKENIZER)
    train, validation = train_validation_split(dataset, 0.25)
    assert (len(train.tokens), len(validation.tokens)) == (750, 250)
    old = load_dataset(tmp_path / "a.txt", TOKENIZER, LEGACY)
    train, validation = train_validation_split(old, 0.5)
    assert len(train.tokens) == len(old.tokens) // 2
    assert min(train.documents, validation.documents) >= 1


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_fraction_must_be_between_0_and_1(fraction: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        train_validation_split(dataset_of(1000), fraction)


@pytest.mark.parametrize(("count", "fraction"), [(3, 0.5), (2, 0.5), (100, 0.01), (100, 0.995)])
def test_too_few_tokens_to_split_are_an_error(count: int, fraction: float) -> None:
    with pytest.raises(DatasetError, match="too few"):
        train_validation_split(dataset_of(count), fraction)


@given(ends=st.lists(st.booleans(), min_size=4, max_size=60), fraction=st.floats(0.01, 0.99))
def test_a_split_keeps_all_tokens(ends: list[bool], fraction: float) -> None:
    tokens = np.where(ends, 7, 1).astype(np.uint16)
    try:
        train, validation = train_validation_split(Dataset(tokens, 1, 0, end_of_text=7), fraction)
    except DatasetError:
        return
    assert [*train.tokens, *validation.tokens] == tokens.tolist()
    assert min(len(train.tokens), len(validation.tokens)) >= 2


# -- Processes, progress and memory


@pytest.mark.parametrize("fast_bytes", [1, 1 << 60])
def test_the_ids_do_not_depend_on_processes_or_combine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast_bytes: int
) -> None:
    for number in range(4):
        lines = (f"What would {n} people have\n\n to say of {number}?" for n in range(1000))
        write(tmp_path / f"{number}.txt", " ".join(lines))
    write(tmp_path / "9.csv", "text\n" + "".join(f'"row\n{n}"\n' for n in range(3000)))
    expected = load_dataset(tmp_path, TOKENIZER, processes=1)
    monkeypatch.setattr(module, "_FAST_BYTES", fast_bytes)  # with tiktoken or without
    for processes, combine in ((1, 1), (2, 5000), (3, 10**9)):
        config = DatasetConfig(combine=combine)
        dataset = load_dataset(tmp_path, TOKENIZER, config, processes=processes)
        assert np.array_equal(dataset.tokens, expected.tokens)
        assert dataset.describe(1024) == expected.describe(1024)
    with pytest.raises(OptionError, match="processes must be at least 1, got 0"):
        load_dataset(tmp_path, TOKENIZER, processes=0)


def test_progress_is_reported_in_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "\ufeff" + "the best thing é\n" * 100_000)
    progress = list(iter_load(path, TOKENIZER))
    size = path.stat().st_size
    assert progress[-1] == CopyProgress(size, size)
    assert progress == sorted(progress)
    assert len(set(progress)) > 1


def test_the_ids_can_be_cached_in_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "the best thing")
    cache = tmp_path / "ids.npy"
    dataset = load_dataset(path, TOKENIZER, cache=cache)
    assert np.load(cache).tolist() == dataset.tokens.tolist() == TOKENIZER.encode("the best thing")
    assert load_dataset(cache, TOKENIZER).tokens.tolist() == dataset.tokens.tolist()
    with pytest.raises(DatasetError):
        load_dataset(write(tmp_path / "b.txt", ""), TOKENIZER, cache=cache)
    assert np.load(cache).tolist() == dataset.tokens.tolist()


_MEASURE = """
import sys
from pathlib import Path
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.tokenizer import Tokenizer

def peak():  # not ru_maxrss, which starts with that of the parent process
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024

folder = Path(sys.argv[1])
tokenizer = Tokenizer.load(folder)
for name in ("small.txt", "small.npz"):
    load_dataset(folder / name, tokenizer)
before = peak()
for name in ("large.txt", "large.npz"):
    print(len(load_dataset(folder / name, tokenizer, processes=1).tokens))
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_large_data_needs_no_more_memory_than_small_data(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path)
    # Long words that repeat, which the tokenizer has cached, so that encoding is fast.
    words = [word * (40 // len(word)) for word in ("the", "best", "people", "have", "thing", "of")]
    random.seed(1)
    line = " ".join(random.choices([*words, "line.\n"], k=3_000))
    write(tmp_path / "small.txt", line * 10)  # large enough to use tiktoken
    with (tmp_path / "large.txt").open("w") as file:
        for _ in itertools.repeat(None, 30_000_000 // len(line)):
            file.write(line)
    np.savez_compressed(tmp_path / "small.npz", np.arange(1000) % 300)
    np.savez_compressed(tmp_path / "large.npz", np.arange(8_000_000) % 300)  # 64 MB
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _MEASURE, str(tmp_path)]
    output = subprocess.check_output(command, env=environment, text=True, timeout=300)
    text_count, archive_count, growth = map(int, output.split())
    assert text_count > 7_000_000
    assert archive_count == 8_000_000
    assert growth < 20_000_000, f"{growth:,} bytes more for a text of 30 MB, or ids of 64 MB"


def test_random_bytes_raise_only_our_errors(tmp_path: Path) -> None:
    random.seed(2)
    for number in range(200):
        length = random.randrange(1, 60)
        data = (
            random.randbytes(length)
            if number % 2
            else bytes(random.choices(b'a,"\n\r\xe9', k=length))
        )
        for name in ("a.txt", "a.csv", "a.npz", "a.npy"):
            (tmp_path / name).write_bytes(data)
            message = ""
            try:
                load_dataset(tmp_path / name, TOKENIZER)
            except Gpt2Error as error:
                message = str(error)
            assert "\n" not in message


def test_datasets_are_told_apart_by_some_of_their_tokens() -> None:
    tokens = np.arange(300_000, dtype=np.int32)
    first = sample_tokens(Dataset(tokens, 1, 0))
    assert first == sample_tokens(Dataset(tokens.astype(np.int64), 2, 5))
    assert first != sample_tokens(Dataset(tokens[:-1], 1, 0))
    assert first != sample_tokens(Dataset(np.append(tokens[:-1], 7), 1, 0))
    assert sample_tokens(Dataset(tokens[:2], 1, 0)) != sample_tokens(Dataset(tokens[1:3], 1, 0))
