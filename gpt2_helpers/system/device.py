"""Hardware detection: GPUs, cores, memory, and the precision to use."""

from __future__ import annotations

import math
import os
import platform
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gpt2_helpers.system import unused_devices
from gpt2_helpers.system.sizes import memory_size

CONTROL_GROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60  # bytes; cgroup v1 has a larger number without a limit
# Device files of the drivers of NVIDIA, of the Windows Subsystem for Linux and of AMD.
GPU_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")


@dataclass(frozen=True)
class Gpu:
    """A GPU: its TensorFlow device name, product name, memory in bytes and compute capability."""

    device: str
    product: str
    memory: int | None
    compute_capability: tuple[int, int] | None

    def describe(self) -> str:
        """Product name and memory, such as "Tesla T4, 15.0 GB"."""
        return f"{self.product}, {memory_size(self.memory)}" if self.memory else self.product


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that TensorFlow can use. Loads TensorFlow only if there may be one.

    The first call warns of a GPU or TPU that TensorFlow cannot use.
    """
    if _without_gpus:
        return ()
    found = _find_gpus() if may_have_gpus() else ()
    if not found and (line := unused_devices.advice()):
        warnings.warn(line, stacklevel=2)
    return found


def _find_gpus() -> tuple[Gpu, ...]:
    import tensorflow as tf

    found: list[Gpu] = []
    for index, physical in enumerate(tf.config.list_physical_devices("GPU")):
        # Other notebooks and servers may use the same GPU, of which TensorFlow would take all the
        # memory. A program that has used the GPU before has decided already.
        with suppress(RuntimeError, ValueError):
            tf.config.experimental.set_memory_growth(physical, True)
        details = tf.config.experimental.get_device_details(physical)
        found.append(
            Gpu(
                device=f"/device:GPU:{index}",
                product=details.get("device_name", "GPU"),
                memory=_gpu_memory(index),
                compute_capability=details.get("compute_capability"),
            )
        )
    return tuple(found)


_without_gpus: list[bool] = []  # True after use_no_gpus


def use_no_gpus() -> None:
    """Ignore GPUs from now on, so that TensorFlow need not be loaded to find them."""
    _without_gpus[:] = [True]
    gpus.cache_clear()


def may_have_gpus() -> bool:
    """Whether there may be a GPU, without loading TensorFlow, which takes seconds."""
    system = platform.system()
    if system == "Linux":
        return any(os.path.exists(path) for path in GPU_FILES)
    if system == "Darwin":  # GPUs need a plug-in there
        from importlib import metadata

        return any(metadata.distributions(name="tensorflow-metal"))
    return True


def _gpu_memory(index: int) -> int | None:
    """Memory of a GPU in bytes from the driver's library; TensorFlow does not report it."""
    try:
        import ctypes

        driver = ctypes.CDLL("libcuda.so.1")
        device, size = ctypes.c_int(), ctypes.c_size_t()
        if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), index):
            return None
        if driver.cuDeviceTotalMem_v2(ctypes.byref(size), device):
            return None
        return size.value
    except (OSError, AttributeError):
        return None


def main_memory() -> int | None:
    """Main memory in bytes, or None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


@lru_cache(maxsize=1)
def _processor() -> str:
    """The product name of the processor, or its architecture if the system does not report it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def name() -> str:
    """The device that trains: the GPUs with their memory, or the processor with its cores.

    For instance "Tesla T4, 15.0 GB" or "Intel(R) Xeon(R) CPU @ 2.20GHz, 2 cores".
    """
    if gpus():
        return " and ".join(gpu.describe() for gpu in gpus())
    return f"{_processor()}, {cores()} core{'s' * (cores() != 1)}"


_max_threads: list[int] = []  # set by set_max_threads


def cores() -> int:
    """Number of processor cores that this process may use."""
    available = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    return min([available, _container_cores(), *_max_threads])


@lru_cache(maxsize=1)
def _container_cores() -> int:
    """The container's limit of CPU time in cores (`docker run --cpus 2`); sys.maxsize if none.

    Read from cgroup v2 ("200000 100000": microseconds of CPU time per period in microseconds) or
    v1.
    """
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            values = [(CONTROL_GROUP / name).read_text(encoding="ascii") for name in files]
            quota, period = (int(number) for number in " ".join(values).split())
        except (OSError, ValueError):  # "max 100000"
            continue
        if quota > 0:  # -1 in cgroup v1 means no limit
            return max(1, math.ceil(quota / period))
    return sys.maxsize


def set_max_threads(threads: int) -> None:
    """Limit the cores that this package's own threads and processes use from now on."""
    _max_threads[:] = [threads]


def free_main_memory(
    information: Path = Path("/proc/meminfo"), container: Path = CONTROL_GROUP
) -> int | None:
    """Bytes of main memory available to a new process, limited by the container's limit.

    None if the system does not report it; only Linux does.
    """
    try:
        lines = information.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    # cgroup v2 and v1
    for folder, names in (
        (container, ("memory.max", "memory.current")),
        (container / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ):
        with suppress(OSError, ValueError):  # no container, or no limit
            limit, used = (int((folder / name).read_text(encoding="ascii")) for name in names)
            if limit < _UNLIMITED:
                free.append(max(0, limit - used + _reclaimable(folder)))
    return min(free, default=None)


def _reclaimable(folder: Path) -> int:
    """Bytes of cached files, which count as used but are released when memory is needed."""
    with suppress(OSError):
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions (AVX-512 BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def choose_precision(precision: str = "auto") -> str:
    """The dtype of matrix multiplications in training.

    Args:
        precision: "auto", or a dtype, which is returned unchanged except "int8", which is not used
            for training and means "auto".

    Returns:
        bfloat16 on GPUs and CPUs that support it, float16 on older GPUs, else float32.
    """
    if precision not in ("auto", "int8"):
        return precision
    if gpus():
        capability = gpus()[0].compute_capability or (0, 0)
        return (
            "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
        )
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def choose_decoding_precision(precision: str = "auto") -> str:
    """The dtype of matrix multiplications in generation: int8 on a CPU, where it is several times
    faster with the same quality (see `generation.tflite`), else as in training."""
    if precision in ("auto", "int8") and not gpus():
        return "int8"
    return choose_precision(precision)


def describe() -> list[str]:
    """The hardware and the training precision, as lines of text."""
    memory = main_memory()
    lines = [
        f"processor: {cores()} cores, {platform.machine()}"
        + (f", {memory_size(memory)} of memory" if memory else "")
        + (", bfloat16" if cpu_has_bfloat16() else "")
    ]
    for gpu in gpus():
        lines.append(f"GPU: {gpu.describe()} ({gpu.device})")
    if not gpus():
        lines.append("GPU: none (in Colab: Runtime > Change runtime type > T4 GPU)")
    lines.append(f"precision: {choose_precision()}")
    return lines
