"""Bytes of tokens -> the text to show: where it ends, and what of it is certain."""

from __future__ import annotations

import codecs

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.tokenizer import END_OF_TEXT


class StreamingDetokenizer:
    """Bytes -> the text to show: ends at a stop text, waits for whole characters, skips leading
    newlines. What was taken is never taken back; so nothing can be, until it is sure that the text
    is not blank, since a blank one is written anew."""

    def __init__(self, prompt: str, config: SamplingConfig) -> None:
        # Runs of gpt-2-simple end their texts with the plain characters of the end token.
        stops = [END_OF_TEXT] + ([config.truncate] if config.truncate else [])
        self._stops = [stop.encode("utf-8", errors="surrogatepass") for stop in stops]
        self._first_bytes = bytes({stop[0] for stop in self._stops})
        self._held = b""  # what may become part of a stop text
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._fresh = prompt if config.include_prefix else ""
        self._taken: list[str] = []
        self.is_blank = True  # what was generated, the prompt left aside
        self.ended = False

    def add(self, fresh: bytes) -> None:
        """Take in a token's bytes; sets `ended` where a stop text is complete."""
        held = self._held + fresh
        if not any(byte in held for byte in self._first_bytes):  # as nearly always
            self._settle(held)
            self._held = b""
            return
        places = [place for stop in self._stops if (place := held.find(stop)) >= 0]
        settled = min(places) if places else len(held) - self._stop_begun(held)
        self._settle(held[:settled])
        self._held = b"" if places else held[settled:]
        if places:
            self.end()

    def end(self) -> None:
        """No more is to come: nothing is held back any longer."""
        self._settle(self._held, final=True)
        self._held = b""
        self.ended = True

    def take(self) -> str:
        """What can be shown now and was not yet."""
        if self.is_blank and not self.ended:
            return ""
        fresh, self._fresh = self._fresh, ""
        if not self._taken:
            fresh = fresh.lstrip("\n")
        self._taken.append(fresh)
        return fresh

    def taken(self) -> str:
        """All that was shown."""
        return "".join(self._taken)

    def _settle(self, certain: bytes, final: bool = False) -> None:
        text = self._characters.decode(certain, final)
        self._fresh += text
        self.is_blank = self.is_blank and not text.strip()

    def _stop_begun(self, held: bytes) -> int:
        """How many of the last bytes are the beginning of a stop text."""
        return max(
            size
            for stop in self._stops
            for size in range(min(len(stop), len(held) + 1))
            if held.endswith(stop[:size])
        )
