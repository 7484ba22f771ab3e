"""TensorFlow started without its greetings, by every face that a person looks at."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Holds back what is written to stderr from below Python, which no setting silences. It is
    shown where an exception ends the block. For one thread at a time: it is the whole process's."""
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed, as where a program runs without a terminal
        stderr = -1
    if stderr < 0:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def forget_graphs() -> None:
    """Free what TensorFlow keeps of compiled functions that are gone, some megabytes for each model
    that was trained. Those that are still there are prepared anew at their next call."""
    if "tensorflow" not in sys.modules:
        return
    from tensorflow.python.eager import context

    # As keras.utils.clear_session does, which would also forget the names of others' layers.
    context.context().clear_kernel_cache()


def init_gpus() -> None:
    """Load TensorFlow where a GPU may be, of which it can tell; leave it alone elsewhere."""
    from gpt2_helpers.system import device

    if device.may_have_gpus():
        load_tensorflow()


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for GPUs."""
    with suppress_stderr():
        import tensorflow as tf

        from gpt2_helpers.system import device

        device.gpus()
        tf.zeros((), tf.float16)  # some processors are told apart at the first such number
