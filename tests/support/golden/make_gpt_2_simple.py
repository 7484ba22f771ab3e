"""Creates reference results of gpt-2-simple: gpt_2_simple.npz, gpt_2_simple_run/, tokenizer.json.

The last one needs OpenAI's vocabulary.

Needs gpt-2-simple 0.8.1, TensorFlow 2.21 and transformers.npz, whose weights it trains. From the
repository's root:

    export PYTHONPATH=.:tests/support
    python tests/support/golden/make_gpt_2_simple.py [--vocabulary FOLDER]

gpt_2_simple.npz has `windows` (40, n_ctx), the ids given to gpt-2-simple's `finetune` in place of
random ones, in order, and for each of TRAININGS `losses/NAME`, the loss at each step.
gpt_2_simple_run/ is the run folder of the training `adam`, without the graph (.meta) and the
events, which are large. tokenizer.json lists [text, ids] of its encoder with the vocabulary in
FOLDER (OpenAI's encoder.json and vocab.bpe).

    python tests/support/golden/make_gpt_2_simple.py --check checkpoint/run1

creates nothing: it compares the logits of both packages for that run folder.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import variable_shapes
from hard_strings import HARD_STRINGS
from toy import toy_tokenizer

HERE = Path(__file__).parent
STEPS = 20
TRAININGS: dict[str, dict[str, Any]] = {
    "adam": {"batch_size": 2, "learning_rate": 1e-3, "accumulate_gradients": 1},
    # gpt-2-simple sums the gradients of its passes, we average them: for Adam this differs only by
    # the effect of epsilon.
    "accumulated": {"batch_size": 1, "learning_rate": 1e-3, "accumulate_gradients": 2},
    "sgd": {
        "batch_size": 2,
        "learning_rate": 1e-2,
        "accumulate_gradients": 1,
        "optimizer": "sgd",
    },
    "layers": {
        "batch_size": 2,
        "learning_rate": 1e-3,
        "accumulate_gradients": 1,
        "only_train_transformer_layers": True,
    },
}


def golden_model() -> GPT2:
    """The toy model of transformers.npz."""
    with np.load(HERE / "transformers.npz") as golden:
        config = ModelConfig(*(int(number) for number in golden["config"]))
        return GPT2(config, {name: golden[name] for name in variable_shapes(config)})


def training_windows(config: ModelConfig) -> np.ndarray:
    """Ids of text from random positions, (40, n_ctx)."""
    text = "What is the best thing that you ever have been to? " * 3
    text += "How would people of your kind start the end of a text? " * 3
    ids = np.array(toy_tokenizer().encode(text))
    random = np.random.default_rng(11)
    starts = random.integers(0, len(ids) - config.n_ctx, 2 * STEPS)
    return np.stack([ids[start : start + config.n_ctx] for start in starts]).astype(np.int32)


class GivenWindows:
    """Replaces gpt-2-simple's Sampler and returns given windows in order."""

    def __init__(self, windows: np.ndarray) -> None:
        self.windows = iter(windows)
        self.total_size = windows.size

    def sample(self, length: int) -> np.ndarray:
        """The next window; ignores the requested length, which is always 1024."""
        return next(self.windows)


def logged_losses(run: Path) -> np.ndarray:
    """Losses (steps,) from TensorBoard events in fp32; the printed ones have two digits."""
    losses = {}
    for path in run.glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                losses[event.step] = value.simple_value
    return np.array([losses[step] for step in sorted(losses)], np.float32)


