"""Prompts: the markers around them that a run was trained with, and example prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gpt2_helpers.tokenizer import COMPLETION_MARKER, END_OF_TEXT, START_OF_TEXT, Tokenizer

# What an empty prompt box continues, and prompts to try.
BUNDLED_MODEL_EXAMPLES = (
    "Once upon a time",
    "One winter morning, the old",
    "There was once a king who",
    '"Who is there?" asked the',
    "In the middle of the forest",
)
PRETRAINED_EXAMPLES = (
    "Once upon a time",
    "The secret of life is",
    "In a surprising discovery, scientists",
    "Dear diary, today",
    "The best way to learn a language is",
)
EXAMPLE_COUNT = 5
_MIN_WORDS = 6  # of a text whose first words are an example
_MAX_LENGTH = 40  # characters of an example
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids.

    Attributes:
        text: The prompt without its prefix and suffix.
        ids: Everything that the model sees.
        hidden: How many of the ids are not shown, and not counted in the length of a text.
    """

    text: str
    ids: list[int]
    hidden: int


def split_prompt(prompt: str, prompt_prefix: str) -> tuple[str, str]:
    """Put the prompt prefix before a prompt, unless the prompt has the start marker already.

    Args:
        prompt: The prompt as given.
        prompt_prefix: Text that the model sees before the prompt, and that is not shown.

    Returns:
        The text that the model continues, and the part of it that is shown.

    >>> split_prompt("What", "<|startoftext|>")
    ('<|startoftext|>What', 'What')
    >>> split_prompt("<|startoftext|>What", "<|startoftext|>")
    ('<|startoftext|>What', 'What')
    """
    if not prompt_prefix or not isinstance(prompt, str):  # encoding will refuse another type
        return prompt, prompt
    if prompt_prefix.startswith(START_OF_TEXT):
        prompt = prompt.removeprefix(START_OF_TEXT)
    return prompt_prefix + prompt, prompt


def starts_with_marker(text: str) -> bool:
    """Whether encoded training text consists of marked rows, as a table does."""
    return text.lstrip().startswith(START_OF_TEXT)


def encode_prompt(tokenizer: Tokenizer, prompt: str, prefix: str, suffix: str) -> EncodedPrompt:
    """Encode a prompt with its prefix and suffix.

    Args:
        tokenizer: The tokenizer of the model.
        prompt: The prompt as given.
        prefix: Text before the prompt, see `split_prompt`.
        suffix: Text after the prompt. Only what follows it is shown then.
    """
    text, shown = split_prompt(prompt, prefix)
    if suffix and isinstance(shown, str):  # encoding will refuse another type
        text = f"{prefix}{shown.strip()}{suffix}"
    ids = tokenizer.encode(text, special=True)
    hidden = len(ids) if suffix else len(tokenizer.encode(prefix, special=True)) if prefix else 0
    return EncodedPrompt(shown, ids, hidden)


def example_prompts(
    text: str, has_prompts: bool = False, count: int = EXAMPLE_COUNT
) -> tuple[str, ...]:
    """Choose example prompts from training text: the most common openings of its paragraphs.

    Args:
        text: Part of the training text, as it was encoded.
        has_prompts: Whether it consists of prompts with completions. The examples are prompts then.
        count: Maximum number of examples.

    Returns:
        Distinct first words of paragraphs or rows; fewer than `count` if the text has fewer.

    >>> example_prompts("What is the best way to sleep?\\nWhat is the best way to eat?")
    ('What is the',)
    """
    openings: Counter[str] = Counter()
    if has_prompts:
        documents = [part.partition(COMPLETION_MARKER) for part in text.split(END_OF_TEXT)]
        prompts = (
            prompt.replace(START_OF_TEXT, "").strip()
            for prompt, marker, _ in documents
            if marker and START_OF_TEXT in prompt
        )
        short = (prompt for prompt in prompts if 0 < len(prompt) <= 2 * _MAX_LENGTH)
        return tuple(dict.fromkeys(short))[:count]
    for paragraph in _paragraphs(text):
        words = list(_WORD.finditer(paragraph))
        if len(words) >= _MIN_WORDS:
            opening = paragraph[: words[2].end()].rstrip(".,;:!?")
            if len(opening) <= _MAX_LENGTH:
                openings[opening] += 1
    return tuple(opening for opening, _ in openings.most_common(count))


def _paragraphs(text: str) -> Iterable[str]:
    for document in text.replace(START_OF_TEXT, "").split(END_OF_TEXT):
        for line in document.splitlines():
            if line := line.strip():
                yield line
