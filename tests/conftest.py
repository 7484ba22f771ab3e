"""What all tests share: TensorFlow's environment, set before anything imports it, and fixtures."""

from __future__ import annotations

import builtins
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

import gpt2_helpers  # noqa: F401 - sets more of that environment
from paths import FAKES, SHARED

if TYPE_CHECKING:
    from gpt2_helpers.session import Session

# Commands and notebook kernels that tests start inherit these too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The toy models of the tests gain nothing from more threads, and lose by waiting for them; and
# several processes share the cores.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
for kind in ("INTRAOP", "INTEROP"):
    os.environ.setdefault(
        f"TF_NUM_{kind}_THREADS", str(max(1, min(4, (os.cpu_count() or 1) // WORKERS)))
    )
# The tests and a notebook's kernel use the GPU side by side: neither may take all of its memory.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

# A shell that starts the tests in the background has them ignore Ctrl-C, and some send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not fail a test that is only slow. The suite tries the same inputs each time;
# `make fuzz` goes on to others.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("others", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("same")

gc.disable()  # until the tests are collected: imports and test items produce no garbage


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the scripts next to the tests alone: looking for doctests would import them."""
    script = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if script else None


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: servers, browsers and killed processes keep some workers waiting."""
    return (os.cpu_count() or 1) + 1


# These take minutes: what is long begins first, so that all workers end together.
LONGEST = (
    "test_browser.py", "test_notebook_runs.py", "test_crashes.py", "test_session.py",
    "test_finetune.py", "test_page.py", "test_worker_pool.py", "test_trainer.py",
    "test_bad_input.py", "test_quality.py", "test_initial_weights.py", "test_arguments.py",
    "test_drive_backup.py", "test_lora.py", "test_run.py", "test_deploy.py",
    "test_completing_code.py", "generate.ipynb",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file the order stays."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_collection_finish() -> None:
    """Save time in all tests."""
    # With toy models, optimizing TensorFlow's graphs takes longer than running them. The commands,
    # servers and notebooks that tests start optimize them.
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # TensorFlow and the test items are half a million objects. Traversing them took a fifth of the
    # tests' time, since closing a session collects garbage.
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def objects_that_remain() -> Iterator[None]:
    """Exclude what the tests of a file leave behind, such as TensorFlow's graphs, as well."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def threads_that_a_test_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget them after it."""
    from gpt2_helpers.system import device

    monkeypatch.setattr(device, "_max_threads", [])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public texts and vocabularies next to the checkout, if there is one."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared (texts, OpenAI's vocabulary), which is not here")
    return SHARED


@pytest.fixture(scope="module")
def tiny() -> Session:
    """A session with the bundled model, for one server at a time."""
    from gpt2_helpers.session import Session

    session = Session()
    session.load_pretrained("tiny")
    return session


@pytest.fixture(scope="session")
def shallow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with one of the bundled model's layers. Read-only."""
    from shallow import write_shallow

    return write_shallow(tmp_path_factory.mktemp("shallow") / "shallow")


@pytest.fixture
def shallow_tiny(shallow_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `tiny` have one layer, where only the code around the model is tested: it compiles in a
    fifth of the time."""
    from gpt2_helpers.checkpoint import model_folders

    monkeypatch.setattr(model_folders, "BUNDLED_FOLDER", shallow_folder)


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Run TensorFlow eagerly: compiling takes longer than a few steps of a toy."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def fake_colab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Simulate Colab with the fake google.colab in `fakes`; returns the contents of Drive, which is
    not mounted."""
    monkeypatch.setattr(builtins, "open", builtins.open)  # a fake Drive with a quota replaces it
    monkeypatch.setattr(os.path, "ismount", os.path.ismount)  # the fake mount is not a real one
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_test")
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "content" / "drive"))
    monkeypatch.setenv("FAKE_COLAB_DRIVE", str(tmp_path / "google"))
    (tmp_path / "google" / "MyDrive").mkdir(parents=True)
    yield tmp_path / "google" / "MyDrive"
    for name in [name for name in sys.modules if name.startswith("google.colab")]:
        del sys.modules[name]  # in_colab() looks for it
