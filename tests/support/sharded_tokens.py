"""Writes token ids as shards with an index, without Beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import google_crc32c
import numpy as np

from gpt2_helpers.data.token_shards import TokenIndex, TokenShard


def write_shards(
    folder: Path,
    parts: Sequence[Sequence[int]],
    before_second: tuple[int, ...] = (),
    after: tuple[int, ...] = (),
    n_vocab: int = 320,
) -> Path:
    """Write an index with a shard for each part; returns its path."""
    shards = []
    for number, ids in enumerate(parts):
        path = folder / f"texts-{number}.npy"
        np.save(path, np.array(ids, "<u2"))
        content = path.read_bytes()
        crc = google_crc32c.value(content)
        shards.append(TokenShard(path.name, len(ids), len(content), crc))
    shards[1] = replace(shards[1], before=before_second)
    index = folder / "texts.tokens"
    index.write_text(TokenIndex(n_vocab, tuple(shards), after).to_json(), encoding="utf-8")
    return index
