"""The public functions for sessions, pretrained models and encoded datasets.

They have gpt-2-simple's parameters; new ones are keyword-only and come last.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.api.arguments import require_session
from gpt2_helpers.checkpoint import export as exports
from gpt2_helpers.checkpoint import pretrained
from gpt2_helpers.checkpoint.import_model import import_run
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.config import RunConfig
from gpt2_helpers.console import print_line
from gpt2_helpers.data import encode_files
from gpt2_helpers.exchange.export_config import WEB, ExportConfig
from gpt2_helpers.session import Session, set_threads
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT, Tokenizer
from gpt2_helpers.types import DatasetPath


def start_tf_sess(threads: int = -1, server: Any = None) -> Session:
    """Start a session, which holds the loaded model.

    Args:
        threads: Number of CPU threads to use; 0 or less uses all cores.
        server: Ignored; accepted for compatibility with gpt-2-simple.

    Returns:
        An empty session.

    Example:
        sess = gpt2.start_tf_sess()
    """
    set_threads(threads)
    return Session()


def reset_session(sess: Session, threads: int = -1, server: Any = None) -> Session:
    """Free the memory of a session's model and start a new session.

    This is not needed to load another model: a session can load any number of models in turn.

    Args:
        sess: The session to close.
        threads: Number of CPU threads to use; 0 or less uses all cores.
        server: Ignored; accepted for compatibility with gpt-2-simple.

    Returns:
        A new, empty session.

    Raises:
        OptionError: If `sess` is not a session.

    Example:
        sess = gpt2.reset_session(sess)
    """
    require_session(sess)
    sess.close()
    return start_tf_sess(threads, server)


def get_available_gpus() -> list[str]:
    """List the GPUs that can be used.

    Returns:
        TensorFlow's names of the GPUs, such as "/device:GPU:0".

    Example:
        print(gpt2.get_available_gpus())
    """
    return [gpu.device for gpu in device.gpus()]


def load_gpt2(
    sess: Session,
    checkpoint: str = "latest",
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    multi_gpu: bool = False,
    reuse: bool = False,
    *,
    precision: str = "auto",
) -> None:
    """Load a finetuned run or a pretrained model into a session, replacing its current model.

    Args:
        sess: A session from `start_tf_sess`.
        run_name: Name of the run to load.
        model_name: Pretrained model to load instead of a run; `download_gpt2` downloads it.
        multi_gpu: Ignored; accepted for compatibility with gpt-2-simple.
        reuse: Ignored; accepted for compatibility with gpt-2-simple.

    Raises:
        OptionError: If an option is invalid.
        CheckpointError: If the run or the model is missing or damaged.

    Example:
        sess = gpt2.start_tf_sess()
        gpt2.load_gpt2(sess, run_name="run1")
    """
    require_session(sess)
    if model_name:
        sess.load_pretrained(model_name, model_dir, precision)
        print_line(f"loaded the pretrained model {model_name}")
    else:
        sess.load_run(run_name, checkpoint_dir, checkpoint, precision)
        print_line(f"loaded {run_name}")


def load_adapter(
    sess: Session,
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    name: str | None = None,
) -> None:
    """Load the LoRA adapters of a run in addition to the loaded model it was finetuned from.

    `use_adapter` switches between them. Each generates the texts of its run loaded alone.

    Args:
        sess: A session with the base model.
        run_name: Name of a run that was finetuned with `lora_rank`.
        name: Name of the adapter; None takes that of the run.

    Raises:
        CheckpointError: If the run is missing, has no adapters, or was finetuned from another model
            than the loaded one.
        OptionError: If `sess` is not a session.

    Example:
        gpt2.load_adapter(sess, run_name="titles")
        gpt2.use_adapter(sess, "titles")
    """
    require_session(sess)
    sess.load_adapter(run_name, checkpoint_dir, name)
    print_line(f"loaded the adapter {name or run_name}")


def use_adapter(sess: Session, name: str | None = None) -> None:
    """Generate with an adapter of `load_adapter` from now on, or with the model itself.

    Args:
        sess: A session with adapters.
        name: Name of the adapter; None uses the model without an adapter.

    Raises:
        OptionError: If no adapter of this name is loaded, or `sess` is not a session.

    Example:
        gpt2.use_adapter(sess, "titles")
    """
    require_session(sess)
    sess.use_adapter(name)


def download_gpt2(model_dir: str | Path = "models", model_name: str = "124M") -> None:
    """Download a pretrained model into `model_dir/model_name`.

    Complete files are not downloaded again, and an interrupted download is resumed.

    Args:
        model_name: Model to download: tiny, 124M, 355M, 774M or 1558M. 124M is 0.5 GB, 355M 1.4 GB,
            774M 3.1 GB and 1558M 6.2 GB. "hf://owner/name" downloads and converts a GPT-2 from the
            Hugging Face Hub.

    Raises:
        OptionError: If the model name is unknown.
        DownloadError: If a file can't be downloaded or is damaged.

    Example:
        gpt2.download_gpt2(model_name="124M")
    """
    pretrained.download_model(model_name, model_dir)


def is_gpt2_downloaded(model_dir: str | Path = "models", model_name: str = "124M") -> bool:
    """Whether a pretrained model is completely downloaded.

    Args:
        model_name: Name of the model.

    Returns:
        True if all seven files of the model are in `model_dir/model_name`.

    Example:
        if not gpt2.is_gpt2_downloaded(model_name="124M"):
            gpt2.download_gpt2(model_name="124M")
    """
    return pretrained.is_downloaded(model_name, model_dir)


def export_gpt2(
    destination: str | Path,
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str | None = None,
    model_dir: str | Path = "models",
    *,
    dtype: str = "auto",
    checkpoint: str = "latest",
    adapters: bool = False,
    base_model: str | None = None,
    private: bool = False,
    format: str = "huggingface",
    say_dataset: bool = False,
    runtime: str | None = None,
) -> None:
    """Save a run or a pretrained model for other libraries or for a browser.

    Args:
        destination: Folder to write, or "hf://owner/name" to upload to the Hugging Face Hub.
        run_name: Name of the run to export.
        model_name: Pretrained model to export instead of a run.

    Raises:
        CheckpointError: If the run or model does not exist, or a file can't be read or written.
        DownloadError: If the Hub can't be reached or refuses the upload.
        MissingPackageError: If onnx or huggingface-hub is needed and not installed.
        OptionError: If an option is invalid.

    Example:
        gpt2.export_gpt2("exported", run_name="run1")
    """
    run = _run_config(run_name, checkpoint_dir, model_name, model_dir)
    config = ExportConfig(
        checkpoint,
        format,
        dtype,
        adapters,
        base_model,
        private,
        say_dataset=say_dataset,
        runtime=runtime,
    )
    where = exports.export(destination, run, config, pretrained=bool(model_name))
    if config.format == WEB:
        from gpt2_helpers.web.site import complete_site

        complete_site(Path(where), run, bool(model_name), runtime, print_line, checkpoint)
    print_line(f"{model_name or run_name} was exported to {where}")


def import_gpt2(
    source: str | Path,
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    model_name: str = RunConfig.model_name,
    model_dir: str | Path = "models",
) -> None:
    """Create a run from a GPT-2 in Hugging Face's layout, or from LoRA adapters of PEFT.

    An existing run of that name is kept as `NAME.before`.

    Args:
        source: Folder of the model or adapters, or "hf://owner/name" on the Hugging Face Hub.
        run_name: Name of the new run.
        model_name: Base model of adapters.

    Raises:
        CheckpointError: If the model can't be read, is not a GPT-2, or the run can't be written.
        DownloadError: If the model can't be downloaded.
        MissingPackageError: If huggingface-hub is needed and not installed.
        OptionError: If an option is invalid.

    Example:
        gpt2.import_gpt2("hf://distilbert/distilgpt2", run_name="distil")
    """
    run = _run_config(run_name, checkpoint_dir, model_name, model_dir)
    import_run(source, run, print_line)
    print_line(f"{source} is imported as {run_name}")


def _run_config(
    run_name: str, checkpoint_dir: str | Path, model_name: str | None, model_dir: str | Path
) -> RunConfig:
    return RunConfig(
        model_name=model_name or RunConfig.model_name,
        model_dir=str(model_dir),
        run_name=run_name,
        checkpoint_dir=str(checkpoint_dir),
    )


def encode_csv(
    csv_path: str | Path,
    out_path: str | Path = "csv_encoded.txt",
    header: bool = True,
    start_token: str = START_OF_TEXT,
    end_token: str = END_OF_TEXT,
    *,
    column: str | None = None,
    encoding: str | None = None,
) -> None:
    """Convert a CSV or TSV file to a text file with one text per row.

    Args:
        csv_path: The CSV or TSV file.
        out_path: Text file to write.
        header: Skip the first row.
        start_token: Text to write before each row.
        end_token: Text to write after each row.
        column: Column to convert, by its name or its number from 1.
        encoding: Encoding of the file, such as cp1250. Defaults to None, which detects it.

    Raises:
        DatasetError: If the file is missing, damaged, or has several columns and none is chosen.
        OptionError: If `out_path` can't be written.

    Example:
        gpt2.encode_csv("titles.csv", column="title")
    """
    for note in encode_files.encode_csv(
        csv_path, out_path, header, start_token, end_token, column=column, encoding=encoding
    ):
        print_line(note)


def encode_dataset(
    file_path: DatasetPath,
    model_dir: str | Path = "models",
    out_path: str | Path = "text_encoded.npz",
    model_name: str = "124M",
    combine: int = 50000,
    *,
    column: str | None = None,
    encoding: str | None = None,
    deduplicate: bool = False,
    legacy_tokens: bool = False,
    strip_boilerplate: bool = False,
    unwrap: bool = False,
    prompt_column: str | None = None,
    keywords_from: str | None = None,
) -> None:
    """Tokenize a dataset and save the token ids in an .npz file, which `finetune` accepts.

    Args:
        file_path: File (.txt, .csv, .jsonl, .parquet ...), folder with its subfolders, glob, URL,
            or a list of these.
        out_path: File to write, with the suffix .npz.
        model_name: Model whose tokenizer is used.

    Raises:
        DatasetError: If the dataset is missing or contains no text.
        CheckpointError: If the model is missing or damaged.
        OptionError: If an option is invalid or `out_path` can't be written.

    Example:
        gpt2.encode_dataset("books/", out_path="books.npz")
        gpt2.finetune(sess, "books.npz")
    """
    tokenizer = Tokenizer.load(model_folder(model_name, model_dir))
    encoded = encode_files.encode_dataset(
        file_path,
        tokenizer,
        out_path,
        combine,
        column=column,
        encoding=encoding,
        deduplicate=deduplicate,
        legacy_tokens=legacy_tokens,
        strip_boilerplate=strip_boilerplate,
        unwrap=unwrap,
        prompt_column=prompt_column,
        keywords_from=keywords_from,
    )
    for line in encoded.describe(n_ctx=0):
        print_line(line)
