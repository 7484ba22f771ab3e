"""Type aliases that several packages share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int32]  # token ids as model input
Indexes: TypeAlias = NDArray[np.int64]  # places in other arrays
AnyIds: TypeAlias = NDArray[np.integer[Any]]  # token ids in any integer type, as in files

StrPath: TypeAlias = str | os.PathLike[str]
DatasetPath: TypeAlias = StrPath | Sequence[StrPath]  # a file, folder or glob, or several
