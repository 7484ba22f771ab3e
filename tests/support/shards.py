"""Checkpoints in several data files, as TensorFlow's sharded savers write them."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from gpt2_helpers.checkpoint.weights import WeightsReader, checkpoint_files


def shard_checkpoint(prefix: Path, count: int) -> None:
    """Replace a checkpoint by one with the same variables in `count` data files."""
    arrays = dict(WeightsReader(prefix))
    for path in checkpoint_files(prefix):
        path.unlink()
    parts = []
    for shard in range(count):
        part = tf.raw_ops.ShardedFilename(
            basename=str(prefix.with_name("part")), shard=shard, num_shards=count
        )
        names = sorted(arrays)[shard::count]
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(arrays[name]) for name in names],
        )
        parts.append(part)
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(prefix), delete_old_dirs=False
    )
