"""What this machine has, and the precision and devices that suit it. Knows nothing of models."""

from __future__ import annotations

import math
import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.errors import OptionError

if TYPE_CHECKING:
    import tensorflow as tf

CONTROL_GROUP = Path("/sys/fs/cgroup")
_BOUNDLESS = 1 << 60  # bytes: control groups of version 1 have a larger number for no bound
# What the drivers of NVIDIA, of Windows' subsystem for Linux and of AMD make known.
GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")


@dataclass(frozen=True)
class Gpu:
    """A graphics card: TensorFlow's name for it, its product name and its memory in bytes."""

    device: str
    product: str
    memory: int | None
    compute_capability: tuple[int, int] | None


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that TensorFlow can use. It is loaded only where there may be one."""
    found: list[Gpu] = []
    if _without_gpus or not may_have_gpus():
        return ()

    import tensorflow as tf

    for order, physical in enumerate(tf.config.list_physical_devices("GPU")):
        details = tf.config.experimental.get_device_details(physical)
        found.append(
            Gpu(
                device=f"/device:GPU:{order}",
                product=details.get("device_name", "GPU"),
                memory=_gpu_memory(order),
                compute_capability=details.get("compute_capability"),
            )
        )
    return tuple(found)


_without_gpus: list[bool] = []  # True, where somebody has said so


def use_no_gpus() -> None:
    """Take this machine for one without GPUs, so that TensorFlow need not be asked."""
    _without_gpus[:] = [True]
    gpus.cache_clear()


def may_have_gpus() -> bool:
    """Whether it is worth asking TensorFlow, which takes seconds to load."""
    system = platform.system()
    if system == "Linux":
        return any(os.path.exists(path) for path in GPU_FILES)
    if system == "Darwin":  # where a package of its own brings them
        from importlib import metadata

        return any(metadata.distributions(name="tensorflow-metal"))
    return True


def _gpu_memory(order: int) -> int | None:
    """Bytes of the card, which TensorFlow does not tell, by the driver's own library."""
    try:
        import ctypes

        driver = ctypes.CDLL("libcuda.so.1")
        device, size = ctypes.c_int(), ctypes.c_size_t()
        if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), order):
            return None
        if driver.cuDeviceTotalMem_v2(ctypes.byref(size), device):
            return None
        return size.value
    except (OSError, AttributeError):
        return None


def main_memory() -> int | None:
    """Bytes of this machine's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


_at_most: list[int] = []  # threads, where somebody has said so


def cores() -> int:
    """Processor cores that this process may use."""
    there = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    return min([there, _cores_of_container(), *_at_most])


@lru_cache(maxsize=1)
def _cores_of_container() -> int:
    """How many cores' time a container has (`docker run --cpus 2`), whatever its machine has; very
    many where there is no bound.

    The files are those of Linux's control groups, of version 2 ("200000 100000": microseconds of
    each so many) and 1.
    """
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            told = [(CONTROL_GROUP / name).read_text(encoding="ascii") for name in files]
            quota, period = (int(number) for number in " ".join(told).split())
        except (OSError, ValueError):  # "max 100000"
            continue
        if quota > 0:  # -1 in version 1 is no bound
            return max(1, math.ceil(quota / period))
    return sys.maxsize


def set_max_threads(threads: int) -> None:
    """Let no more cores than that be used from now on, by what this package starts itself."""
    _at_most[:] = [threads]


def free_main_memory(
    information: Path = Path("/proc/meminfo"), container: Path = CONTROL_GROUP
) -> int | None:
    """Bytes of main memory that a new process can have, or None where the system does not tell,
    which Linux does alone. In a container it is no more than that may take."""
    try:
        lines = information.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    # Linux's control groups of version 2 and of version 1.
    for folder, names in (
        (container, ("memory.max", "memory.current")),
        (container / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ):
        with suppress(OSError, ValueError):  # there is no container, or it has no bound
            most, now = (int((folder / name).read_text(encoding="ascii")) for name in names)
            if most < _BOUNDLESS:
                free.append(max(0, most - now + _given_back(folder)))
    return min(free, default=None)


def _given_back(folder: Path) -> int:
    """Bytes of files that were read, which count as taken and which the system gives up first."""
    with suppress(OSError):
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 matrices itself (AVX-512 BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def choose_precision(precision: str = "auto") -> str:
    """The type that matrices are multiplied in: bfloat16 on GPUs and CPUs that have it, float16 on
    older GPUs (loss scaling comes with it), else float32. A named one is taken as it is, but for
    int8, in which nothing is trained."""
    if precision not in ("auto", "int8"):
        return precision
    if gpus():
        capability = gpus()[0].compute_capability or (0, 0)
        return (
            "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
        )
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def choose_decoding_precision(precision: str = "auto") -> str:
    """The type that matrices are multiplied in when texts are written: int8 on a processor, where
    it is several times as fast and texts are as good (see `lite`), else as in training."""
    if precision in ("auto", "int8") and not gpus():
        return "int8"
    return choose_precision(precision)


def training_strategy(multi_gpu: bool) -> tf.distribute.Strategy:
    """Where training runs: every GPU side by side, or the one device that there is.

    Raises OptionError where several GPUs are asked for and there are fewer.
    """
    import tensorflow as tf

    if not multi_gpu:
        return tf.distribute.get_strategy()
    devices = [gpu.device for gpu in gpus()]
    if not devices:
        # Logical CPUs stand in for cards where a test has set several up.
        devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(devices) < 2:
        raise OptionError(
            f"multi_gpu=True needs two GPUs or more, this machine has {len(gpus())}: leave it out"
        )
    return tf.distribute.MirroredStrategy(devices)


def describe() -> list[str]:
    """What this machine has and what will be used, in plain lines."""
    memory = main_memory()
    lines = [
        f"processor: {cores()} cores, {platform.machine()}"
        + (f", {memory / 2**30:.1f} GB of memory" if memory else "")
        + (", bfloat16" if cpu_has_bfloat16() else "")
    ]
    for gpu in gpus():
        size = f", {gpu.memory / 2**30:.1f} GB" if gpu.memory else ""
        lines.append(f"GPU: {gpu.product}{size} ({gpu.device})")
    if not gpus():
        lines.append("GPU: none (in Colaboratory: Runtime > Change runtime type > T4 GPU)")
    lines.append(f"precision: {choose_precision()}")
    return lines
