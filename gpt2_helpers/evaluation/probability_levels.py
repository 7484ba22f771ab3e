"""Levels of probability, by which the tokens of a text are colored."""

from __future__ import annotations

# The lowest probability of each level, and its name in a legend. static/probabilities.js has the
# same levels for the web app.
LEVELS = (
    (0.5, "50% or more"),
    (0.1, "10 to 50%"),
    (0.01, "1 to 10%"),
    (0.001, "0.1 to 1%"),
    (0.0, "less than 0.1%"),
)


def level_of(probability: float) -> int:
    """The number of a probability's level, from 0 for the likeliest.

    >>> level_of(0.5), level_of(0.02), level_of(0.0)
    (0, 2, 4)
    """
    return next(n for n, (lowest, _) in enumerate(LEVELS) if probability >= lowest)


def as_percent(probability: float) -> str:
    """A probability as text.

    >>> as_percent(0.973), as_percent(0.0312), as_percent(1e-9)
    ('97%', '3.1%', 'less than 0.001%')
    """
    if probability < 1e-5:
        return "less than 0.001%"
    percent = 100 * probability
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.2g}%"
