"""Where sentences end, and texts that end at one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.generation.result import FinishReason
from gpt2_helpers.generation.sentences import SentenceFinisher, ends_sentence, sentence_ends
from scripted import END, chunks_of, ids_of, result_of, scripted


def sentences(text: str) -> list[str]:
    """The text cut at its sentence ends."""
    ends = [0, *sentence_ends(text), len(text)]
    return [text[start:end].strip() for start, end in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize(
    "text",
    [
        "It was late. | She was tired! | Was she? | No",
        '"Come in," she said. | "Sit down. It is late." | He sat',
        '"Oh!" said he. | "Is it you?" she asked. | They',
        "Dr. J. R. Smith met Mrs. Hope at St. Mary's. | He",
        "It cost 3.50 or so... or more... | She paid",
        "What?! | Nothing… | Then",
        "The end (or so he said. It was not). | Then",
        "He said: “I am here. You are not.” | She",
        "„Komm her. Setz dich.“ | Er kam. | Sie",
        "« Viens. » | Il vint. | Elle",
        "今日は晴れ。 | 明日は「雨。」 | さて",
        "क्या हुआ? | कुछ नहीं। | फिर",
        "It was I. | She knew. | He",
    ],
)
def test_sentence_ends(text: str) -> None:
    expected = text.split(" | ")
    joined = "".join(expected) if "。" in text else " ".join(expected)
    assert sentences(joined) == expected


def test_a_line_ends_a_sentence_even_inside_quotes() -> None:
    text = '"I shall tell you a story.\n\n"It was late'
    assert [text[:end] for end in sentence_ends(text)] == ['"I shall tell you a story.']
    assert sentence_ends("A title without a full stop\nThe text") == []


def test_the_number_of_a_list_item_is_no_sentence() -> None:
    assert sentences("1. Eggs.\n2. Milk") == ["1. Eggs.", "2. Milk"]


def test_the_end_of_a_text() -> None:
    assert ends_sentence("He sat down. ")
    assert ends_sentence('He said, "No."')
    assert not ends_sentence("He sat")
    assert not ends_sentence("He met Mr.")
    assert not ends_sentence('He said, "No.')


def finish(
    *tokens: str, prompt: str = "", shown: str = "", limit: int = 0
) -> tuple[list[str], FinishReason | None]:
    """What is passed on after each token, and why the text ended."""
    limit = limit or len(tokens)
    finisher, found, reason = SentenceFinisher(prompt, shown, limit), [], None
    for count, token in enumerate(tokens, start=1):
        segment, reason = finisher.add(token, count, "length" if count == limit else None)
        found.append(segment)
        if reason is not None:
            break
    assert finisher.text == "".join(found)
    return found, reason


WORDS = ["He", " was", " here", ".", " She", " was", " not", " there", ".", " It", " was", " late"]


def test_an_unfinished_sentence_is_dropped() -> None:
    tokens = [*WORDS[:8], " yet", " and", " would", " not"]
    passed, reason = finish(*tokens)
    assert (passed, reason) == ([*WORDS[:4], *[""] * 8], "sentence")


def test_the_first_sentence_that_ends_close_to_the_limit_is_the_last() -> None:
    passed, reason = finish(*WORDS)
    assert "".join(passed) == "He was here. She was not there."
    assert (len(passed), reason) == (10, "sentence")


def test_text_far_from_the_limit_is_passed_on_at_once() -> None:
    passed, reason = finish(*WORDS, limit=1000)
    assert (passed, reason) == (WORDS, None)


def test_a_text_without_a_sentence_end_is_cut_at_the_limit() -> None:
    assert finish(*WORDS[:3]) == (WORDS[:3], "length")


def test_a_sentence_that_ends_at_the_limit_is_complete() -> None:
    assert finish(*WORDS[:4]) == (WORDS[:4], "sentence")


def test_quotes_that_close_after_the_full_stop_belong_to_the_sentence() -> None:
    passed, _ = finish('"', "I", " am", ".", '"', " He", " sat", limit=12)
    assert passed == ['"', "I", " am", ".", '"', "", ""]


def test_a_possible_end_is_held_back_until_the_next_word() -> None:
    passed, _ = finish("He", " said", ":", ' "', "Oh", "!", '"', " and", " left", limit=10)
    assert passed == ["He", " said", ":", ' "', "Oh", "!", '"', " and", " left"]


@pytest.mark.parametrize("shown", ["He was here.", ""])
def test_the_end_of_the_prompt_is_no_end(shown: str) -> None:
    first = shown + " She"
    passed, reason = finish(first, " sat", " down", prompt="He was here.", shown=shown)
    assert (passed, reason) == ([first, " sat", " down"], "length")


def test_an_open_quotation_mark_of_the_prompt_is_noticed() -> None:
    passed, _ = finish("Yes", ".", " No", ".", '"', " He", prompt='"Well? ', limit=12)
    assert passed == ["Yes", ".", " No", ".", '"', ""]


@given(
    st.lists(st.sampled_from([*WORDS, "\n", '"', "?", " Mr.", " a", "。", "é"]), max_size=60),
    st.integers(1, 70),
)
def test_a_text_is_the_start_of_what_was_generated(tokens: list[str], limit: int) -> None:
    passed, reason = finish(*tokens, limit=limit)
    text = "".join(passed)
    assert "".join(tokens).startswith(text)
    if reason == "sentence":
        assert text
        assert text.rstrip()[-1] in '.?。"'
    if reason == "length":
        assert text == "".join(tokens[:limit])


# --- In a batch


def test_a_generated_text_ends_at_a_sentence() -> None:
    generated = "What is it? It is the best thing of them"
    length = len(ids_of(generated))
    for prompt in ("", "Q. ", "\nQ.\n"):
        script = scripted(generated)
        limit = length + len(ids_of(prompt))
        result = result_of(script, prompt, length=limit, finish_sentence=True)
        assert result.text == f"{prompt}What is it?".lstrip("\n")
        assert result.finish_reason == "sentence"
    without = result_of(scripted(generated), "Q. ", include_prefix=False, length=length + 3,
                        finish_sentence=True)  # fmt: skip
    assert without.text == "What is it?"


def test_chunks_add_up_to_the_text() -> None:
    generated = "What is it? It is the best thing of them"
    chunks = chunks_of(scripted(generated), length=len(ids_of(generated)), finish_sentence=True)
    assert "".join(chunks[0]) == "What is it?"


def test_the_end_token_still_ends_a_text() -> None:
    script = scripted(ids_of("What is it? It is") + [END])
    result = result_of(script, length=40, finish_sentence=True)
    assert (result.text, result.finish_reason) == ("What is it? It is", "stop")
