"""A button that makes a web site of the loaded model, which needs no server."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import ipywidgets as widgets

from gpt2_helpers.checkpoint.export import export
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.exchange.export_config import WEB, ExportConfig
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import deliver
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import atomic_write
from gpt2_helpers.system.sizes import file_size
from gpt2_helpers.web.site import complete_site

_HELP = (
    "The site runs the model in its readers' browsers. It is a folder of files, so it needs no "
    "server and costs nothing."
)
_PUBLISHING = (
    "Unpack the file, and put its content into a new repository on GitHub with GitHub Desktop or "
    "git, since files uploaded in the browser are limited to 25 MB. Under Settings > Pages of the "
    "repository, choose the branch and its top folder. After a minute the site is at "
    "https://USER.github.io/REPOSITORY/."
)


def export_site(
    sess: Session, model_dir: str | Path = "models", **defaults: object
) -> widgets.VBox:
    """Return a button that exports the session's model as a site and downloads it as a zip file.

    The site is also left in the folder `site-NAME`.

    Args:
        sess: The session with the model.
        model_dir: Folder with the pretrained models, if the model is one.
        **defaults: Initial values of the options `say_dataset` and `runtime`.

    Raises:
        NotebookError: If the session has no model.

    Example:
        display(forms.export_site(sess))
    """
    with plain_errors():
        if sess.run_name is None and sess.model_name is None:
            raise OptionError("the session has no model: load one first")
    form = ConfigForm(ExportConfig, only=("say_dataset", "runtime"), defaults=defaults)
    status, result = widgets.HTML(message("note", _HELP)), widgets.VBox()

    def show_status(line: str) -> None:
        status.value = message("note", f"{line[:1].upper()}{line[1:]} ...")

    def make() -> None:
        result.children = []
        choices = form.config(ExportConfig)
        run, is_pretrained = _source(sess, model_dir)
        config = ExportConfig(
            _checkpoint(sess), WEB, say_dataset=choices.say_dataset, runtime=choices.runtime
        )
        folder = Path(f"site-{re.sub('[^A-Za-z0-9._-]', '-', sess.name)}")
        show_status("exporting the model")
        export(folder, run, config, is_pretrained)
        complete_site(folder, run, is_pretrained, config.runtime, show_status, config.checkpoint)
        archive = folder.with_name(f"{folder.name}.zip")
        show_status("packing the site")
        _pack(folder, archive)
        size = file_size(archive.stat().st_size)
        status.value = message("note", f"{archive}, {size}. {_PUBLISHING}")
        result.children = [deliver(archive)]

    action = ActionButton(f"Make a web site of {sess.name}", make)
    box = widgets.VBox([style_sheet(), form.widget, action.button, action.message, status, result])
    box.add_class("gpt2-form")
    return box


def _source(sess: Session, model_dir: str | Path) -> tuple[RunConfig, bool]:
    """Where the model is, and whether it is a pretrained one."""
    if sess.run_folder is None:
        return RunConfig(model_name=sess.model_name or "", model_dir=str(model_dir)), True
    folder = sess.run_folder
    return RunConfig(run_name=folder.name, checkpoint_dir=str(folder.parent)), False


def _checkpoint(sess: Session) -> str:
    """Name of the checkpoint that the session loaded: "latest", or that of an earlier step."""
    folder = sess.run_folder
    if folder is None or sess.step == RunFolder(folder.parent, folder.name).read().step:
        return "latest"
    return f"model-{sess.step}"


def _pack(folder: Path, archive: Path) -> None:
    """Pack the files of a site into a zip file, without a folder around them."""
    with atomic_write(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder).as_posix())
