"""The model of a worker process."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import save_weights
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import CheckpointError, OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import drain
from toy import TOY, toy_weights

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam.models import MemorizationHandler, ModelSource, TextModel  # noqa: E402

TINY = ModelSource("tiny")
CONFIG = SamplingConfig(length=12, seed=5, batch_size=4, temperature=0.9)


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel(TINY)


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


@pytest.mark.parametrize("options", [{"nsamples": 2}, {"nsamples": 2, "best_of": 3}])
def test_texts_depend_on_the_number_and_not_on_the_batch(
    model: TextModel, session: Session, options: dict[str, int]
) -> None:
    config = SamplingConfig(**vars(CONFIG) | options)  # type: ignore[arg-type]
    prompts = ["Why is", "Who was", "What are", "When did"]
    results = sorted(session.generate(prompts, config), key=lambda result: result.index)
    lists = model.generate([[(2, prompts[2])], [(0, prompts[0]), (3, prompts[3])]], config)
    assert [[row["index"] for row in rows] for rows in lists] == [[4, 5], [0, 1, 6, 7]]
    for rows in lists:
        for row in rows:
            assert row["text"] == results[row["index"]].text
            assert row["prompt"] == prompts[row["index"] // 2]


def test_a_seed_is_needed(model: TextModel) -> None:
    with pytest.raises(OptionError, match="seed is missing"):
        model.generate([[(0, "Why")]], SamplingConfig(length=5))


def test_scores_are_those_of_a_scorer(model: TextModel, session: Session) -> None:
    texts = ["Why is the sky blue?", "Who was the first one here?"]
    ((first,), (second,)) = model.score([[(7, texts[0])], [(3, texts[1])]], ScoreConfig())
    expected = [score.perplexity for score in session.scorer().score(texts)]
    np.testing.assert_allclose([first["perplexity"], second["perplexity"]], expected, rtol=1e-5)
    assert (first["index"], second["index"], first["text"]) == (7, 3, texts[0])


def test_matches_are_those_of_check_texts(tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("title\nWhy is the sky blue?\n", encoding="utf-8")
    data = TrainingData([(str(tmp_path / "titles.csv"), None)])
    texts = ["Why is the sky so blue?", "Something else", "why is the SKY blue?"]
    handler = MemorizationHandler(data)
    lists = [[(0, texts[0]), (1, texts[1])], [(2, texts[2])]]
    results = [*handler.run_inference(lists, handler.load_model())]
    rows = [row for result in results for row in result.inference]
    matches = drain(check_texts(texts, data)).matches
    assert [row["kind"] for row in rows] == [match.kind for _, match in matches]
    assert [row["kind"] for row in rows] == ["near copy", "novel", "copy"]
    assert [row["index"] for row in rows] == [0, 1, 2]


def test_a_model_at_a_url_is_copied(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the package fsspec")
    from gpt2_helpers.config import BUNDLED_FOLDER

    root = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(
        f"{BUNDLED_FOLDER}/", f"/{tmp_path.name}/copied/", recursive=True
    )
    source = ModelSource("copied", model_dir=root)
    assert source.version() == TINY.version()
    assert source.version().startswith("model.ckpt ")
    with ExitStack() as files:
        session = source.load(files)
        assert session.is_loaded
    with pytest.raises(CheckpointError), ExitStack() as files:
        ModelSource(run_name="none", checkpoint_dir=str(tmp_path)).load(files)


def test_the_version_identifies_the_weights(tmp_path: Path) -> None:
    for seed, folder in enumerate(("a", "b")):
        for step in (1, 2):
            weights = toy_weights(seed=seed)
            save_weights(tmp_path / folder / "run1", f"model-{step}", TOY, weights)
    sources = [ModelSource(checkpoint_dir=str(tmp_path / folder)) for folder in ("a", "b")]
    first, second = (source.version() for source in sources)
    assert first != second, "two runs with the same name and step"
    assert first.startswith("model-2 ")
    earlier = replace(sources[0], checkpoint="model-1")
    assert earlier.version().startswith("model-1 ")
    with pytest.raises(CheckpointError, match="no run 'run2'"):
        replace(sources[0], run_name="run2").version()
