"""The public functions that start, reset and load sessions, with gpt-2-simple's parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.console import print_line
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session, set_threads
from gpt2_helpers.system import device


def start_tf_sess(threads: int = -1, server: Any = None) -> Session:
    """Start a session, which holds the loaded model.

    Args:
        threads: Number of CPU threads to use; 0 or less uses all cores.
        server: Ignored; accepted for compatibility with gpt-2-simple.

    Returns:
        An empty session.

    Example:
        sess = gpt2.start_tf_sess()
    """
    set_threads(threads)
    return Session()


def reset_session(sess: Session, threads: int = -1, server: Any = None) -> Session:
    """Free the memory of a session's model and start a new session.

    This is not needed to load another model: a session can load any number of models in turn.

    Args:
        sess: The session to close.
        threads: Number of CPU threads to use; 0 or less uses all cores.
        server: Ignored; accepted for compatibility with gpt-2-simple.

    Returns:
        A new, empty session.

    Raises:
        OptionError: If `sess` is not a session.

    Example:
        sess = gpt2.reset_session(sess)
    """
    require_session(sess)
    sess.close()
    return start_tf_sess(threads, server)


def get_available_gpus() -> list[str]:
    """List the GPUs that can be used.

    Returns:
        TensorFlow's names of the GPUs, such as "/device:GPU:0".

    Example:
        print(gpt2.get_available_gpus())
    """
    return [gpu.device for gpu in device.gpus()]


def load_gpt2(
    sess: Session,
    checkpoint: str = "latest",
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    multi_gpu: bool = False,
    reuse: bool = False,
    *,
    precision: str = "auto",
) -> None:
    """Load a finetuned run or a pretrained model into a session, replacing its current model.

    Args:
        sess: A session from `start_tf_sess`.
        run_name: Name of the run to load.
        model_name: Pretrained model to load instead of a run.
        multi_gpu: Ignored; accepted for compatibility with gpt-2-simple.
        reuse: Ignored; accepted for compatibility with gpt-2-simple.

    Raises:
        OptionError: If an option is invalid.
        CheckpointError: If the run or the model is missing or damaged.

    Example:
        sess = gpt2.start_tf_sess()
        gpt2.load_gpt2(sess, run_name="run1")
    """
    require_session(sess)
    if model_name:
        sess.load_pretrained(model_name, model_dir, precision)
        print_line(f"loaded the pretrained model {model_name}")
    else:
        sess.load_run(run_name, checkpoint_dir, checkpoint, precision)
        print_line(f"loaded {run_name}")


def require_session(sess: Session) -> None:
    """Raise OptionError if an argument is not a session."""
    if not isinstance(sess, Session):
        raise OptionError(
            f"sess must be a session, got {type(sess).__name__}: sess = gpt2.start_tf_sess()"
        )
