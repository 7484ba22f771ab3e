"""Token bytes to displayable text: stop strings, incomplete characters, leading newlines."""

from __future__ import annotations

import codecs

from gpt2_helpers.tokenizer import END_OF_TEXT


class StreamingDetokenizer:
    """Turns the bytes of tokens into text that can be shown while it is generated.

    Text is held back while it could be part of a stop string or of a character, and until it is
    certain not to be blank, since a blank text is generated again. Text that has been returned
    once never changes. Leading newlines are stripped. With `exact` they are not, and a blank text
    is a text as any other.

    >>> detokenizer = StreamingDetokenizer("", ".")
    >>> detokenizer.add(b"Yes. No")
    >>> detokenizer.is_finished, detokenizer.next_segment()
    (True, 'Yes')
    """

    def __init__(self, prefix: str = "", *stops: str | None, exact: bool = False) -> None:
        """Start an empty text.

        Args:
            prefix: Shown before the text.
            *stops: Stop strings: each ends the text, as the end-of-text token does.
            exact: Whether to return the text of the tokens as it is. Defaults to False.
        """
        # Runs of gpt-2-simple end their texts with the plain characters of the end token.
        self._stops = [
            stop.encode("utf-8", errors="surrogatepass") for stop in (END_OF_TEXT, *stops) if stop
        ]
        self._first_bytes = bytes({stop[0] for stop in self._stops})
        self._held = b""  # may become part of a stop string
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = prefix
        self._segments: list[str] = []
        self._exact = exact
        self.is_blank = not exact  # whether the text without the prefix is blank so far
        self.is_finished = False

    def add(self, token: bytes) -> None:
        """Add a token's bytes. Sets `is_finished` if they complete a stop string."""
        held = self._held + token
        if not any(byte in held for byte in self._first_bytes):  # the common case
            self._decode(held)
            self._held = b""
            return
        found = [start for stop in self._stops if (start := held.find(stop)) >= 0]
        end = min(found) if found else len(held) - self._partial_stop_length(held)
        self._decode(held[:end])
        self._held = b"" if found else held[end:]
        if found:
            self.finalize()

    def finalize(self) -> None:
        """End the text: nothing is held back any longer."""
        self._decode(self._held, final=True)
        self._held = b""
        self.is_finished = True

    def next_segment(self) -> str:
        """Return the text that became certain since the last call; it may be empty."""
        if self.is_blank and not self.is_finished:
            return ""
        segment, self._pending = self._pending, ""
        if not self._segments and not self._exact:
            segment = segment.lstrip("\n")
        self._segments.append(segment)
        return segment

    @property
    def text(self) -> str:
        """All segments returned so far."""
        return "".join(self._segments)

    def _decode(self, certain: bytes, final: bool = False) -> None:
        text = self._decoder.decode(certain, final)
        self._pending += text
        self.is_blank = self.is_blank and not text.strip()

    def _partial_stop_length(self, held: bytes) -> int:
        """How many of the last bytes could be the start of a stop string."""
        return max(
            size
            for stop in self._stops
            for size in range(min(len(stop), len(held) + 1))
            if held.endswith(stop[:size])
        )
