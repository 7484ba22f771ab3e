"""The logprobs of a choice: offsets, bytes and tokens that are held back."""

from __future__ import annotations

from gpt2_helpers.generation.result import TokenLogprob
from gpt2_helpers.session import Session
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.v1.logprobs import ChoiceLogprobs, joined, prompt_logprobs, token_name


def tokens_of(tokenizer: Tokenizer, text: str) -> list[TokenLogprob]:
    return [TokenLogprob(token, -1.0) for token in tokenizer.encode(text)]


def test_tokens_of_a_character_have_its_offset(tiny: Session) -> None:
    tokenizer = tiny.tokenizer
    log = ChoiceLogprobs(tokenizer, offset=10)
    log.add(tokens_of(tokenizer, "It \u6c34 was"))
    found = log.take(10 + len("It \u6c34 was"), is_last=True)
    assert found["text_offset"] == [10, 12, 13, 13, 13, 14]
    assert found["tokens"][2:5] == ["bytes:\\xe6", "bytes:\\xb0", "bytes:\\xb4"]
    assert found["top_logprobs"][0] == {"It": -1.0}


def test_tokens_wait_for_their_text(tiny: Session) -> None:
    tokenizer = tiny.tokenizer
    log = ChoiceLogprobs(tokenizer, offset=0)
    log.add(tokens_of(tokenizer, "It was"))
    assert log.take(2, is_last=False)["tokens"] == ["It"]
    end = TokenLogprob(tokenizer.end_of_text, -2.0)
    log.add([end])
    assert log.take(6, is_last=True)["tokens"] == [" was", "<|endoftext|>"]


def test_tokens_of_a_stop_string_are_left_out(tiny: Session) -> None:
    log = ChoiceLogprobs(tiny.tokenizer, offset=0)
    log.add(tokens_of(tiny.tokenizer, "It was"))
    assert log.take(2, is_last=True)["tokens"] == ["It"]


def test_a_prompt_starts_without_a_log_probability(tiny: Session) -> None:
    tokenizer = tiny.tokenizer
    ids = tokenizer.encode("It was")
    found = prompt_logprobs(tokenizer, ids, tokens_of(tokenizer, "It was")[1:])
    assert found["token_logprobs"] == [None, -1.0]
    assert found["text_offset"] == [0, 2]
    all_scored = prompt_logprobs(tokenizer, ids, tokens_of(tokenizer, "It was"))
    assert all_scored["token_logprobs"] == [-1.0, -1.0]
    assert joined(found, found)["tokens"] == ["It", " was"] * 2


def test_an_id_outside_the_vocabulary_has_a_name(tiny: Session) -> None:
    assert token_name(tiny.tokenizer, tiny.tokenizer.n_vocab) == (f"token:{tiny.tokenizer.n_vocab}")
