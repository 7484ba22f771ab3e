"""When programs are compiled, and what is said where they cannot be."""

from __future__ import annotations

import warnings

import pytest

from gpt2_helpers.system import device, xla
from gpt2_helpers.system.device import Gpu

T4 = Gpu("/device:GPU:0", "Tesla T4", 16 * 2**30, (7, 5))


@pytest.fixture(autouse=True)
def _undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xla, "_failed", [])
    monkeypatch.delenv(xla.VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("variable", "gpus", "compiles"),
    [
        (None, (), False),
        (None, (T4,), True),
        ("", (T4,), True),
        ("0", (T4,), False),
        ("1", (), True),
    ],
)
def test_programs_are_compiled_on_a_gpu_by_default(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, gpus: tuple[Gpu, ...], compiles: bool
) -> None:
    monkeypatch.setattr(device, "gpus", lambda: gpus)
    if variable is not None:
        monkeypatch.setenv(xla.VARIABLE, variable)
    assert xla.is_enabled() is compiles


def test_after_a_failure_nothing_is_compiled_and_one_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(xla.VARIABLE, "1")
    message = r"libdevice not found at \./libdevice\.10\.bc\).*pip install .tensorflow\[and-cuda\]"
    with pytest.warns(UserWarning, match=message):
        xla.give_up(RuntimeError("libdevice not found at ./libdevice.10.bc"))
    assert not xla.is_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xla.give_up(RuntimeError("again"))


def test_tracing_ends_with_its_block() -> None:
    assert not xla.is_tracing()
    with xla.tracing():
        assert xla.is_tracing()
        with xla.tracing(False):
            assert not xla.is_tracing()
    with pytest.raises(KeyError), xla.tracing():
        raise KeyError
    assert not xla.is_tracing()
