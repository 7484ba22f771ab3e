"""Progress bars: tqdm's, for a terminal or a notebook's cell."""

from __future__ import annotations

import warnings
from typing import Any

from tqdm import TqdmExperimentalWarning

with warnings.catch_warnings():  # tqdm.auto holds it back as well, and loads asyncio too
    warnings.simplefilter("ignore", TqdmExperimentalWarning)
    from tqdm.autonotebook import tqdm


class Bar(tqdm):  # type: ignore[type-arg]
    """One bar, as wide as there is room. It moves with every update, so that it needs no thread
    that looks after it, as tqdm would leave one for good.

    with Bar(total=20, unit="text") as bar: bar.update()
    """

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(dynamic_ncols=True, miniters=1, **options)
