"""Choices for a machine, with simulated GPUs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import tensorflow as tf

from gpt2_helpers.config import PRECISIONS
from gpt2_helpers.system import device, unused_devices
from gpt2_helpers.system.device import (
    Gpu,
    choose_precision,
    describe,
    free_main_memory,
)


def has_gpus(patch: pytest.MonkeyPatch, *capabilities: tuple[int, int] | None) -> None:
    """Simulate one GPU per compute capability."""
    found = tuple(
        Gpu(f"/device:GPU:{order}", f"GPU {order}", 16 * 2**30, capability)
        for order, capability in enumerate(capabilities)
    )
    patch.setattr(device, "gpus", lambda: found)


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((8, 0), "bfloat16"),  # A100
        ((8, 9), "bfloat16"),  # L4
        ((10, 0), "bfloat16"),
        ((7, 5), "float16"),  # T4
        ((7, 0), "float16"),  # V100
        ((6, 0), "float32"),  # P100
        (None, "float32"),
    ],
)
def test_precision_depends_on_the_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None, precision: str
) -> None:
    has_gpus(monkeypatch, capability)
    # The processor's capabilities do not matter then.
    for has_bfloat16 in (False, True):
        monkeypatch.setattr(device, "cpu_has_bfloat16", lambda answer=has_bfloat16: answer)
        assert choose_precision("auto") == precision
    assert choose_precision() == precision


@pytest.mark.parametrize(("has_bfloat16", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_precision_depends_on_the_processor_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, precision: str
) -> None:
    has_gpus(monkeypatch)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: has_bfloat16)
    assert choose_precision() == precision


@pytest.mark.parametrize(
    ("system", "file", "asked"),
    [
        ("Linux", "nvidia0", True),
        ("Linux", "dxg", True),
        ("Linux", "kfd", True),
        ("Linux", "null", False),
        ("Windows", "null", True),
    ],
)
def test_tensorflow_is_loaded_only_if_there_may_be_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, file: str, asked: bool
) -> None:
    (tmp_path / file).touch()
    monkeypatch.setattr(platform, "system", lambda: system)
    files = [path.replace("/dev", str(tmp_path)) for path in device.GPU_FILES]
    monkeypatch.setattr(device, "GPU_FILES", files)
    assert device.may_have_gpus() is asked
    questions = []

    def list_physical_devices(kind: str) -> list[object]:
        questions.append(kind)
        return []

    monkeypatch.setattr(tf.config, "list_physical_devices", list_physical_devices)
    monkeypatch.setattr(unused_devices, "advice", lambda: None)
    device.gpus.cache_clear()
    assert device.gpus() == ()
    device.gpus.cache_clear()
    assert questions == ["GPU"] * asked


@pytest.mark.parametrize("initialized", [False, True])
def test_a_gpus_memory_is_taken_as_needed(
    monkeypatch: pytest.MonkeyPatch, initialized: bool
) -> None:
    grows = []

    def set_memory_growth(physical: str, enable: bool) -> None:
        if initialized:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        grows.append((physical, enable))

    monkeypatch.setattr(device, "may_have_gpus", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", set_memory_growth)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda physical: {})
    device.gpus.cache_clear()
    found = device.gpus()
    device.gpus.cache_clear()
    assert [gpu.device for gpu in found] == ["/device:GPU:0", "/device:GPU:1"]
    assert grows == [] if initialized else [("first", True), ("second", True)]


def test_an_unused_gpu_or_tpu_is_warned_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "may_have_gpus", lambda: False)
    monkeypatch.setattr(unused_devices, "advice", lambda: "this machine has a TPU")
    device.gpus.cache_clear()
    with pytest.warns(UserWarning, match="this machine has a TPU"):
        assert device.gpus() == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert device.gpus() == ()
    device.gpus.cache_clear()


@pytest.mark.parametrize("installed", [True, False])
def test_a_mac_has_a_gpu_if_apples_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    if installed:
        information = tmp_path / "tensorflow_metal-1.2.0.dist-info" / "METADATA"
        information.parent.mkdir()
        information.write_text("Name: tensorflow-metal\nVersion: 1.2.0\n")
    assert device.may_have_gpus() is installed


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_tensorflow_uses_onednn_by_default(chosen: str | None, expected: str) -> None:
    environment = {n: value for n, value in os.environ.items() if n != "TF_ENABLE_ONEDNN_OPTS"}
    if chosen is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = chosen
    script = "import gpt2_helpers, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    root = Path(device.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.strip() == expected


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "auto"])
@pytest.mark.parametrize("capabilities", [[], [(7, 5)]])
def test_an_explicit_precision_is_used(
    monkeypatch: pytest.MonkeyPatch, capabilities: list[tuple[int, int]], precision: str
) -> None:
    has_gpus(monkeypatch, *capabilities)
    assert choose_precision(precision) == precision


def test_the_chosen_precision_works_on_this_machine() -> None:
    dtype = tf.as_dtype(choose_precision())
    product = tf.matmul(tf.ones([4, 4], dtype), tf.ones([4, 4], dtype))
    assert float(product[0, 0]) == 4.0


# --- Descriptions


def test_the_description_without_a_gpu_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    has_gpus(monkeypatch)
    monkeypatch.setattr(device, "cores", lambda: 3)
    monkeypatch.setattr(device, "main_memory", lambda: 12 * 2**30)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    assert describe() == [
        f"processor: 3 cores, {platform.machine()}, 12.0 GB of memory, bfloat16",
        "GPU: none (in Colab: Runtime > Change runtime type > T4 GPU)",
        "precision: bfloat16",
    ]


def test_the_description_lists_all_gpus_and_omits_unknown_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = (Gpu("/device:GPU:0", "Tesla T4", 15 * 2**30, (7, 5)), Gpu("/x:1", "?", None, None))
    monkeypatch.setattr(device, "gpus", lambda: found)
    monkeypatch.setattr(device, "main_memory", lambda: None)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: False)
    monkeypatch.setattr(device, "cores", lambda: 2)
    assert describe() == [
        f"processor: 2 cores, {platform.machine()}",
        "GPU: Tesla T4, 15.0 GB (/device:GPU:0)",
        "GPU: ? (/x:1)",
        "precision: float16",
    ]


def test_this_machine_is_described() -> None:
    assert device.cores() >= 1
    memory = device.main_memory()
    assert memory is None or memory > 2**28
    assert len(device.gpus()) == len(tf.config.list_physical_devices("GPU"))
    lines = describe()
    assert lines[0].startswith(f"processor: {device.cores()} cores")
    assert lines[-1] == f"precision: {choose_precision()}"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu.max": "of another kind\n"}, 8),
        ({}, 8),
    ],
)
def test_a_containers_cpu_limit_is_respected(
    files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(device, "CONTROL_GROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    device._container_cores.cache_clear()
    try:
        assert device.cores() == cores
    finally:
        device._container_cores.cache_clear()


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 9 kB\nMemFree: 3 kB\nMemAvailable: 7 kB\n")
    return path


def test_free_main_memory_is_what_the_system_reports(meminfo: Path, tmp_path: Path) -> None:
    assert free_main_memory(meminfo) == 7 * 1024
    meminfo.write_text("MemTotal: 9 kB\n")
    assert free_main_memory(meminfo) is None
    assert free_main_memory(tmp_path / "none") is None


def test_free_main_memory_respects_a_container_limit(meminfo: Path, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("6144\n")
    (tmp_path / "memory.current").write_text("1024\n")
    assert free_main_memory(meminfo, tmp_path) == 5 * 1024
    # The page cache of files is freed on demand.
    (tmp_path / "memory.stat").write_text("anon 512\nfile 512\ninactive_file 512\n")
    assert free_main_memory(meminfo, tmp_path) == 5 * 1024 + 512
    (tmp_path / "memory.stat").unlink()
    (tmp_path / "memory.current").write_text("9999\n")
    assert free_main_memory(meminfo, tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_main_memory(meminfo, tmp_path) == 7 * 1024


def test_free_main_memory_respects_a_cgroup_v1_limit(meminfo: Path, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("6144\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1024\n")
    stat = "cache 512\ninactive_file 256\ntotal_inactive_file 512\n"
    (tmp_path / "memory" / "memory.stat").write_text(stat)
    assert free_main_memory(meminfo, tmp_path) == 5 * 1024 + 256
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert free_main_memory(meminfo, tmp_path) == 7 * 1024
    assert free_main_memory(tmp_path / "none", tmp_path) is None
