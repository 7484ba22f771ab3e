"""Finetuning `tiny` in other languages with its English vocabulary and with one of the text.

The last tenth of each text is held out. Both models are trained for the same number of steps of the
same number of tokens; the result is bits per byte of the held-out text, which does not depend on
the vocabulary:

    python benchmarks/languages.py --text german=novella.txt

`--pretrain` trains small models from scratch instead, in Russian, Japanese and Arabic and on the
source code of Python's standard library.
"""

from __future__ import annotations

import argparse
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import FinetuneConfig, RunConfig
from gpt2_helpers.evaluation.perplexity import bits_per_byte
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.adapt_vocabulary import adapt_vocabulary
from gpt2_helpers.training.pretrain import finish, prepare
from gpt2_helpers.training.pretrain_config import PRETRAIN_FINETUNE, PretrainConfig
from gpt2_helpers.training.run import FinetuneRun
from language_texts import LANGUAGES, make_text
from machine_info import machine

SEEDS = (1, 2, 3)
STEPS, BATCH_SIZE = 100, 8
VOCAB_SIZE = 2048
# The generated texts have fewer different words.
SMALLER_VOCAB_SIZES = {"russian": 900, "arabic": 700}
CODE_BYTES = 1_000_000


def split(text: str) -> tuple[str, str]:
    """The text without its last tenth, and that tenth, from a whole line on."""
    cut = text.rindex("\n", 0, len(text) * 9 // 10) + 1
    return text[:cut], text[cut:]


def size_of(name: str) -> int:
    """The size of the vocabulary that is trained on the text of this name."""
    return SMALLER_VOCAB_SIZES.get(name, VOCAB_SIZE)


def standard_library() -> str:
    """Source code of Python's standard library, in a fixed order."""
    folder = Path(sysconfig.get_path("stdlib"))
    text = ""
    for path in sorted(folder.glob("*.py")):
        text += path.read_text("utf-8") + "\n"
        if len(text) > CODE_BYTES:
            break
    return text[:CODE_BYTES]


def finetuned(text: Path, held_out: str, model: str, seed: int, folder: Path) -> float:
    """Bits per byte of the held-out text after finetuning."""
    run = FinetuneRun(
        str(text),
        FinetuneConfig(
            steps=STEPS,
            batch_size=BATCH_SIZE,
            accumulate_gradients=1,
            learning_rate=0.001,
            lr_schedule="linear",
            warmup_steps=20,
            seed=seed,
        ),
        RunConfig(
            model_name=model,
            run_name=f"{Path(model).name}-{seed}",
            checkpoint_dir=str(folder / "runs"),
            sample_every=0,
        ),
    )
    for _ in run:
        pass
    return bits_per_byte(run.model, run.tokenizer, held_out)


def compare(texts: dict[str, str]) -> None:
    """Print a table of both vocabularies."""
    print(f"\n{STEPS} steps of {BATCH_SIZE} sequences, mean (and range) of {len(SEEDS)} seeds\n")
    print("| text | tokens per character | bits per byte |\n|---|---|---|")
    for name, text in texts.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            training, held_out = split(text)
            path = folder / f"{name}.txt"
            path.write_text(training, encoding="utf-8")
            adapted = adapt_vocabulary(path, folder / "adapted", "tiny", vocab_size=size_of(name))
            rates = {"tiny": adapted.tokens_before, str(adapted.folder): adapted.tokens_after}
            for model, rate in rates.items():
                values = [finetuned(path, held_out, model, seed, folder) for seed in SEEDS]
                vocabulary = "English" if model == "tiny" else "adapted"
                print(
                    f"| {name}, {vocabulary} vocabulary | {rate:.2f} | {np.mean(values):.3f} "
                    f"({min(values):.3f} to {max(values):.3f}) |",
                    flush=True,
                )


def pretrain(texts: dict[str, str], steps: int) -> None:
    """Print a table of models that are trained from scratch."""
    print(f"\nFrom scratch, {steps} steps\n\n| text | bytes | bits per byte |\n|---|---|---|")
    for name, text in texts.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            training, held_out = split(text)
            path = folder / f"{name}.txt"
            path.write_text(training, encoding="utf-8")
            options = {**vars(PRETRAIN_FINETUNE), "steps": steps, "seed": 1, "eval_every": steps}
            run = prepare(
                path,
                folder / "model",
                PretrainConfig(vocab_size=size_of(name), n_embd=128, n_layer=4, n_head=4),
                FinetuneConfig(**options),
                RunConfig(save_every=0),
            )
            assert run is not None
            for _ in run:
                pass
            out = finish(folder / "model")
            bits = bits_per_byte(load_model(out), Tokenizer.load(out), held_out)
            print(f"| {name} | {len(training.encode()):,} | {bits:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--text", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--pretrain", action="store_true")
    options = parser.parse_args()
    print(machine())
    if options.pretrain:
        texts = {name: make_text(name) for name in LANGUAGES}
        pretrain(texts | {"Python's standard library": standard_library()}, steps=600)
        return
    texts = {"russian": make_text("russian")}
    for pair in options.text:
        name, _, path = pair.partition("=")
        texts[name] = Path(path).read_text("utf-8")
    compare(texts)


if __name__ == "__main__":
    main()
