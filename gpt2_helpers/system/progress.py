"""Progress bars for a terminal or a notebook cell, based on tqdm."""

from __future__ import annotations

import warnings
from typing import Any

from tqdm import TqdmExperimentalWarning

with warnings.catch_warnings():  # tqdm.auto suppresses this warning too, but also loads asyncio
    warnings.simplefilter("ignore", TqdmExperimentalWarning)
    from tqdm.autonotebook import tqdm


class Bar(tqdm):  # type: ignore[type-arg]
    """A progress bar as wide as the terminal, redrawn at every update.

    Takes tqdm's options. It needs no monitor thread, which tqdm would never end.

    Example:
        with Bar(total=20, unit="text") as bar:
            bar.update()
    """

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(dynamic_ncols=True, miniters=1, **options)
