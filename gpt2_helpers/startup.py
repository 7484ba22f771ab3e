"""TensorFlow started without its greetings, by every face that a person looks at."""

from __future__ import annotations

import os
import sys
import tempfile


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for GPUs. What it says on stderr while it does, which no
    setting of its own silences, is shown only where the import fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow as tf

            from gpt2_helpers import device

            device.gpus()
            tf.zeros((), tf.float16)  # some processors are told apart at the first such number
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
