"""Generate dishes.jsonl: ingredients as prompts, and the names of the dishes as completions.

    python data/make_dishes.py

The output is the same, byte for byte, on every supported Python version.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from grammar import Grammar, read_source, word_lists

FOLDER = Path(__file__).parent
SEED = 7
ROWS = 3000

WORDS = word_lists(read_source(FOLDER / "dishes" / "words.txt"))


def dishes() -> list[tuple[str, str]]:
    """Return distinct pairs of ingredients, in random order, and the name of their dish."""
    grammar = Grammar(WORDS, {}, SEED)
    mains, sides, flavors = (WORDS[name] for name in ("main", "side", "flavor"))
    combinations = grammar.shuffled(len(mains) * len(sides) * len(flavors))[:ROWS]
    found = []
    for number in combinations:
        number, flavor = divmod(number, len(flavors))
        main, side = divmod(number, len(sides))
        ingredients = [mains[main], sides[side], flavors[flavor]]
        prompt = ", ".join(ingredients[order] for order in grammar.shuffled(3))
        found.append((prompt, dish(*ingredients)))
    return found


def dish(main: str, side: str, flavor: str) -> str:
    """Name a dish.

    >>> dish("salmon", "leeks", "dill")
    'Grilled salmon with dill, on a bed of leeks'
    """
    way = WORDS["way"][WORDS["main"].index(main)]
    return f"{way} {main} with {flavor}, on a bed of {side}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate a JSON Lines file of dishes.")
    parser.add_argument("--out", type=Path, default=FOLDER / "dishes.jsonl", help="output file")
    out: Path = parser.parse_args().out
    with out.open("w", encoding="utf-8", newline="") as file:
        for prompt, completion in dishes():
            file.write(json.dumps({"prompt": prompt, "completion": completion}) + "\n")


if __name__ == "__main__":
    main()
