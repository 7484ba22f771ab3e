"""GPUs and TPUs that TensorFlow does not use here, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PCI_DEVICES = Path("/sys/bus/pci/devices")
NVIDIA_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu")
# The driver's tool in the Windows Subsystem for Linux, whose device file other GPUs have too.
WSL_NVIDIA_FILE = "/usr/lib/wsl/lib/nvidia-smi"
AMD_FILE = "/dev/kfd"
_GOOGLE = "0x1ae0"  # PCI vendor
_TPUS = {  # PCI devices of Google that are TPUs, v2 to v7
    "0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076",
}  # fmt: skip
_INSTALL = 'run `pip install "tensorflow[and-cuda]"` and restart Python'


def advice() -> str | None:
    """What to do about a GPU or TPU of this machine, given that TensorFlow found no GPU.

    Loads TensorFlow if there is an NVIDIA GPU.

    Returns:
        A line, or None if there is nothing to do.
    """
    if has_tpu():
        return (
            "this machine has a TPU, which is not used: in Colab, choose Runtime > Change runtime "
            "type > T4 GPU"
        )
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return None  # hidden on purpose
    if any(map(os.path.exists, (*NVIDIA_FILES, WSL_NVIDIA_FILE))):
        import tensorflow as tf

        if tf.test.is_built_with_cuda():
            return (
                "this machine has an NVIDIA GPU that TensorFlow cannot use, because CUDA's "
                f"libraries are missing or nvidia-smi fails: {_INSTALL}"
            )
        return (
            "this machine has an NVIDIA GPU, but a TensorFlow without CUDA support is installed: "
            f"run `pip uninstall tensorflow tensorflow-cpu`, then {_INSTALL}"
        )
    if os.path.exists(AMD_FILE):
        return (
            "this machine has an AMD GPU, which is not used: it needs AMD's tensorflow-rocm in "
            "place of tensorflow"
        )
    return None


def has_tpu() -> bool:
    """Whether the machine has a TPU, as Colab's TPU runtimes do."""
    if os.environ.get("COLAB_TPU_ADDR"):  # of older runtimes, which reach it over the network
        return True
    return any(vendor == _GOOGLE and device in _TPUS for vendor, device in _pci_devices())


def _pci_devices() -> Iterator[tuple[str, str]]:
    """Vendor and device number of each PCI device, such as ("0x10de", "0x1eb8")."""
    for folder in PCI_DEVICES.glob("*"):
        with suppress(OSError, UnicodeDecodeError):
            vendor, device = (
                (folder / name).read_text(encoding="ascii").strip() for name in ("vendor", "device")
            )
            yield vendor, device
