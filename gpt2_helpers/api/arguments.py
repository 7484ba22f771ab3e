"""What the public functions do with their arguments: options, the session, the model to use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import NoveltyConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.types import DatasetPath


class Default(str):
    """A default value that can be distinguished from the same text passed by a caller."""


RUN_NAME, CHECKPOINT_DIR = Default("run1"), Default("checkpoint")


def config_from(kind: type, given: dict[str, Any]) -> Any:
    """Create a config dataclass from a function's arguments."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: given[name] for name in names if name in given})


def novelty_from(
    unique: bool, novel_against: DatasetPath | None, novel_column: str | None, max_tries: int
) -> NoveltyConfig:
    """The options that leave out texts; a path becomes a list of one."""
    if isinstance(novel_against, str | os.PathLike):
        novel_against = [novel_against]
    paths = None if novel_against is None else [str(path) for path in novel_against]
    return NoveltyConfig(unique, paths, novel_column, max_tries)


def require_session(sess: Session) -> None:
    """Raise OptionError if an argument is not a session."""
    if not isinstance(sess, Session):
        raise OptionError(
            f"sess must be a session, got {type(sess).__name__}: sess = gpt2.start_tf_sess()"
        )


def load_if_needed(
    sess: Session,
    run_name: str,
    checkpoint_dir: str | Path,
    model_name: str | None,
    model_dir: str | Path,
) -> None:
    """Load the named model unless the session holds it; without a name, keep what it holds."""
    require_session(sess)
    if model_name:
        # With gpt-2-simple, callers pass the base model's name along with a finetuned session.
        base_of_run = sess.run_name is not None and sess.base_model in (None, model_name)
        if sess.model_name != model_name and not base_of_run:
            sess.load_pretrained(model_name, model_dir)
        return
    folder = RunFolder(checkpoint_dir, run_name).path
    is_current = sess.is_loaded
    if not isinstance(run_name, Default):
        is_current = run_name == sess.run_name
    if not isinstance(checkpoint_dir, Default):
        is_current = is_current and folder == sess.run_folder
    if not is_current:
        sess.load_run(run_name, checkpoint_dir)
