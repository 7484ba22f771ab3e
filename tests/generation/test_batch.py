"""A batch of sequences: how texts end, when they are generated again, and prefill in chunks."""

from __future__ import annotations

import pytest

from gpt2_helpers.generation.batch import BLANK_RETRIES, ContinuousBatch, Sequence
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.tokenizer import END_OF_TEXT
from scripted import (
    END,
    TOKENIZER,
    context_sensitive_toy,
    ids_of,
    options,
    result_of,
    results_of,
    scripted,
    text_of,
)

# The end token as gpt-2-simple trains it: seven ids of GPT-2, here more.
PLAIN_END = TOKENIZER.encode(END_OF_TEXT)


# --- The end of a text


def test_the_end_of_text_token_ends_a_text_and_is_not_shown() -> None:
    script = scripted(ids_of("What is it?") + [END])
    result = result_of(script)
    assert (result.text, result.finish_reason) == ("What is it?", "stop")
    assert result.n_tokens == len(ids_of("What is it?")) + 1


def test_the_plain_characters_of_the_end_of_text_token_end_a_text() -> None:
    assert END not in PLAIN_END
    script = scripted(ids_of("What is it?") + PLAIN_END)
    result = result_of(script)
    assert (result.text, result.finish_reason) == ("What is it?", "stop")
    assert script.steps == len(ids_of("What is it?")) + len(PLAIN_END)


def test_length_ends_a_text() -> None:
    script = scripted("abcdefgh")
    result = result_of(script, length=5)
    assert (result.text, result.finish_reason, result.n_tokens) == ("abcde", "length", 5)


def test_length_includes_the_prefix() -> None:
    script = scripted("defgh")
    result = result_of(script, "abc", length=5)
    assert (result.text, result.n_tokens, result.prompt) == ("abcde", 2, "abc")


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        ("one. two. three", "one"),
        ("one", "one" + "x" * 17),  # it does not occur
        (b"one." + bytes([END_OF_TEXT.encode()[0]]), "one"),
        ("one\n. two", "one\n"),
    ],
)
def test_truncate_ends_a_text_at_its_first_occurrence(generated: str, text: str) -> None:
    script = scripted(generated)
    assert text_of(script, truncate=".", length=20) == text


def test_truncate_is_found_across_tokens_and_within_one() -> None:
    script = scripted(b"What the person", "What the")
    assert text_of(script, truncate="the p") == "What "
    assert script.steps == len("What the p")
    assert len(ids_of("What the")) == 2
    assert text_of(script, truncate="th") == "What "


def test_text_that_almost_equals_truncate_is_shown() -> None:
    script = scripted(b"aab aaab aaaa!" + bytes([33]))
    assert text_of(script, truncate="aaaa!") == "aab aaab "
    script = scripted([*b"ab<|endof", END])
    assert text_of(script, truncate="abc") == "ab<|endof"


def test_the_first_of_two_stop_strings_ends_a_text() -> None:
    script = scripted("one, two" + "<|end" + "oftext|>, three")
    assert text_of(script, truncate=", ") == "one"
    script = scripted([*b"one<|endoftext|>two. three"])
    assert text_of(script, truncate=". ") == "one"
    script = scripted([*b"one<|endoftext|>"])  # both are complete at once
    assert text_of(script, truncate="t|>") == "one"


def test_truncate_in_non_latin_script() -> None:
    script = scripted("日本。です".encode())
    assert text_of(script, truncate="。") == "日本"


def test_truncate_in_the_prefix_is_ignored() -> None:
    script = scripted("no. yes", "no. yes")
    assert text_of(script, "Mr. X: ", truncate=".") == "Mr. X: no"
    assert text_of(script, "Mr. X: ", truncate=".", include_prefix=False) == "no"


def test_truncate_with_an_invalid_character_never_occurs() -> None:
    script = scripted(b"what? why?")
    assert text_of(script, truncate="\ud800", length=10) == "what? why?"


# --- Blank texts


def test_a_blank_text_is_generated_again() -> None:
    script = scripted([END], ids_of("\n \n") + [END], ids_of(".b"), ids_of("Yes.") + [END])
    assert text_of(script, truncate=".") == "Yes"


def test_the_prefix_does_not_count_as_text() -> None:
    script = scripted([END], ids_of(" no") + [END])
    assert text_of(script, "Say:") == "Say: no"
    assert script.prefilled == [tuple(ids_of("Say"))] * 2


def test_retries_are_limited() -> None:
    script = scripted(*[[END]] * 100)
    result = result_of(script, "Say:")
    assert (result.text, result.finish_reason) == ("Say:", "stop")
    assert script.steps == 1 + BLANK_RETRIES
    # Greedy sampling would give the same text again.
    script = scripted(*[[END]] * 100)
    assert text_of(script, temperature=0.0) == ""
    assert script.steps == 1


def test_a_blank_text_of_full_length_is_not_generated_again() -> None:
    script = scripted("   ")
    assert text_of(script, length=3) == "   "
    assert script.steps == 3


# --- Prefill


@pytest.fixture(scope="module")
def toy() -> DecoderPool:
    return context_sensitive_toy()


@pytest.mark.filterwarnings("ignore:the prefix has")
def test_the_start_of_a_prompt_that_does_not_fit_the_context_is_counted(toy: DecoderPool) -> None:
    n_ctx = toy.model.config.n_ctx
    long = TOKENIZER.decode(TOKENIZER.encode("What is it? " * n_ctx)[: n_ctx + 3])
    results = results_of(toy, ["What", long], length=n_ctx + 5)
    assert [result.ignored_tokens for result in results] == [0, n_ctx + 3 - n_ctx // 2]


def test_a_long_prompt_is_prefilled_between_the_steps_of_other_sequences(toy: DecoderPool) -> None:
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
