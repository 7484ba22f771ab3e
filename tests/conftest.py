"""What all tests share: TensorFlow's environment, set before anything imports it, and fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Commands and notebook kernels that tests start inherit these too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The toy models of the tests gain nothing from more threads, and lose by waiting for them.
for kind in ("INTRAOP", "INTEROP"):
    os.environ.setdefault(f"TF_NUM_{kind}_THREADS", str(min(4, os.cpu_count() or 1)))
# The tests and a notebook's kernel use the GPU side by side: neither may take all of its memory.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

# Notebooks, wherever the tests run: the bundled model, few steps, and no run of the user's own.
for name, value in (("MODEL", "tiny"), ("RUN", "test"), ("STEPS", "20")):
    os.environ.setdefault(f"GPT2_{name}", value)

# A busy machine must not fail a test that is only slow.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the scripts beside the tests alone: looking for doctests would import them."""
    script = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if script else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public texts and vocabularies beside the checkout, where there is one."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared (texts, OpenAI's vocabulary), which is not here")
    return folder
