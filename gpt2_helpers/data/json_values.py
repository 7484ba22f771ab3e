"""Reads the values of a JSON or JSON Lines text one by one, each with its line number.

The text is not held in memory: a list may be of any length, and so may a list inside an object.
"""

from __future__ import annotations

import enum
import itertools
import json
from collections.abc import Iterator
from typing import Any

from gpt2_helpers.data.table_rows import MAX_FIELD_CHARS
from gpt2_helpers.errors import DatasetError, brief

_HEAD_CHARS = 1 << 16
_DROP_CHARS = 1 << 20  # characters after which parsed text is dropped from the buffer
_SPACE = " \t\r\n"
_NUMBER = "0123456789.eE+-"
_DECODER = json.JSONDecoder()

Value = tuple[int, Any]  # the line on which a value starts, from 1, and the value


class Layout(enum.Enum):
    """How the records of a file are arranged."""

    LINES = "JSON Lines"
    LIST = "a JSON list"
    OBJECT = "a JSON object"


def read_values(name: str, chunks: Iterator[str], is_lines: bool) -> Iterator[Value | Layout]:
    """Read the records of a JSON text.

    Args:
        name: Name of the file in error messages.
        chunks: The text, in chunks of any length.
        is_lines: Whether the file is named like JSON Lines.

    Yields:
        The layout first, then the records: the values of the lines or of the list. A file with a
        single object has one record if it is small; in a larger one, the list inside is read.

    Raises:
        DatasetError: The text is not JSON, or a value is too long or nested too deeply; the message
            has the number of the line.
    """
    head = ""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD_CHARS:
            break
    chunks = itertools.chain([head], chunks)
    if head.lstrip(_SPACE).startswith("["):
        yield Layout.LIST
        yield from _list_items(_Scanner(name, chunks))
    elif is_lines or _looks_like_lines(head):
        yield Layout.LINES
        yield from _lines(name, chunks)
    else:
        yield from _object(name, chunks)


def _looks_like_lines(head: str) -> bool:
    """Whether one of the first two lines is complete JSON, and there is more than one."""
    lines = [line for line in head.split("\n") if line.strip(_SPACE)][:3]
    return len(lines) > 1 and any(line.lstrip().startswith("{") and _parses(line) for line in lines)


def _parses(line: str) -> bool:
    try:
        _DECODER.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(name: str, chunks: Iterator[str], first: int = 1) -> Iterator[Value]:
    rest, number = "", first
    for chunk in itertools.chain(chunks, ["\n"]):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            if line.strip(_SPACE):
                yield number, _decode_line(name, number, line)
            number += 1
        if len(rest) > MAX_FIELD_CHARS:
            raise _too_long(name, number, "the line")


def _decode_line(name: str, number: int, line: str) -> Any:
    if len(line) > MAX_FIELD_CHARS:
        raise _too_long(name, number, "the line")
    try:
        return _DECODER.decode(line.strip(_SPACE))
    except (ValueError, RecursionError) as error:
        raise _invalid(name, number, error) from None


def _too_long(name: str, line: int, what: str) -> DatasetError:
    return DatasetError(
        f"{name}, line {line}: {what} is longer than {MAX_FIELD_CHARS:,} characters: split the "
        "text into several records"
    )


def _invalid(name: str, line: int, error: Exception) -> DatasetError:
    if isinstance(error, json.JSONDecodeError):
        reason = f"{error.msg} at character {error.colno}"
    else:
        reason = "nested too deeply" if isinstance(error, RecursionError) else brief(error)
    return DatasetError(
        f"{name}, line {line}: not valid JSON ({reason}): correct or remove it, or name the file "
        ".txt if it is plain text"
    )


def _object(name: str, chunks: Iterator[str]) -> Iterator[Value | Layout]:
    """An object over several lines, or lines of which the first is too long to tell."""
    scanner = _Scanner(name, chunks)
    line = scanner.line_of_next()
    value = scanner.value(allow_long=True)
    if value is scanner.TOO_LONG:
        yield Layout.OBJECT
        yield from _list_in_object(scanner)
    elif scanner.peek():
        yield Layout.LINES
        yield line, value
        yield from _lines(name, scanner.rest(), scanner.line_of_next())
    else:
        yield Layout.OBJECT
        yield line, value


