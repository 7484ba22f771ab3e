"""How a training is distributed: over the GPUs of this machine, over several machines, or not.

All of it is tf.distribute's. TF_CONFIG names the machines, see `system.cluster`.
"""

from __future__ import annotations

from functools import lru_cache

import tensorflow as tf
from tensorflow.python.distribute import multi_worker_util
from tensorflow.python.eager import context

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system import device
from gpt2_helpers.system.cluster import VARIABLE, Cluster, read_cluster

HEARTBEAT_SECONDS = 20  # a worker that does not answer for so long is lost
PACK_BYTES = 32 << 20  # gradients are exchanged in packs of about this size, each a copy


def training_strategy(multi_gpu: bool) -> tf.distribute.Strategy:
    """The distribution strategy.

    With TF_CONFIG all workers train together, and this call waits until all of them run it. A
    process has one strategy for all training runs.

    Args:
        multi_gpu: Whether all GPUs of each machine are used, else one.

    Returns:
        TensorFlow's MultiWorkerMirroredStrategy with TF_CONFIG, MirroredStrategy for several GPUs,
        else its default strategy.

    Raises:
        OptionError: `multi_gpu` is set on a single machine with fewer than two GPUs, TF_CONFIG is
            invalid, or this process has used TensorFlow before it joins the other workers.

    Example:
        with training_strategy(multi_gpu=True).scope():
            model = load_model("models/124M")
    """
    cluster = read_cluster()
    if cluster is not None:
        return _cluster_strategy(cluster, multi_gpu)
    if not multi_gpu:
        return tf.distribute.get_strategy()
    devices = [gpu.device for gpu in device.gpus()]
    if not devices:
        # Tests create several logical CPUs in place of GPUs.
        devices = [logical.name for logical in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise OptionError(
            f"multi_gpu=True needs at least two GPUs, this machine has {len(device.gpus())}: "
            "omit it"
        )
    return _mirrored_strategy(tuple(devices))


@lru_cache(maxsize=1)
def _mirrored_strategy(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Cached, so that a process has one strategy for all training runs.

    A new strategy numbers its collective operations from the start again, and TensorFlow rejects a
    number that it has seen with another shape: full training followed by adapters would fail.
    """
    return tf.distribute.MirroredStrategy(list(devices))


@lru_cache(maxsize=1)
def _cluster_strategy(cluster: Cluster, multi_gpu: bool) -> tf.distribute.Strategy:
    device.gpus()  # before TensorFlow starts, since it sets how their memory is used
    gpus = tf.config.list_physical_devices("GPU")
    if context.context()._context_handle is not None:  # has no public function
        raise OptionError(
            f"{VARIABLE} is set, but this process has used TensorFlow before: call finetune first, "
            "or unset it to train on this machine only"
        )
    if len(gpus) > 1 and not multi_gpu:
        tf.config.set_visible_devices(gpus[:1], "GPU")
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    _configure_heartbeat(resolver)
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=PACK_BYTES)
    return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)


def _configure_heartbeat(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> None:
    """Make TensorFlow's coordination service notice a lost worker after HEARTBEAT_SECONDS.

    The strategy configures the same service, but without a limit of our choice.
    """
    spec = multi_worker_util.normalize_cluster_spec(resolver.cluster_spec())
    jobs = [
        context.coordination_config_pb2.CoordinatedJob(name=job, num_tasks=spec.num_tasks(job))
        for job in spec.jobs
    ]
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=multi_worker_util.coordination_leader(spec),
        heartbeat_timeout_in_ms=HEARTBEAT_SECONDS * 1000,
        coordinated_jobs=jobs,
    )
