"""Prompts: the marker that texts of a table start with, and example prompts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

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


def example_prompts(text: str, count: int = EXAMPLE_COUNT) -> tuple[str, ...]:
    """Choose example prompts from training text: the most common openings of its paragraphs.

    Args:
        text: Part of the training text, as it was encoded.
        count: Maximum number of examples.

    Returns:
        Distinct first words of paragraphs or rows; fewer than `count` if the text has fewer.

    >>> example_prompts("What is the best way to sleep?\\nWhat is the best way to eat?")
    ('What is the',)
    """
    openings: Counter[str] = Counter()
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
