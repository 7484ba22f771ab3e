"""Sentence ends, and texts that end at one. Takes text; knows nothing about token ids."""

from __future__ import annotations

import regex

from gpt2_helpers.generation.result import FinishReason

# Numbers of tokens before the limit: from HOLD on, text is held back after each sentence, so that
# an unfinished one can be dropped; from END on, the next sentence end is the end of the text. Short
# texts use the fractions. Of passages of English novels cut at 60, 100 and 200 tokens, 90, 97 and
# 99% then end at a sentence.
HOLD_TOKENS, HOLD_FRACTION = 150, 0.75
END_TOKENS, END_FRACTION = 50, 0.4

_LONGEST_MARK = 20  # characters
# German closes quotes with “, which is an initial quote; French puts a space before ».
_CLOSING = r"""["'\p{Pe}\p{Pf}\p{Pi}]*(?:\s»(?=\s))?"""
# A full stop, question mark and so on in any script, at the end of a line or before a word that
# does not start in lowercase ("Oh!" said she). Chinese and Japanese put no space after it.
_END = regex.compile(
    rf"[\p{{Sentence_Terminal}}…]+{_CLOSING}"
    r"(?=(?<line_end>\s*\n)|\s+[^\p{L}\p{N}\n]*[\p{Lu}\p{Lt}\p{Lo}\p{N}]"
    r"|(?<=[。．！？｡]\p{P}*)[^\s\p{P}])"
)
# The same at the end of a text, before it is known which word follows.
_POSSIBLE_END = regex.compile(
    rf"[\p{{Sentence_Terminal}}…]+{_CLOSING}(?<rest>(?:\s[^\p{{L}}\p{{N}}\n]*)?)$"
)
_ABBREVIATION = regex.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Messrs|Mme|Mlle|Dr|St|Prof|Rev|Hon|Capt|Col|Gen|Lt|Maj|Sgt|Jr|Sr|vs|Hr|Fr)"
    r"|(?<![\p{L}'’])(?!I\.)\p{L}|^\s*\p{N}+)\.$"  # also an initial, and the number of a list item
)


class SentenceFinisher:
    """Ends a text at the end of a sentence within its maximum number of tokens, if there is one.

    Text is passed on as it comes. Towards the limit it is held back after each sentence until the
    next one is complete, and the text ends at the first sentence that is completed close to the
    limit. Text that has been passed on is never taken back. A text without any sentence end in
    its last part is cut at the limit.

    Args:
        prompt: The text that is continued.
        shown: The part of `prompt` that the first segment starts with.
        n_tokens: Maximum number of new tokens.

    >>> finisher = SentenceFinisher("", "", 8)
    >>> words = ["He", " was", " here", ".", " She", " was", " not"]
    >>> [finisher.add(word, count, None)[0] for count, word in enumerate(words, start=1)]
    ['He', ' was', ' here', '.', '', '', '']
    """

    def __init__(self, prompt: str, shown: str, n_tokens: int) -> None:
        self._hold_from = n_tokens - min(HOLD_TOKENS, round(HOLD_FRACTION * n_tokens))
        self._end_from = n_tokens - min(END_TOKENS, round(END_FRACTION * n_tokens))
        self._line = "" if shown else _last_line(prompt)  # what has been passed on of it
        self._earliest = len(self._line) + len(shown)  # a sentence end in the prompt does not count
        self._held = ""
        self._is_holding = False
        self._segments: list[str] = []

    @property
    def text(self) -> str:
        """All text passed on so far."""
        return "".join(self._segments)

    def add(
        self, segment: str, n_tokens: int, reason: FinishReason | None
    ) -> tuple[str, FinishReason | None]:
        """Add a segment of text.

        Args:
            segment: The text that became certain.
            n_tokens: Number of tokens generated so far.
            reason: Why the text ends with this segment; None if it does not.

        Returns:
            The text to pass on, which may be empty, and why the text ends; None if it does not.
        """
        self._held += segment
        if reason == "stop":
            return self._pass_on(len(self._held)), reason
        if n_tokens >= self._hold_from:
            start = max(self._earliest + 1, len(self._line))
            ends = [end - len(self._line) for end in sentence_ends(self._line + self._held, start)]
            if ends and n_tokens >= self._end_from:
                return self._pass_on(ends[0]), "sentence"
            if ends:
                self._is_holding = True
                segment = self._pass_on(ends[-1])
                self._earliest = len(self._line)  # the next sentence end is a later one
                return segment, None
        if reason is None:
            return self._pass_on(0 if self._is_holding else self._certain(n_tokens)), None
        whole = self._line + self._held
        if len(whole) > self._earliest and ends_sentence(whole):
            return self._pass_on(len(self._held)), "sentence"
        if self._is_holding:
            return self._pass_on(0), "sentence"
        return self._pass_on(len(self._held)), reason

    def _certain(self, n_tokens: int) -> int:
        """Length of the held text that will be part of the text, however it continues."""
        if n_tokens < self._hold_from:
            return len(self._held)
        start = max(0, len(self._line) - _LONGEST_MARK)
        possible = _POSSIBLE_END.search(self._line + self._held, start)
        rest = len(possible["rest"]) if possible else 0
        return max(0, len(self._held) - rest)

    def _pass_on(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self._segments.append(text)
        line = self._line + text
        self._line = _last_line(line)
        self._earliest -= len(line) - len(self._line)
        return text


def sentence_ends(text: str, start: int = 0) -> list[int]:
    """Return where sentences end, as far as the following text shows it.

    An end inside quotation marks or parentheses counts only at the end of a line.

    Args:
        text: The text, from the start of a line.
        start: The first index that may be returned.

    >>> text = 'Mr. Fox was late. "Is it three? Or four?" he asked. "No." It was'
    >>> [text[:end][-12:] for end in sentence_ends(text)]
    ['ox was late.', '?" he asked.', 'asked. "No."']
    """
    ends = []
    for match in _END.finditer(text, max(0, start - _LONGEST_MARK)):
        if match.end() < start:
            continue
        line = _last_line(text[: match.end()])
        if match["line_end"] is not None or _is_complete(line):
            ends.append(match.end())
    return ends


def ends_sentence(text: str) -> bool:
    """Whether a text ends with a complete sentence.

    >>> ends_sentence('"I am," he said.'), ends_sentence("I am Dr."), ends_sentence('"I am.')
    (True, False, False)
    """
    text = text.rstrip()
    return bool(_POSSIBLE_END.search(text)) and _is_complete(_last_line(text))


def _is_complete(line: str) -> bool:
    """Whether the full stop at the end of a line ends a sentence outside quotes and parentheses."""
    opening, closing = ("„", "“") if "„" in line else ("“", "”")
    return (
        not _ABBREVIATION.search(line)
        and line.count('"') % 2 == 0
        and line.count(opening) <= line.count(closing)
        and line.count("(") <= line.count(")")
    )


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]
