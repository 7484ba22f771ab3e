"""Random weights of 124M's shape, made once, and the bundled model, in the layout of every library.

    python benchmarks/bench_weights.py FOLDER               # with the project's Python
    python benchmarks/bench_weights.py FOLDER --convert     # with the other libraries' Python

FOLDER/124M is a randomly initialized model. FOLDER/124M-ends is the same, except that the end token
has a probability of 1/20 at each position, since random weights never end a text.
FOLDER/tiny is the bundled model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.bench.workload import END_PROBABILITY
from workloads import END, TINY

NAMES = ("124M", "124M-ends")
HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"  # may have GPT-2's vocabulary and a play
VOCABULARY, PLAY = SHARED / "gpt2-vocab", SHARED / "corpus" / "tinyshakespeare.txt"
TEXT = PLAY if PLAY.is_file() else HERE.parent / "data" / "stories.txt"
TOKENIZER_FILES = ("encoder.json", "vocab.bpe")
END_PIECE = "<|endoftext|>"


def make(folder: Path, vocabulary: Path, text: Path) -> None:
    """Write both models and the text to tokenize, unless they exist for these sources."""
    from gpt2_helpers.checkpoint.model_files import save_model
    from gpt2_helpers.config import PRETRAINED_CONFIGS
    from gpt2_helpers.model.gpt2 import GPT2
    from gpt2_helpers.model.variables import random_weights

    files = {**_tokenizer_files(vocabulary), "text.txt": text.read_text(encoding="utf-8")}
    fingerprint = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    for name in NAMES:
        path = folder / name
        done = path / "done"
        if done.exists() and done.read_text(encoding="utf-8") == fingerprint:
            continue
        for layout in ("", "-transformers", "-ctranslate2", "-onnx"):
            shutil.rmtree(folder / f"{name}{layout}", ignore_errors=True)
        path.mkdir(parents=True)
        weights = random_weights(PRETRAINED_CONFIGS["124M"])
        if name == NAMES[1]:
            _let_end(weights)
        save_model(GPT2(PRETRAINED_CONFIGS["124M"], weights), path)
        for file, content in files.items():
            (path / file).write_text(content, encoding="utf-8")
        done.write_text(fingerprint, encoding="utf-8")
    _copy_bundled(folder / TINY, files["text.txt"])


def _copy_bundled(path: Path, text: str) -> None:
    """Copy the bundled model, and convert it again if it has changed."""
    from gpt2_helpers.config import BUNDLED_FOLDER

    files = {file.name: file.read_bytes() for file in BUNDLED_FOLDER.iterdir() if file.is_file()}
    files["text.txt"] = text.encode()
    if path.is_dir() and all(
        (path / name).is_file() and (path / name).read_bytes() == content
        for name, content in files.items()
    ):
        return
    shutil.rmtree(path.with_name(f"{path.name}-transformers"), ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_bytes(content)


def _tokenizer_files(vocabulary: Path) -> dict[str, str]:
    """GPT-2's tokenizer files if they exist, else the bundled model's with filler tokens.

    The fillers bring the vocabulary to GPT-2's size and occur in no text. They contain no space,
    which gpt-2-simple represents by another character.
    """
    if all((vocabulary / file).is_file() for file in TOKENIZER_FILES):
        return {file: (vocabulary / file).read_text(encoding="utf-8") for file in TOKENIZER_FILES}
    print(f"{vocabulary} has no {' and '.join(TOKENIZER_FILES)}: using the bundled vocabulary")
    from gpt2_helpers.config import BUNDLED_FOLDER

    pieces = json.loads((BUNDLED_FOLDER / "encoder.json").read_text(encoding="utf-8"))
    ordered = [piece for piece in sorted(pieces, key=pieces.__getitem__) if piece != END_PIECE]
    ordered += [f"<filler-{number}>" for number in range(END - len(ordered))]
    merges = (BUNDLED_FOLDER / "vocab.bpe").read_text(encoding="utf-8")
    numbered = {piece: number for number, piece in enumerate([*ordered, END_PIECE])}
    return {"encoder.json": json.dumps(numbered), "vocab.bpe": merges}


def _let_end(weights: dict[str, np.ndarray]) -> None:
    """Set the end token's probability to END_PROBABILITY in every context.

    This uses the bias of the last layer norm, along a direction in which only the embedding of the
    end token has a component.
    """
    from gpt2_helpers.config import PRETRAINED_CONFIGS
    from gpt2_helpers.model.gpt2 import GPT2

    gamma, width = 0.3, weights["model/wte"].shape[1]
    direction = np.ones(width, np.float32) / np.float32(np.sqrt(width))
    rows = weights["model/wte"]
    rows -= np.outer(rows @ direction, direction)
    rows[END] = gamma * direction
    ids = np.random.default_rng(1).integers(0, END, (8, 40))
    logits = GPT2(PRETRAINED_CONFIGS["124M"], weights).logits(ids).numpy().reshape(-1, len(rows))
    others = np.exp(np.delete(logits, END, axis=1)).sum(1)
    low, high = 0.0, 200.0
    for _ in range(60):  # bisection on the mean probability
        middle = (low + high) / 2
        end = np.exp(logits[:, END] + gamma * middle)
        too_low = (end / (end + others)).mean() < END_PROBABILITY
        low, high = (middle, high) if too_low else (low, middle)
    weights["model/ln_f/b"] = weights["model/ln_f/b"] + np.float32(low) * direction


def convert(folder: Path) -> None:
    """Convert the models to the layouts of transformers, CTranslate2 and onnxruntime."""
    import transformers

    from baselines.onnx_graph import write_graphs
    from gpt2_helpers.checkpoint.model_files import open_weights

    for name in (*NAMES, TINY):
        path, out = folder / name, folder / f"{name}-transformers"
        if not (out / "done").exists():
            shape, weights = open_weights(path, None)
            end = shape.n_vocab - 1
            config = transformers.GPT2Config(
                vocab_size=shape.n_vocab,
                n_positions=shape.n_ctx,
                n_embd=shape.n_embd,
                n_layer=shape.n_layer,
                n_head=shape.n_head,
                bos_token_id=end,
                eos_token_id=end,
            )
            model = transformers.GPT2LMHeadModel(config)
            model.load_state_dict(_hugging_face(weights, shape.n_layer), strict=False)
            model.tie_weights()
            model.save_pretrained(out)
            shutil.copyfile(path / "encoder.json", out / "vocab.json")
            shutil.copyfile(path / "vocab.bpe", out / "merges.txt")
            tokenizer = transformers.GPT2TokenizerFast.from_pretrained(str(out))
            tokenizer.save_pretrained(out)
            (out / "done").touch()
        if name == TINY:  # which the others are not measured with
            continue
        for_ctranslate2 = folder / f"{name}-ctranslate2"
        if not (for_ctranslate2 / "done").exists():
            import ctranslate2

            converter = ctranslate2.converters.TransformersConverter(str(out))
            converter.convert(str(for_ctranslate2), force=True)
            (for_ctranslate2 / "done").touch()
        for_onnx = folder / f"{name}-onnx"
        if not (for_onnx / "done").exists():
            for_onnx.mkdir(exist_ok=True)
            write_graphs(for_onnx, *open_weights(path, None))
            (for_onnx / "done").touch()


def _hugging_face(weights: Mapping[str, Any], n_layer: int) -> dict[str, Any]:
    """Tensors by transformers' names. Its matrices are (n_in, n_out), like OpenAI's."""
    import torch

    names = {
        "model/wte": "transformer.wte.weight",
        "model/wpe": "transformer.wpe.weight",
        "model/ln_f/g": "transformer.ln_f.weight",
        "model/ln_f/b": "transformer.ln_f.bias",
    }
    for layer in range(n_layer):
        old, new = f"model/h{layer}", f"transformer.h.{layer}"
        for part in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"):
            names[f"{old}/{part}/w"] = f"{new}.{part.replace('/', '.')}.weight"
            names[f"{old}/{part}/b"] = f"{new}.{part.replace('/', '.')}.bias"
        for part in ("ln_1", "ln_2"):
            names[f"{old}/{part}/g"] = f"{new}.{part}.weight"
            names[f"{old}/{part}/b"] = f"{new}.{part}.bias"
    tensors = {}
    for old, new in names.items():
        array = np.asarray(weights[old])
        tensors[new] = torch.from_numpy(array[0] if array.ndim == 3 else array)
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=Path, default=VOCABULARY)
    parser.add_argument("--text", type=Path, default=TEXT)
    parser.add_argument("--convert", action="store_true")
    options = parser.parse_args()
    if options.convert:
        convert(options.folder)
        return
    make(options.folder, options.vocabulary, options.text)


if __name__ == "__main__":
    main()
