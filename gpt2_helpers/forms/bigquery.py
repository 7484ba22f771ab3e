"""The form for exports from BigQuery: choice of titles, cost, and export to CSV.

`check()` and `run()` are also buttons of the form. In Colab, the window that asks for the account
may not open from a button; from the cells below the form it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.errors import BigQueryError, OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.widgets.buttons import ActionButton, Handoff
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.html import show, table
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.forms.widgets.text_cards import close_all
from gpt2_helpers.google import colab
from gpt2_helpers.google.bigquery.client import (
    Estimate,
    dry_run,
    project_of_environment,
    sign_in,
)
from gpt2_helpers.google.bigquery.config import COMMON, SOURCE_FIELDS, BigQueryConfig
from gpt2_helpers.google.bigquery.errors import CONSOLE, NO_PROJECT, limit_message
from gpt2_helpers.google.bigquery.export import ExportProgress, export, new_csv_path
from gpt2_helpers.google.bigquery.query import build

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_SOURCES = [
    ("Hacker News", "hacker_news"),
    ("Reddit", "reddit"),
    ("Your own table", "own"),
]
_REDDIT_IS_CLOSED = (
    "Public access to these tables has been denied since January 2025: most accounts get an error, "
    "at no cost. Everyone can read Hacker News."
)


_NO_PROJECT = (
    "No project is given. Queries need one, unless your credentials name it: create a project at "
    f"{CONSOLE}/projectcreate (free, no credit card needed) and enter its id."
)


class BigQueryForm(Displayable):
    """A form to export titles from BigQuery. `check()` shows the cost, `run()` writes the CSV.

    form = BigQueryForm(project="my-project-123456")
    form                       # last line of a cell: displays the form
    form.check()               # next cell, or first button: signs in and shows the cost
    csv_path = form.run()      # next cell, or second button: exports

    Environment variables (GPT2_SOURCE, GPT2_PROJECT and so on) override the arguments.

    Args:
        **defaults: Initial values of the fields of BigQueryConfig.
    """

    def __init__(self, **defaults: Any) -> None:
        self.form = ConfigForm(
            BigQueryConfig,
            defaults=defaults,
            choices={"source": _SOURCES},
            checks={"project": _check_project, "csv_path": _check_csv_path},
        )
        self.estimate: Estimate | None = None  # of the current query
        self._client: Client | None = None
        self._exported: Handoff[Path] = Handoff()
        self._action = ActionButton("Sign in and check the cost", self._check_cost, primary=True)
        self._results = widgets.VBox()
        export = ActionButton("Export", self._export_by_button)
        self._summary, self._cost, self._sql = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._accordion = widgets.Accordion([self._sql], selected_index=None)
        self._accordion.set_title(0, "Query (SQL)")
        buttons = widgets.HBox([self._action.button, export.button])
        buttons.add_class("gpt2-line")
        below = [self._action.message, self._cost, export.message, self._results]
        self.widget = widgets.VBox(
            [self.form.widget, self._summary, self._accordion, buttons, *below]
        )
        self.widget.add_class("gpt2-form")
        self.form.on_change(self._update)
        self._update()

    @property
    def config(self) -> BigQueryConfig:
        """The values of the form. Raises OptionError if one is invalid."""
        return self.form.config(BigQueryConfig)

    def check(self) -> None:
        """Sign in and show how much the query would read and cost. This dry run is free.

        A query above the limit is shown, but is not an error.

        Raises:
            NotebookError: If an option is invalid, or BigQuery rejects the query.
        """
        with plain_errors():
            self._check_cost()
        shown = widgets.VBox([style_sheet(), widgets.HTML(self._summary.value + self._cost.value)])
        shown.add_class("gpt2-form")
        display(shown)  # type: ignore[no-untyped-call]

    def run(self) -> Path:
        """Run the query and write the CSV, with a progress bar.

        If the button has just exported the same titles, returns that file instead.

        Returns:
            The path of the CSV. An existing file is never replaced.

        Raises:
            NotebookError: If an option is invalid, the query fails, or it is interrupted.
        """
        with plain_errors():
            path = self._exported.take(self.config)
            if path is not None and path.is_file():
                show(widgets.HTML(message("note", f"Exported by the button: {path}.")))
                return path
            return self._export(self.config, display)

    def _export_by_button(self) -> None:
        config = self.config
        for child in self._results.children:
            close_all(child)
        path = self._export(config, lambda view: setattr(self._results, "children", [view]))
        self._exported.put(config, path)

    def _export(self, config: BigQueryConfig, show_view: Callable[[widgets.Widget], Any]) -> Path:
        view, client = ExportView(), self._get_client(config)
        show_view(view.widget)
        path: Path | None = None
        try:
            with self._sign_out_on_error(), closing(export(client, config)) as steps:
                for progress in steps:
                    view.show(progress)
                    path = progress.path
        except BaseException as error:
            view.fail()
            if not isinstance(error, KeyboardInterrupt):
                raise
            raise BigQueryError("interrupted: no file was written; run the cell again") from None
        assert path is not None
        return path

    def _get_client(self, config: BigQueryConfig) -> Client:
        """Return a client for the project in the form. Signs in only once per project."""
        if self._client is None or config.project not in (None, self._client.project):
            self._client = sign_in(config.project)
        return self._client

    @contextmanager
    def _sign_out_on_error(self) -> Iterator[None]:
        """Forget the client after an error, since the user may need another account."""
        try:
            yield
        except BigQueryError:
            self._client = None
            raise

    def _check_cost(self) -> None:
        """Sign in if necessary and show the cost below the button."""
        config = self.config
        self.estimate = None
        self._cost.value = ""
        with self._sign_out_on_error():
            self.estimate = dry_run(self._get_client(config), build(config))
        self._cost.value = message("heading", f"The query {self.estimate.describe()}.")
        if self.estimate.billed > config.limit_bytes:
            error = limit_message(self.estimate.billed, config.limit_bytes)
            self._cost.value += message("error", error)
        else:
            limit = f"{config.limit_gb:,g} GB"
            self._cost.value += message("note", f"This is within your limit of {limit}.")

    def _update(self) -> None:
        """Show the fields of the source and the resulting query."""
        source = self.form.raw_value("source")
        wanted = {*COMMON, *SOURCE_FIELDS.get(source, ())}
        for field in fields_of(BigQueryConfig):
            row = self.form.row(field.name).widget
            row.layout.display = None if field.name in wanted else "none"
        is_reddit = source == "reddit"
        self.form.note("source", _REDDIT_IS_CLOSED if is_reddit else "", warning=is_reddit)
        missing = not (self.form.raw_value("project") or project_of_environment())
        self.form.note("project", _NO_PROJECT if missing else "", warning=True)
        self.estimate = None  # it belonged to the previous query
        self._cost.value = self._action.message.value = ""
        try:
            query = build(self.config)
        except OptionError:
            self._summary.value = self._sql.value = ""  # the field shows its error
            return
        self._summary.value = message("heading", f"{query.description}.")
        # No scroll box: users read and copy the whole query.
        style = 'class="gpt2-excerpt" style="max-height: none"'
        self._sql.value = f"<div {style}>{escape(query.readable)}</div>"


def _check_project(form: ConfigForm) -> None:
    """Raise OptionError where signing in cannot find a project: in Colab."""
    if colab.in_colab() and not (form.value("project") or project_of_environment()):
        raise OptionError(NO_PROJECT)


def _check_csv_path(form: ConfigForm) -> None:
    if csv_path := form.value("csv_path"):
        new_csv_path(BigQueryConfig(csv_path=csv_path))


class ExportView:
    """The progress of an export, then the first texts and a download."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None
        self._status, self._texts = widgets.HTML(), widgets.HTML()
        self._bar_box = widgets.VBox()
        self._status.value = message("note", "Waiting for BigQuery \u2026")
        self.widget = widgets.VBox([style_sheet(), self._bar_box, self._status, self._texts])
        self.widget.add_class("gpt2-form")

    def show(self, progress: ExportProgress) -> None:
        """Show the rows that have arrived."""
        if progress.total == 0:
            return
        if self._bar is None:
            self._bar = ProgressBar(progress.total, "row")
            self._bar_box.children = [self._bar.widget]
        self._bar.update(progress.rows)
        self._status.value = message("note", f"{progress.describe()}.")
        if not self._texts.value:
            self._texts.value = _table(progress.preview)
        if progress.path is not None:
            self._bar.finish()
            self._texts.value = _table(progress.preview)
            self._status.value += message("heading", f"Saved: {progress.path}")
            self.widget.children = [*self.widget.children, download_button(progress.path)]

    def fail(self) -> None:
        """Show that the export failed. The cell shows the error."""
        if self._bar is not None:
            self._bar.finish("danger")
        self._status.value = message("error", "The export failed: no file was written.")
        self._texts.value = ""


def _table(texts: tuple[str, ...]) -> str:
    """Return the texts as a numbered table."""
    return table((str(number), text) for number, text in enumerate(texts, 1)) if texts else ""
