"""Generate stories.txt: a play in forty-eight parts about a small harbor town, from stories/.

    python data/make_stories.py

Later parts mention the events of earlier ones and show their consequences. The output is the same,
byte for byte, on every supported Python version.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from grammar import Grammar, Row, entries, mapping, read_source, sections, table, word_lists

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "stories"
SEED = 7
TITLE = "THE LAMP ON GANNET HEAD\nA Harbour Play in Forty-Eight Parts"
SEASONS = ("spring", "summer", "autumn", "winter")
# The order matters: it is shuffled for each season.
PLOTS = (
    *("lost", "animal", "parcel", "contest", "feud", "machine"),
    *("stranger", "secret", "repair", "rumour", "swap"),
)
MEMORY_SPAN = 7  # events that characters still mention
Case = dict[str, str]
Speech = tuple[str, str]  # speaker, text

VOICES = word_lists(read_source(SOURCES / "voices.txt"))
SCENERY = word_lists(read_source(SOURCES / "scenery.txt"))
INTERLUDES = sections(read_source(SOURCES / "interludes.txt"), "/")
CODAS = sections(read_source(SOURCES / "codas.txt"), "/")


def _person(row: Row) -> Row:
    """Add the name as it heads a speech, and for each kind of phrase a slot: `{oda_greet}`."""
    name = row["name"].lower()
    kinds = [key.split("_")[1] for key in VOICES if key.startswith(f"{name}_")]
    return {**row, "speaker": row["name"].upper()} | {kind: f"{{{name}_{kind}}}" for kind in kinds}


PEOPLE = {row["name"]: _person(row) for row in table(read_source(SOURCES / "people.txt"))}


class Play:
    """Generates the parts in order and keeps the events of earlier parts."""

    def __init__(self) -> None:
        self._grammar = Grammar({**VOICES, **SCENERY}, {}, SEED)
        self._memories = list(SCENERY["past"])
        self._traces: list[str] = []  # visible consequences of earlier parts, not yet mentioned
        self._part = 0

    def text(self) -> str:
        """Return the play: in each season a case of every plot, then a part of the main story."""
        parts = [TITLE]
        for number, season in enumerate(SEASONS):
            for chosen in self._grammar.shuffled(len(PLOTS)):
                plot = PLOTS[chosen]
                cases = sections(read_source(SOURCES / "cases" / f"{plot}.txt"), "")
                parts.append(self._plot_part(plot, mapping(cases[number]), season))
            header, script = sections(read_source(SOURCES / "arc" / f"{season}.txt"), "---")
            parts.append(self._format_part(mapping(header), self._speeches(script, {})))
        return "\n\n".join(parts) + "\n"

    def _plot_part(self, plot: str, case: Case, season: str) -> str:
        """Return one part: the turns of a plot, with interludes between other people."""
        a, b, c = case["cast"].split(", ")
        bound: dict[str, str | Row] = {"A": PEOPLE[a], "B": PEOPLE[b], "C": PEOPLE[c], "x": case}
        opening = f"NARRATOR: {{{season}}} {{doing}} {self._next_trace()}"
        alternatives = sections(read_source(SOURCES / "plots" / f"{plot}.txt"), "--")
        turns = [
            self._speeches(self._choose(f"{plot} {order}", sections(turn, "/")), bound)
            for order, turn in enumerate(alternatives)
        ]
        # Interludes go before turns that open with the narrator, who marks the change of scene.
        slots = [at for at, turn in enumerate(turns) if at > 1 and turn[0][0] == "NARRATOR"]
        for slot in reversed(slots[:2]):
            turns.insert(slot, self._interlude((a, b, c)))
        pair = [PEOPLE[b], PEOPLE[c]] if self._part % 2 else [PEOPLE[a], PEOPLE[b]]
        if turns[-1][-1][0] == pair[0]["speaker"]:
            pair.reverse()  # otherwise the last speech and the coda would merge into one
        turns.insert(0, self._speeches(opening, {}))
        turns.append(self._scene("coda", CODAS, *pair))
        turns.append(self._speeches("NARRATOR: {evening}", {}))
        return self._format_part(case, [speech for turn in turns for speech in turn])

    def _interlude(self, cast: Sequence[str]) -> list[Speech]:
        """Return a short scene between two people who are not in `cast`."""
        names = list(PEOPLE)
        first = self._grammar.draw("people", names, cast)
        second = self._grammar.draw("people", names, (*cast, first))
        opening = self._speeches("NARRATOR: {meanwhile}", {})
        return opening + self._scene("interlude", INTERLUDES, PEOPLE[first], PEOPLE[second])

    def _scene(self, deck: str, scenes: Sequence[str], first: Row, second: Row) -> list[Speech]:
        """Return the next of `scenes`, with two people as its speakers U and V."""
        memory = self._choose(f"memory {self._part}", self._memories[-MEMORY_SPAN:])
        bound: dict[str, str | Row] = {"U": first, "V": second, "memory": memory}
        return self._speeches(self._choose(deck, scenes), bound)

    def _format_part(self, case: Case, speeches: Sequence[Speech]) -> str:
        """Return a part under its heading, and keep what later parts will mention."""
        self._part += 1
        self._memories.append(case["memory"])
        self._traces.append(case["after"])
        paragraphs = [f"{speaker}:\n{text}" for speaker, text in _merge_speeches(speeches)]
        return "\n\n".join([f"PART {self._part}. {case['title']}", *paragraphs])

    def _next_trace(self) -> str:
        """Return the oldest consequence not yet mentioned, or an empty string."""
        return self._traces.pop(0) if self._traces else ""

    def _choose(self, deck: str, items: Sequence[str]) -> str:
        return items[self._grammar.deal(deck, len(items))]

    def _speeches(self, script: str, bound: Mapping[str, str | Row]) -> list[Speech]:
        """Return the lines of a script as speeches, with every slot filled."""
        speeches = []
        for entry in entries(script):
            speaker, _, text = entry.partition(": ")
            row = bound.get(speaker)
            name = speaker if row is None or isinstance(row, str) else row["speaker"]
            speeches.append((name, self._grammar.expand(text, bound).strip()))
        return speeches


def _merge_speeches(speeches: Sequence[Speech]) -> list[Speech]:
    """Merge consecutive speeches of the same speaker.

    >>> _merge_speeches([("ODA", "Sit."), ("ODA", "Eat."), ("ISKO", "Why?")])
    [('ODA', 'Sit.\\nEat.'), ('ISKO', 'Why?')]
    """
    merged: list[Speech] = []
    for speaker, text in speeches:
        if merged and merged[-1][0] == speaker:
            text = f"{merged.pop()[1]}\n{text}"
        merged.append((speaker, text))
    return merged


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the play.")
    parser.add_argument("--out", type=Path, default=FOLDER / "stories.txt", help="output file")
    out: Path = parser.parse_args().out
    out.write_bytes(Play().text().encode())


if __name__ == "__main__":
    main()