def train(peer: Any, name: str, windows: np.ndarray) -> np.ndarray:
    """Finetune `models/toy` with gpt-2-simple into `checkpoint/NAME`; returns its losses."""
    peer.Sampler = lambda chunks: GivenWindows(windows)
    tf.compat.v1.reset_default_graph()
    peer.finetune(
        peer.start_tf_sess(threads=1),
        dataset="text.txt",
        steps=STEPS,
        model_name="toy",
        restore_from="fresh",
        run_name=name,
        sample_every=1000,
        sample_length=4,
        **TRAININGS[name],
    )
    losses = logged_losses(Path("checkpoint") / name)
    if losses.shape != (STEPS,):
        raise SystemExit(f"{name}: {losses.shape} losses")
    print(f"{name}: loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return losses


def make_runs() -> None:
    """Train in a temporary folder; keep the losses and one run."""
    model, tokenizer = golden_model(), toy_tokenizer()
    windows = training_windows(model.config)
    golden = {"windows": windows}
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        save_model(model, "models/toy")
        tokenizer.save("models/toy")
        Path("text.txt").write_text("any text: the windows are given", encoding="utf-8")
        # Importing it disables eager execution for good, so this package's work comes first.
        peer = importlib.import_module("gpt_2_simple.gpt_2")
        for name in TRAININGS:
            golden[f"losses/{name}"] = train(peer, name, windows)
        kept = HERE / "gpt_2_simple_run"
        shutil.rmtree(kept, ignore_errors=True)
        ignored = shutil.ignore_patterns("*.meta", "events*")
        shutil.copytree("checkpoint/adam", kept, ignore=ignored)
        os.chdir(before)
    np.savez_compressed(HERE / "gpt_2_simple.npz", **golden)


def make_tokenizer_ids(vocabulary: Path) -> None:
    """gpt-2-simple's ids of hard strings, as [text, ids]."""
    encoder = importlib.import_module("gpt_2_simple.src.encoder")
    peer = encoder.get_encoder(str(vocabulary))
    rows = [[text, peer.encode(text)] for text in HARD_STRINGS]
    lines = ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows)
    path = HERE / "tokenizer.json"
    path.write_text(f"[\n{lines}\n]\n", encoding="ascii")
    if json.loads(path.read_text(encoding="ascii")) != rows:
        raise SystemExit("tokenizer.json does not read back as it was written")
    if any(peer.decode(ids) != text for text, ids in rows):
        raise SystemExit("gpt-2-simple does not decode its own ids to the text")
    print(f"tokenizer.json: {len(rows)} texts, {sum(len(ids) for _, ids in rows)} ids")


def check(run: Path) -> None:
    """Compare the logits of gpt-2-simple and this package for a run folder."""
    model = load_model(run)
    random = np.random.default_rng(0)
    ids = random.integers(0, model.config.n_vocab, (2, min(64, model.config.n_ctx)))
    ours = model.logits(ids).numpy()
    peer = importlib.import_module("gpt_2_simple.gpt_2")
    session = peer.start_tf_sess(threads=1)
    names = {"run_name": run.name, "checkpoint_dir": str(run.parent)}
    peer.load_gpt2(session, **names)
    hparams = peer.model.default_hparams()
    hparams.override_from_dict(json.loads((run / "hparams.json").read_text(encoding="utf-8")))
    context = tf.compat.v1.placeholder(tf.int32, ids.shape)
    logits = peer.model.model(hparams=hparams, X=context, reuse=True)["logits"]
    theirs = session.run(logits, {context: ids})
    print(f"gpt-2-simple opens {run}; largest difference of logits {abs(ours - theirs).max():.2g}")
    length = model.config.n_ctx - 2
    print(peer.generate(session, **names, length=length, return_as_list=True, seed=1))


def main() -> None:
    """See the docstring of this module."""
    parser = argparse.ArgumentParser(description="golden numbers of gpt-2-simple")
    parser.add_argument("--vocabulary", type=Path, help="folder with OpenAI's encoder.json")
    parser.add_argument("--check", type=Path, help="a run folder for gpt-2-simple to open")
    options = parser.parse_args()
    if options.check:
        check(options.check.resolve())
        return
    make_runs()
    if options.vocabulary:
        make_tokenizer_ids(options.vocabulary)


if __name__ == "__main__":
    main()
