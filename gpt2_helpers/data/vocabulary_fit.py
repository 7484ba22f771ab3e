"""How well a model's vocabulary fits a text: notes on another language, and on text without words.

Takes text and numbers; knows no files.
"""

from __future__ import annotations

import regex

from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer

# Tokens per character above which the vocabulary is a poor fit for the language (measured on words
# alone), or much of the text is not words (measured on the whole text). Measured with GPT-2's
# vocabulary on whole texts: English 0.23 to 0.3; German, French and Spanish 0.4; source code 0.45;
# Polish, Czech and Turkish 0.57; Arabic 1.0; Russian 1.1; Greek 1.2; Japanese 1.4; Hindi 1.5;
# Chinese 1.8; Korean 2.3.
POOR_FIT = 0.65

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")
_ENOUGH_CHARACTERS = 200  # fewer say little about the language


def word_rate(text: str, tokenizer: Tokenizer) -> float:
    """Tokens per character of the words in a text, without digits, symbols and markers.

    Args:
        text: The text, or a part of it.
        tokenizer: The tokenizer of the model to train.

    Returns:
        The rate; 0 if there are too few words.

    Example:
        word_rate("Der Hund schläft. " * 50, tokenizer)  # 0.45
    """
    for marker in (START_OF_TEXT, END_OF_TEXT):
        text = text.replace(marker, " ")
    words = " ".join(_WORD.findall(text))
    if len(words) < _ENOUGH_CHARACTERS:
        return 0.0
    return len(tokenizer.encode(words)) / len(words)


def fit_notes(text_rate: float, words_rate: float) -> list[str]:
    """What the user should know about the vocabulary and the text.

    Args:
        text_rate: Tokens per character of the whole text; 0 if unknown.
        words_rate: Tokens per character of its words; 0 if unknown.

    Returns:
        Sentences; none if the vocabulary fits.

    >>> fit_notes(0.3, 0.25), len(fit_notes(0.9, 0.25)), len(fit_notes(1.8, 1.8))
    ([], 1, 1)
    """
    if words_rate > POOR_FIT:
        return [
            "Warning: the model's vocabulary is a poor fit for the language of this text: its "
            f"words need {words_rate:.2f} tokens per character (about 0.25 in English), so "
            "generated texts are shorter and worse. To train a model with its own vocabulary: "
            "gpt2-helpers pretrain"
        ]
    if words_rate and text_rate > POOR_FIT:
        return [
            "much of the text is digits, symbols or markup, which the model learns to write too: "
            "remove what generated texts should not contain"
        ]
    return []
