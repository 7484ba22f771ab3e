"""Writes stories.txt: a play in forty-eight parts about a small harbour town, made by a grammar.

    python data/make_stories.py

Each part begins where the ones before have left the town: people speak of what has happened, and
what was changed stays changed. The same code writes the same bytes, on every Python from 3.10 on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from grammar import Grammar, Row, entries
from story_cases import CASES
from story_people import PEOPLE, VOICES
from story_plots import PLOTS
from story_scenes import ARC, CODAS, INTERLUDES, SCENERY, SEASONS

SEED = 7
TITLE = "THE LAMP ON GANNET HEAD\nA Harbour Play in Forty-Eight Parts"
RECENT = 7  # how many parts back people still speak of
Case = dict[str, str]
Speech = tuple[str, str]


def case(block: str) -> Case:
    """A block of `key: value` lines.

    >>> case("title: Knots\\ncast: Oda,\\n    Bram")
    {'title': 'Knots', 'cast': 'Oda, Bram'}
    """
    return {key: value for key, _, value in (entry.partition(": ") for entry in entries(block))}


class Play:
    """Writes the parts one after the other, and remembers what has happened."""

    def __init__(self) -> None:
        self._grammar = Grammar({**VOICES, **SCENERY}, {}, SEED)
        self._memories = list(SCENERY["past"])
        self._traces: list[str] = []  # what earlier parts have left for the eye, not yet shown
        self._part = 0

    def text(self) -> str:
        """The whole play: in each season a case of every plot, then a part of the long story."""
        parts = [TITLE]
        plots = list(PLOTS)
        for number, season in enumerate(SEASONS):
            for chosen in self._grammar.shuffled(len(plots)):
                plot = plots[chosen]
                parts.append(self._plotted(plot, case(CASES[plot].split("\n\n")[number]), season))
            header, _, script = ARC[season].partition("---")
            parts.append(self._part_of(case(header), self._speeches(script, {})))
        return "\n\n".join(parts) + "\n"

    def _plotted(self, plot: str, found: Case, season: str) -> str:
        """One part: the turns of a plot, with scenes between other people in the middle."""
        a, b, c = found["cast"].split(", ")
        bound: dict[str, str | Row] = {"A": PEOPLE[a], "B": PEOPLE[b], "C": PEOPLE[c], "x": found}
        opening = f"NARRATOR: {{{season}}} {{doing}} {self._trace()}"
        turns = [
            self._speeches(self._choice(f"{plot} {order}", turn.split("/\n")), bound)
            for order, turn in enumerate(PLOTS[plot].split("--\n"))
        ]
        # A scene goes where the plot comes back with the narrator, so that the change is heard.
        places = [at for at, turn in enumerate(turns) if at > 1 and turn[0][0] == "NARRATOR"]
        for place in reversed(places[:2]):
            turns.insert(place, self._interlude((a, b, c)))
        pair = [PEOPLE[b], PEOPLE[c]] if self._part % 2 else [PEOPLE[a], PEOPLE[b]]
        if turns[-1][-1][0] == pair[0]["speaker"]:
            pair.reverse()  # two remarks of one person in a row would read as one
        turns.insert(0, self._speeches(opening, {}))
        turns.append(self._scene("coda", CODAS, *pair))
        turns.append(self._speeches("NARRATOR: {evening}", {}))
        return self._part_of(found, [speech for turn in turns for speech in turn])

    def _interlude(self, busy: Sequence[str]) -> list[Speech]:
        """A small scene between two people who are not busy elsewhere."""
        names = list(PEOPLE)
        first = self._grammar.draw("people", names, busy)
        second = self._grammar.draw("people", names, (*busy, first))
        where = self._speeches("NARRATOR: {meanwhile}", {})
        return where + self._scene("interlude", INTERLUDES, PEOPLE[first], PEOPLE[second])

    def _scene(self, deck: str, scenes: str, first: Row, second: Row) -> list[Speech]:
        """The next of `scenes`, played by two people."""
        memory = self._choice(f"memory {self._part}", self._memories[-RECENT:])
        bound: dict[str, str | Row] = {"U": first, "V": second, "memory": memory}
        return self._speeches(self._choice(deck, scenes.split("/\n")), bound)

    def _part_of(self, found: Case, speeches: Sequence[Speech]) -> str:
        """A part under its heading; it is over now, and people will speak of it."""
        self._part += 1
        self._memories.append(found["memory"])
        self._traces.append(found["after"])
        told = [f"{speaker}:\n{said}" for speaker, said in _joined(speeches)]
        return "\n\n".join([f"PART {self._part}. {found['title']}", *told])

    def _trace(self) -> str:
        """A sight that an earlier part has left behind: the oldest one not yet shown."""
        return self._traces.pop(0) if self._traces else ""

    def _choice(self, deck: str, items: Sequence[str]) -> str:
        return items[self._grammar.deal(deck, len(items))]

    def _speeches(self, script: str, bound: Mapping[str, str | Row]) -> list[Speech]:
        """The lines of a script as speeches, with every slot filled."""
        speeches = []
        for entry in entries(script):
            speaker, _, said = entry.partition(": ")
            row = bound.get(speaker)
            name = speaker if row is None or isinstance(row, str) else row["speaker"]
            speeches.append((name, self._grammar.expand(said, bound).strip()))
        return speeches


def _joined(speeches: Sequence[Speech]) -> list[Speech]:
    """`speeches` with those joined in which the same speaker goes on.

    >>> _joined([("ODA", "Sit."), ("ODA", "Eat."), ("ISKO", "Why?")])
    [('ODA', 'Sit.\\nEat.'), ('ISKO', 'Why?')]
    """
    told: list[Speech] = []
    for speaker, said in speeches:
        if told and told[-1][0] == speaker:
            said = f"{told.pop()[1]}\n{said}"
        told.append((speaker, said))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the play.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("stories.txt"))
    out: Path = parser.parse_args().out
    out.write_bytes(Play().text().encode())


if __name__ == "__main__":
    main()
