"""gpt-2-simple, called as its users do. Its memory-saving gradients do not run on TensorFlow 2.

It writes checkpoint/ and samples/ into the working folder, an empty one of this process.
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
from gpt2_helpers.bench.workload import BASELINE_TEXTS, Workload


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    if workload.kind == "tokenize":
        theirs = tokenizing.gpt_2_simple(folder)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(theirs(text))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # faster, and off by default on some CPUs
    import gpt_2_simple as gpt2

    if workload.kind in ("finetune", "memory"):
        return _training(gpt2, workload, folder)
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name=folder.name, model_dir=str(folder.parent))
    texts = workload.kind == "texts"
    encode = tokenizing.ours_without_tiktoken(folder) if texts else None

    def run() -> Any:
        count = BASELINE_TEXTS if texts else workload.batch
        start = time.perf_counter()
        written = gpt2.generate(
            sess,
            model_name=folder.name,
            model_dir=str(folder.parent),
            length=workload.length,
            temperature=1.0 if texts else 0.7,
            top_k=workload.top_k,
            top_p=workload.top_p,
            nsamples=count,
            batch_size=workload.batch,
            truncate="<|endoftext|>" if texts else None,
            return_as_list=True,
        )
        seconds = time.perf_counter() - start
        if workload.kind == "most likely":
            return written[0]
        if encode:  # it returns text only; counting its tokens is not part of the measured time
            return [len(encode(text)) for text in written], seconds
        return count * workload.length

    return run


class _PausingOutput(io.StringIO):
    """Pauses a training at each line of progress that it prints, until `resume` is released."""

    def __init__(self) -> None:
        super().__init__()
        self.resume = threading.Semaphore(0)
        self.done: queue.Queue[BaseException | None] = queue.Queue()

    def write(self, text: str) -> int:
        if "loss=" in text:
            self.done.put(None)
            self.resume.acquire()
        return len(text)


def _training(gpt2: Any, workload: Workload, folder: Path) -> Any:
    tokens = Path("tokens.npz")
    np.savez(tokens, np.random.default_rng(0).integers(0, 50257, 50_000))
    output = _PausingOutput()

    def train() -> None:
        output.resume.acquire()
        try:
            with contextlib.redirect_stdout(output):
                gpt2.finetune(
                    gpt2.start_tf_sess(),
                    str(tokens),
                    model_name=folder.name,
                    model_dir=str(folder.parent),
                    steps=-1,
                    batch_size=workload.batch,
                    accumulate_gradients=workload.accumulate,
                    restore_from="fresh",
                    sample_every=10**6,
                    save_every=10**6,
                    print_every=1,
                )
        except BaseException as error:
            output.done.put(error)

    threading.Thread(target=train, daemon=True).start()

    def run() -> int:
        output.resume.release()
        if (error := output.done.get()) is not None:
            raise error
        return 1

    return run
