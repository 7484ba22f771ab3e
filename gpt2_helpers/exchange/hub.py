"""Downloads from and uploads to the Hugging Face Hub, with the package huggingface-hub.

`HF_TOKEN` or `hf auth login` gives access to private repositories and to uploads; `HF_ENDPOINT` is
the address of another hub.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2_helpers.errors import DownloadError, OptionError, brief, import_optional
from gpt2_helpers.exchange.model_card import HUB_SCHEME

# Neither weights in other formats nor scripts, which nothing here would run.
_WANTED = (
    *("config.json", "generation_config.json", "tokenizer*.json", "special_tokens_map.json"),
    *("vocab.json", "merges.txt", "added_tokens.json", "model*.safetensors"),
    *("model.safetensors.index.json", "adapter_config.json", "adapter_model.safetensors"),
)
_ADDRESS = re.compile(r"hf://((?:[\w.-]+/)?[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True)
class HubRepository:
    """A repository on the Hub.

    Attributes:
        name: Such as "owner/name".
        revision: Branch, tag or commit; None for the main branch.
    """

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, address: str) -> HubRepository:
        """Parse `hf://owner/name`, or `hf://owner/name@revision`. Raises OptionError.

        >>> HubRepository.parse("hf://owner/name@v2")
        HubRepository(name='owner/name', revision='v2')
        """
        match = _ADDRESS.fullmatch(address)
        if match is None or ".." in address:
            raise OptionError(
                f"a repository must be {HUB_SCHEME}owner/name or {HUB_SCHEME}owner/name@revision, "
                f"got {address!r}"
            )
        return cls(match[1], match[2])


def download(address: str) -> Path:
    """Download a model or adapters into the Hub's cache, with a progress bar.

    Args:
        address: `hf://owner/name` or `hf://owner/name@revision`.

    Returns:
        A folder in the cache. Its files must not be changed.

    Raises:
        OptionError: The address is invalid.
        DownloadError: The repository cannot be downloaded.
        MissingPackageError: huggingface-hub is not installed.

    Example:
        download("hf://openai-community/gpt2")
    """
    repository = HubRepository.parse(address)
    hub = _package("downloading from the Hugging Face Hub")
    with _failures(hub, f"{address} cannot be downloaded"):
        folder = hub.snapshot_download(
            repository.name,
            revision=repository.revision,
            endpoint=_endpoint(),
            allow_patterns=list(_WANTED),
        )
    return Path(folder)


def upload(folder: Path, address: str, private: bool = False) -> str:
    """Upload a folder to a repository, which is created if it does not exist.

    Args:
        folder: The folder; all its files are uploaded in one commit.
        address: `hf://owner/name`, or `hf://owner/name@branch`.
        private: Whether a new repository is private.

    Returns:
        The URL of the repository.

    Raises:
        OptionError: The address is invalid.
        DownloadError: The Hub refuses the upload, or cannot be reached.
        MissingPackageError: huggingface-hub is not installed.
    """
    repository = HubRepository.parse(address)
    hub = _package("uploading to the Hugging Face Hub")
    api = hub.HfApi(endpoint=_endpoint())
    with _failures(hub, f"{folder} cannot be uploaded to {address}"):
        url = api.create_repo(repository.name, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository.name,
            folder_path=str(folder),
            revision=repository.revision,
            commit_message="Upload with gpt2-helpers",
        )
    return str(url)


def _package(purpose: str) -> Any:
    return import_optional("huggingface_hub", purpose, "hub")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _failures(hub: Any, message: str) -> Iterator[None]:
    """Convert what huggingface-hub raises to a DownloadError that says what to do."""
    errors = importlib.import_module(f"{hub.__name__}.errors")  # loaded lazily
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.GatedRepoError):
        raise DownloadError(
            f"{message}: the repository does not exist, or it is private: check the name, and "
            "log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise DownloadError(f"{message}: the revision does not exist") from None
    except errors.LocalTokenNotFoundError:
        raise DownloadError(
            f"{message}: log in with `hf auth login`, or set HF_TOKEN to a token that may write"
        ) from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        hint = ": check HF_TOKEN, it must be allowed to write" if status in (401, 403) else ""
        raise DownloadError(f"{message}: {brief(error)}{hint}") from None
    except Exception as error:
        # The HTTP client, which differs between releases, has its own errors.
        from_client = type(error).__module__.split(".")[0] in ("httpx", "httpx2", "requests")
        if not (from_client or isinstance(error, OSError | errors.HFValidationError)):
            raise
        raise DownloadError(f"{message}: {brief(error)}") from None
