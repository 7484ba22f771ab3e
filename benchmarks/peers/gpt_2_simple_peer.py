"""gpt-2-simple, by the calls that its users make. Its memory-saving gradients refuse TensorFlow 2.

It writes checkpoint/ and samples/ where it stands, which is an empty folder of this process's own.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import tokenizing
from works import THEIR_TEXTS, Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    if work.kind == "tokenize":
        theirs, _ = tokenizing.gpt_2_simple(folder)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(theirs(text))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # faster, also where TensorFlow leaves it off
    import gpt_2_simple as gpt2

    if work.kind in ("finetune", "memory"):
        return _training(gpt2, work, folder)
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name=folder.name, model_dir=str(folder.parent))
    texts = work.kind == "texts"
    encode = tokenizing.ours(folder)[0] if texts else None

    def run() -> Any:
        count = THEIR_TEXTS if texts else work.batch
        start = time.perf_counter()
        written = gpt2.generate(
            sess,
            model_name=folder.name,
            model_dir=str(folder.parent),
            length=work.length,
            temperature=1.0 if texts else 0.7,
            top_k=work.top_k,
            top_p=work.top_p,
            nsamples=count,
            batch_size=work.batch,
            truncate="<|endoftext|>" if texts else None,
            return_as_list=True,
        )
        seconds = time.perf_counter() - start
        if work.kind == "likeliest":
            return written[0]
        if encode:  # It returns letters alone: what they are in tokens is not within its time.
            return [len(encode(text)) for text in written], seconds
        return count * work.length

    return run


class _Turns(io.StringIO):
    """Holds a training up at each line of progress that it prints, until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Semaphore(0)
        self.done: queue.Queue[BaseException | None] = queue.Queue()

    def write(self, text: str) -> int:
        if "loss=" in text:
            self.done.put(None)
            self.go_on.acquire()
        return len(text)


def _training(gpt2: Any, work: Work, folder: Path) -> Any:
    tokens = Path("tokens.npz")
    np.savez(tokens, np.random.default_rng(0).integers(0, 50257, 50_000))
    turns = _Turns()

    def train() -> None:
        turns.go_on.acquire()
        try:
            with contextlib.redirect_stdout(turns):
                gpt2.finetune(
                    gpt2.start_tf_sess(),
                    str(tokens),
                    model_name=folder.name,
                    model_dir=str(folder.parent),
                    steps=-1,
                    batch_size=work.batch,
                    accumulate_gradients=work.accumulate,
                    restore_from="fresh",
                    sample_every=10**6,
                    save_every=10**6,
                    print_every=1,
                )
        except BaseException as error:
            turns.done.put(error)

    threading.Thread(target=train, daemon=True).start()

    def run() -> int:
        count = 2 if work.kind == "memory" else 1
        for _ in range(count):
            turns.go_on.release()
            if (error := turns.done.get()) is not None:
                raise error
        return count

    return run
