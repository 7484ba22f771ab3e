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

from gpt2_helpers.tokenizer import Tokenizer
from works import THEIR_TEXTS, Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    if work.kind == "tokenize":
        return _tokenizing(folder)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # faster, also where TensorFlow leaves it off
    import gpt_2_simple as gpt2

    if work.kind in ("finetune", "memory"):
        return _training(gpt2, work, folder)
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name=folder.name, model_dir=str(folder.parent))
    texts = work.kind == "texts"
    tokenizer = Tokenizer.load(folder)

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
        if texts:  # It returns letters alone: what they are in tokens is not within its time.
            return [len(tokenizer.encode(text)) for text in written], seconds
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


def _tokenizing(folder: Path) -> Any:
    import importlib.util
    import json

    # Its package imports TensorFlow at once, which its encoder does not need.
    package = importlib.util.find_spec("gpt_2_simple")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location(
        "encoder", Path(package.origin).parent / "src" / "encoder.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vocabulary = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    lines = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
    encoder = module.Encoder(vocabulary, [tuple(line.split()) for line in lines])
    text = (folder / "text.txt").read_text(encoding="utf-8")
    return lambda: len(encoder.encode(text))
