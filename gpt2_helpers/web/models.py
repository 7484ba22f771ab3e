"""The models of one server: each has its own engine, and requests select one by name."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from gpt2_helpers.errors import OptionError, brief_repr, nearest
from gpt2_helpers.web.engine import Engine
from gpt2_helpers.web.errors import UnknownModel
from gpt2_helpers.web.model_info import ModelInfo


@dataclass(frozen=True)
class ServedModel:
    """A model, and the engine that generates with it."""

    info: ModelInfo
    engine: Engine


class ServedModels:
    """All models of a server. The first one answers requests that name none.

    Args:
        models: The models.

    Raises:
        OptionError: Two of them have the same name.
    """

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._models: dict[str, ServedModel] = {}
        for model in models:
            if self._models.setdefault(model.info.name, model) is not model:
                raise OptionError(f"two models are named {model.info.name!r}: serve it only once")

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a request may have as `model`, the default first."""
        return tuple(self._models)

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none."""
        return self._models[self.names[0]]

    def get(self, name: str | None) -> ServedModel:
        """Return the model of this name.

        Raises:
            UnknownModel: There is none.
        """
        if name is None:
            return self.default
        if name not in self._models:
            raise UnknownModel(
                f"no model {brief_repr(name)}{nearest(name, self.names)}: this server has "
                f"{', '.join(self.names)}"
            )
        return self._models[name]

    @property
    def engines(self) -> list[Engine]:
        """The engines of all models."""
        return [model.engine for model in self._models.values()]

    @property
    def waiting(self) -> int:
        """Number of queued sequences."""
        return sum(engine.waiting for engine in self.engines)

    @property
    def running(self) -> int:
        """Number of sequences in the batches."""
        return sum(engine.running for engine in self.engines)

    @property
    def n_workers(self) -> int:
        """Number of threads or processes that generate."""
        return sum(engine.n_workers for engine in self.engines)

    @property
    def n_responding(self) -> int:
        """Number of those that neither died nor hang."""
        return sum(engine.n_responding for engine in self.engines)

    @property
    def is_ready(self) -> bool:
        """Whether requests to every model are accepted and will be answered."""
        return all(engine.is_ready for engine in self.engines)

    def start(self) -> None:
        """Start generating in the background."""
        for engine in self.engines:
            engine.start()

    def stop(self, timeout: float = 0.0) -> None:
        """Reject new requests, give running ones `timeout` seconds to finish, then end."""
        for engine in self.engines:
            engine.close()
        deadline = time.monotonic() + timeout
        for engine in self.engines:
            engine.stop(max(0.0, deadline - time.monotonic()))
