"""What is said of a GPU or TPU that is not used, on simulated machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tensorflow as tf

from gpt2_helpers.system import unused_devices
from gpt2_helpers.system.unused_devices import AMD_FILE, NVIDIA_FILES, WSL_NVIDIA_FILE, advice


@pytest.fixture(autouse=True)
def pci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty machine; returns the folder of its PCI devices."""
    monkeypatch.setattr(unused_devices, "PCI_DEVICES", tmp_path)
    for variable in ("CUDA_VISIBLE_DEVICES", "COLAB_TPU_ADDR"):
        monkeypatch.delenv(variable, raising=False)
    has_files(monkeypatch)
    return tmp_path


def has_files(patch: pytest.MonkeyPatch, *files: str) -> None:
    """Simulate a machine with these files of drivers."""
    patch.setattr(os.path, "exists", lambda path: path in files)


def add(pci: Path, name: str, vendor: str, device: str) -> None:
    (pci / name).mkdir()
    (pci / name / "vendor").write_text(f"{vendor}\n")
    (pci / name / "device").write_text(f"{device}\n")


def test_nothing_is_said_of_a_machine_without_them(pci: Path) -> None:
    add(pci, "0000:00:04.0", "0x1ae0", "0x0042")  # Google's network card
    add(pci, "0000:00:05.0", "0x10de", "0x0063")  # of another vendor
    (pci / "0000:00:06.0").mkdir()
    assert advice() is None


@pytest.mark.parametrize("device", ["0x0027", "0x0063", "0x006f"])
def test_a_tpu_says_what_to_choose(pci: Path, device: str) -> None:
    add(pci, "0000:00:05.0", "0x1ae0", device)
    line = advice()
    assert line is not None
    assert line.startswith("this machine has a TPU, which is not used: in Colab, choose Runtime")


def test_an_older_tpu_runtime_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLAB_TPU_ADDR", "10.0.0.2:8470")
    assert "TPU" in (advice() or "")


@pytest.mark.parametrize("file", [*NVIDIA_FILES, WSL_NVIDIA_FILE])
@pytest.mark.parametrize(
    ("cuda", "line"),
    [
        (True, "an NVIDIA GPU that TensorFlow cannot use, because CUDA's libraries are missing"),
        (False, "an NVIDIA GPU, but a TensorFlow without CUDA support is installed"),
    ],
)
def test_a_gpu_without_cuda_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, file: str, cuda: bool, line: str
) -> None:
    has_files(monkeypatch, file)
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: cuda)
    said = advice() or ""
    assert line in said
    assert 'pip install "tensorflow[and-cuda]"' in said
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert advice() is None


def test_a_gpu_of_amd_needs_another_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    has_files(monkeypatch, AMD_FILE)
    assert "tensorflow-rocm" in (advice() or "")


def test_wsl_without_an_nvidia_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    has_files(monkeypatch, "/dev/dxg")
    assert advice() is None
