"""Tables of text with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from gpt2_helpers.errors import printable


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns: the first one to the left, numbers to the right.

    Args:
        rows: The cells, of any origin; those of the head first. If the head's last cell is empty,
            the last column is text and to the left, too.

    >>> aligned([["", "loss"], ["run1", "2.5"], ["model", "12.25"]])
    ['        loss', 'run1     2.5', 'model  12.25']
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    has_text = not rows[0][-1]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        if has_text:
            cells[-1] = row[-1]
        lines.append("  ".join(cells).rstrip())
    return lines
