"""Creates hugging_face/: a GPT-2 and LoRA adapters of transformers and PEFT, and their logits.

Created with torch 2.13, transformers 5.23 and PEFT 0.21; from the repository's root:

    PYTHONPATH=tests/support/exchange PYTHON tests/support/golden/make_hugging_face.py

`model` has a vocabulary of its own with five special tokens, and `config.json` has GPT-2's end
token, which that vocabulary lacks, as many models of other languages do. `model.npz` and
`adapters.npz` have the ids and logits of TEXTS, see `results` in exchange/peer.py. `scores.npz` has
the log-probabilities of their tokens for windows and strides of SIZES, see `scores`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import peer

FOLDER = Path(__file__).with_name("hugging_face")
TEXTS = [
    "Der alte Fischer saß am Ufer.",
    "Die Straße führt über die Brücke, und was ist das?\n\n  Привет, 日本! 3½",
]
SIZES = [(48, 24), (47, 1), (20, 7), (9, 9)]  # window and stride
TRAINING = [
    "Der alte Fischer saß am Ufer und sah über das Wasser. Die Straße führt über die Brücke in die "
    "Stadt, und an der Brücke steht das Haus, in dem er wohnt. Was ist das für ein Haus?"
]


def main() -> None:
    """Write all files."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    os.chdir(FOLDER)  # PEFT saves the path of the base model
    shape = {"n_positions": 48, "n_embd": 16, "n_layer": 2, "n_head": 2}
    peer.make_model("model", TRAINING * 3, vocab_size=330, **shape)
    peer.make_adapters("adapters", "model", rank=4, targets=["c_attn", "mlp.c_proj"], lora_alpha=6)
    Path("adapters/README.md").unlink()
    peer.results("model", TEXTS, "model.npz")
    peer.results("model", TEXTS, "adapters.npz", "adapters")
    peer.scores("model", TEXTS, SIZES, "scores.npz")
    for path in sorted(Path().rglob("*.*")):
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
