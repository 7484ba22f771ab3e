"""Properties that hold for any input, tested with hypothesis."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, SamplingConfig
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.generation.sampling import MIN_TEMPERATURE, sample_next_tokens
from gpt2_helpers.tokenizer import Tokenizer
from toy import toy_model, toy_tokenizer

# --- Sampling

# Few distinct values, so that many are equal, and values of all magnitudes.
LOGITS = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-60, 60, width=32)), min_size=1, max_size=300
)
UNIFORM = st.floats(0, 1, exclude_max=True, width=32)


def chosen(rows: Any, uniform_samples: Any, **options: Any) -> np.ndarray:
    config = SamplingConfig(**options)
    return sample_next_tokens(
        np.array(rows, np.float32), np.array(uniform_samples, np.float32), config
    )


@given(logits=LOGITS, uniform=UNIFORM, k=st.integers(1, 400), temperature=st.floats(0.01, 5))
def test_only_ids_within_top_k_are_sampled(
    logits: list[float], uniform: float, k: int, temperature: float
) -> None:
    (token,) = chosen([logits], [uniform], top_k=k, temperature=temperature)
    higher = sum(other > logits[token] for other in np.array(logits, np.float32))
    assert higher < k


@given(logits=LOGITS, uniform=UNIFORM, p=st.floats(0.01, 1), temperature=st.floats(0.05, 5))
def test_only_ids_within_the_nucleus_are_sampled(
    logits: list[float], uniform: float, p: float, temperature: float
) -> None:
    (token,) = chosen([logits], [uniform], top_p=p, temperature=temperature)
    scaled = np.array(logits, np.float64) / temperature
    probabilities = np.exp(scaled - scaled.max())
    probabilities /= probabilities.sum()
    # Likelier ids add up to less than p, up to rounding.
    likelier = probabilities > probabilities[token] * (1 + 1e-5)
    assert probabilities[likelier].sum() < p + 1e-5


@example([0.0, -8.289124462299137e-23], 0.875, {})
@example([0.0, 1.1920928955078125e-07], 0.0, {})
@given(logits=LOGITS, uniform=UNIFORM, options=st.sampled_from([{}, {"top_k": 5}, {"top_p": 0.9}]))
def test_temperature_zero_takes_the_likeliest_id(
    logits: list[float], uniform: float, options: dict[str, Any]
) -> None:
    (token,) = chosen([logits], [uniform], temperature=0.0, **options)
    assert token == int(np.argmax(np.array(logits, np.float32)))
    (cold,) = chosen([logits], [uniform], temperature=1e-9, **options)
    # Lower temperatures are raised to MIN_TEMPERATURE, at which logits closer than the range of
    # the noise are not told apart.
    assert np.float32(logits[cold]) >= max(np.array(logits, np.float32)) - 32 * MIN_TEMPERATURE


@given(
    logits=LOGITS,
    uniform_samples=st.lists(UNIFORM, min_size=2, max_size=5),
    options=st.sampled_from([{}, {"top_k": 3}, {"top_p": 0.7}]),
)
def test_a_row_is_sampled_as_if_it_were_alone(
    logits: list[float], uniform_samples: list[float], options: dict[str, Any]
) -> None:
    rows = [logits[shift:] + logits[:shift] for shift in range(len(uniform_samples))]
    alone = [
        chosen([row], [one], **options)[0] for row, one in zip(rows, uniform_samples, strict=True)
    ]
    assert chosen(rows, uniform_samples, **options).tolist() == alone


# --- Text


@given(text=st.text(), special=st.booleans())
def test_decoding_reverses_encoding(text: str, special: bool) -> None:
    assert TINY.decode(TINY.encode(text, special)) == text


TINY = Tokenizer.load(BUNDLED_FOLDER)


@given(text=st.text(alphabet=st.characters(categories=["Cs", "Lu", "Zs"]), min_size=1))
def test_lone_surrogates_are_refused(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        with pytest.raises(DatasetError, match="lone surrogate"):
            TINY.encode(text)
    else:
        assert TINY.decode(TINY.encode(text)) == text


# --- Generation


@pytest.fixture(scope="module")
def decoders() -> DecoderPool:
    tokenizer = toy_tokenizer()
    shape = ModelConfig(tokenizer.n_vocab, n_ctx=16, n_embd=16, n_head=2, n_layer=1)
    return DecoderPool(toy_model(shape, scale=20))


@settings(max_examples=40)
@given(
    prefix=st.sampled_from(["", "What", "the best thing", "é\n"]),
    truncate=st.sampled_from([None, "e", " th", "\n", "best"]),
    include_prefix=st.booleans(),
    nsamples=st.integers(1, 5),
    batch_sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    length=st.integers(14, 40),
    top_k=st.integers(0, 9),
    seed=st.integers(0, 2**31),
)
def test_generated_texts_follow_their_options(
    decoders: DecoderPool,
    prefix: str,
    truncate: str | None,
    include_prefix: bool,
    nsamples: int,
    batch_sizes: tuple[int, int],
    length: int,
    top_k: int,
    seed: int,
) -> None:
    """Texts are the same for any batch size, as many as requested, with or without the prefix, and
    end before the first `truncate`."""
    tokenizer = toy_tokenizer()
    found = []
    for batch_size in batch_sizes:
        config = SamplingConfig(
            length=length,
            nsamples=nsamples,
            batch_size=batch_size,
            truncate=truncate,
            include_prefix=include_prefix,
            top_k=top_k,
            seed=seed,
        )
        results = list(in_order(generate(decoders, tokenizer, prefix, config)))
        assert [result.index for result in results] == list(range(nsamples))
        found.append([result.text for result in results])
    assert found[0] == found[1]
    for text in found[0]:
        if include_prefix:
            assert text.startswith(prefix.lstrip("\n"))
        generated = text[len(prefix) :] if include_prefix else text
        assert "<|endoftext|>" not in generated
        assert truncate is None or truncate not in generated


# --- Model shapes


@given(
    heads=st.integers(1, 40),
    head_dim=st.integers(1, 128),
    n_vocab=st.integers(1, 10**7),
    n_ctx=st.integers(1, 10**6),
    n_layer=st.integers(1, 200),
)
def test_loading_a_shape_reverses_saving(
    heads: int, head_dim: int, n_vocab: int, n_ctx: int, n_layer: int
) -> None:
    shape = ModelConfig(n_vocab, n_ctx, heads * head_dim, heads, n_layer)
    with tempfile.TemporaryDirectory() as folder:
        shape.save(folder)
        assert ModelConfig.load(folder) == shape
        assert [path.name for path in Path(folder).iterdir()] == ["hparams.json"]


@given(name=st.sampled_from(["n_ctx", "n_layer", "n_vocab"]), value=st.integers())
def test_shapes_are_valid_or_refused(name: str, value: int) -> None:
    if 1 <= value <= 10**4:
        assert getattr(ModelConfig(**{name: value}), name) == value
    elif not 1 <= value <= 10**7:
        with pytest.raises(OptionError, match=name):
            ModelConfig(**{name: value})