def _list_items(scanner: _Scanner) -> Iterator[Value]:
    """The items of a list that is all of the text."""
    yield from _items(scanner)
    if scanner.peek():
        raise scanner.error("more text after the end of the list")


def _items(scanner: _Scanner) -> Iterator[Value]:
    scanner.take("[")
    if scanner.peek() == "]":
        scanner.take("]")
        return
    while True:
        yield scanner.line_of_next(), scanner.value()
        if scanner.take(",]") == "]":
            return


def _list_in_object(scanner: _Scanner) -> Iterator[Value]:
    """The items of the first list of strings or objects in an object that is too long to hold."""
    scanner.take("{")
    found = False
    while True:
        scanner.value()
        scanner.take(":")
        if scanner.peek() == "[":
            items = _items(scanner)
            first = next(items, None)
            is_texts = first is not None and isinstance(first[1], str | dict)
            if first is not None and is_texts:
                if found:
                    raise scanner.error("a second list in the object, where one was expected")
                found = True
                yield first
            for item in items:
                if is_texts:
                    yield item
        else:
            scanner.value()
        if scanner.take(",}") == "}":
            break
    if scanner.peek():
        raise scanner.error("more text after the end of the object")


class _Scanner:
    """Reads values and punctuation from text that arrives in chunks."""

    TOO_LONG = object()

    def __init__(self, name: str, chunks: Iterator[str]) -> None:
        self._name, self._chunks = name, chunks
        self._text, self._position = "", 0
        self._line, self._counted = 1, 0  # the line of the character at `_counted`

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._position < len(self._text):
                character = self._text[self._position]
                if character not in _SPACE:
                    return character
                self._position += 1
            if not self._fill():
                return ""

    def take(self, expected: str) -> str:
        """Consume one of the expected characters and return it."""
        found = self.peek()
        if not found or found not in expected:
            what = f"{found!r}" if found else "the end of the file"
            raise self.error(f"{' or '.join(expected)} expected, got {what}")
        self._position += 1
        return found

    def value(self, allow_long: bool = False) -> Any:
        """Consume a value; TOO_LONG, without consuming it, if it is and that is allowed."""
        self.peek()
        while True:
            size = len(self._text) - self._position
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
                # A number may continue in the next chunk.
                if self._text[end : end + 32].strip(_NUMBER) or not self._fill(size):
                    if end - self._position > MAX_FIELD_CHARS:
                        return self._too_long(allow_long)
                    self._position = end
                    return value
            except (ValueError, RecursionError) as error:
                # More text does not help against nesting or a number of thousands of digits.
                if not isinstance(error, json.JSONDecodeError) or not self._fill(size):
                    raise self._invalid(error) from None
                if size > MAX_FIELD_CHARS:
                    return self._too_long(allow_long)

    def _too_long(self, allowed: bool) -> Any:
        if not allowed:
            raise _too_long(self._name, self.line_of_next(), "the value")
        return self.TOO_LONG

    def rest(self) -> Iterator[str]:
        """The text that is not consumed yet."""
        return itertools.chain([self._text[self._position :]], self._chunks)

    def line_of_next(self) -> int:
        """The line of the next character that is not white space."""
        self.peek()
        return self._line_at(self._position)

    def error(self, problem: str) -> DatasetError:
        """An error at the current position."""
        return DatasetError(
            f"{self._name}, line {self._line_at(self._position)}: {problem}: correct the JSON, or "
            "name the file .txt if it is plain text"
        )

    def _invalid(self, error: Exception) -> DatasetError:
        position = error.pos if isinstance(error, json.JSONDecodeError) else self._position
        return _invalid(self._name, self._line_at(position), error)

    def _line_at(self, position: int) -> int:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = max(self._counted, position)
        return self._line

    def _fill(self, size: int = 0) -> bool:
        """Read more text, at least `size` characters unless the file ends."""
        if self._position > _DROP_CHARS:
            self._line_at(self._position)
            self._text = self._text[self._position :]
            self._counted -= self._position
            self._position = 0
        parts = [self._text]
        added = 0
        while chunk := next(self._chunks, ""):
            parts.append(chunk)
            added += len(chunk)
            if added >= size:
                break
        self._text = "".join(parts)
        return added > 0
