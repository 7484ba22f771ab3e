"""gpt-2-simple, by the calls that its users make."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from works import Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    if work.kind == "tokenize":
        return _tokenizing(folder)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import gpt_2_simple as gpt2

    place = Path(tempfile.mkdtemp())
    os.chdir(place)  # it writes checkpoint/ and samples/ where it stands
    if work.kind in ("finetune", "memory"):
        return _training(gpt2, work, folder, place)
    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name=folder.name, model_dir=str(folder.parent))
    texts = work.kind == "texts"

    def run() -> int:
        count = 400 if texts else work.batch
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
        return len(written) if texts else count * work.length

    return run


class _Clock(io.StringIO):
    """Notes when each line of progress is printed."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []

    def write(self, text: str) -> int:
        if "loss=" in text:
            self.moments.append(time.perf_counter())
        return len(text)


def _training(gpt2: Any, work: Work, folder: Path, place: Path) -> Any:
    tokens = np.random.default_rng(0).integers(0, 50257, 50_000)
    np.savez(place / "tokens.npz", tokens)

    def run() -> tuple[int, float]:
        gpt2.reset_session(gpt2.start_tf_sess())
        sess, clock, steps = gpt2.start_tf_sess(), _Clock(), 2
        with contextlib.redirect_stdout(clock):
            gpt2.finetune(
                sess,
                str(place / "tokens.npz"),
                model_name=folder.name,
                model_dir=str(folder.parent),
                steps=steps + 1,
                batch_size=work.batch,
                accumulate_gradients=work.accumulate,
                restore_from="fresh",
                sample_every=10**6,
                save_every=10**6,
                print_every=1,
                overwrite=True,
            )
        gpt2.reset_session(sess)
        shutil.rmtree(place / "checkpoint", ignore_errors=True)
        return steps, clock.moments[-1] - clock.moments[-1 - steps]

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
