"""Loading TensorFlow without its log messages, and freeing what it caches."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Suppress what native code writes to stderr, which no setting silences.

    If the block raises, the output is shown. Affects the whole process: use it in one thread only.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed, for example in a program without a terminal
        stderr = -1
    if stderr < 0:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def free_graphs() -> None:
    """Free TensorFlow's cache of compiled functions, some megabytes per trained model.

    Functions that are still in use are prepared again at their next call.
    """
    if "tensorflow" not in sys.modules:
        return
    from tensorflow.python.eager import context

    # A part of keras.utils.clear_session, which would also reset the layer names of other code.
    context.context().clear_kernel_cache()


def init_gpus() -> None:
    """Load TensorFlow and let it find GPUs if the machine may have some; else do nothing."""
    from gpt2_helpers.system import device

    if device.may_have_gpus():
        load_tensorflow()


def load_tensorflow() -> None:
    """Import TensorFlow and let it find GPUs, without its log messages."""
    with suppress_stderr():
        import tensorflow as tf

        from gpt2_helpers.system import device

        device.gpus()
        tf.zeros((), tf.float16)  # some messages about the processor appear only with this type
