"""The form for an export from BigQuery: what, at what cost, and the CSV that comes of it.

`check()` asks what it would cost, `run()` exports; both stand in cells of their own, in which
Colaboratory can ask for the account. The button does what `check()` does, once one is signed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.errors import BigQueryError, OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.html import table
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.google.bigquery.client import Estimate, dry_run, sign_in
from gpt2_helpers.google.bigquery.config import COMMON, SOURCE_FIELDS, ExportConfig
from gpt2_helpers.google.bigquery.errors import limit_message
from gpt2_helpers.google.bigquery.export import ExportProgress, export
from gpt2_helpers.google.bigquery.query import build

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_SOURCES = [
    ("Hacker News", "hacker_news"),
    ("Reddit, as the article did", "reddit"),
    ("a table of your own", "own"),
]
_REDDIT_IS_CLOSED = (
    "Access to these tables has been denied to the public since January 2025: most accounts will "
    "be refused, at no cost. Hacker News can be read by all."
)


class BigQueryForm(Displayable):
    """What to export from BigQuery. `check()` tells the cost, `run()` writes the CSV.

    form = BigQueryForm(project="my-project-123456")
    form                       # as a cell's last line: shows it
    form.check()               # in the next cell: signs in, shows bytes and price; runs nothing
    csv_path = form.run()      # in the one after that

    `defaults` are values by the options' names; environment variables (GPT2_SOURCE, GPT2_PROJECT
    and so on) go before them.
    """

    def __init__(self, **defaults: Any) -> None:
        self.form = ConfigForm(ExportConfig, defaults=defaults, choices={"source": _SOURCES})
        self.estimate: Estimate | None = None  # the latest that still holds
        self._client: Client | None = None
        self._action = ActionButton("Check the cost", self._ask, primary=True)
        self._summary, self._cost, self._sql = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._folded = widgets.Accordion([self._sql], selected_index=None)
        self._folded.set_title(0, "The query (SQL)")
        asked = [widgets.HBox([self._action.button]), self._action.message, self._cost]
        self.widget = widgets.VBox([self.form.widget, self._summary, self._folded, *asked])
        self.widget.add_class("gpt2-form")
        self.form.on_change(self._update)
        self._update()

    @property
    def config(self) -> ExportConfig:
        """What stands in the form; OptionError where it is wrong."""
        return self.form.config(ExportConfig)

    def check(self) -> None:
        """Sign in, and show what the query would read and cost. It is not run: this is free.

        What is wrong stops the cell with a sentence; a query over the limit only tells so.
        """
        with plain_errors():
            self._ask()
        shown = widgets.VBox([style_sheet(), widgets.HTML(self._summary.value + self._cost.value)])
        shown.add_class("gpt2-form")
        display(shown)  # type: ignore[no-untyped-call]

    def run(self) -> Path:
        """Run the query, show how far it is, and return the path of the CSV.

        What is wrong, and an interrupt, stop the cell with a sentence, and leave an older file of
        that name as it was.
        """
        view = ExportView()
        with plain_errors():
            config = self.config
            client = self._signed_in(config)
            display(view.widget)  # type: ignore[no-untyped-call]
            try:
                with (
                    self._sign_in_kept_only_where_it_works(),
                    closing(export(client, config)) as steps,
                ):
                    for progress in steps:
                        view.show(progress)
            except BaseException as error:
                view.fail()
                if not isinstance(error, KeyboardInterrupt):
                    raise
                raise BigQueryError(
                    f"interrupted: {config.csv_path} was not written; run the cell again to do so"
                ) from None
        return Path(config.csv_path)

    def _signed_in(self, config: ExportConfig) -> Client:
        """A client for the project in the form: nobody signs in twice for the same."""
        if self._client is None or config.project not in (None, self._client.project):
            self._client = sign_in(config.project)
        return self._client

    @contextmanager
    def _sign_in_kept_only_where_it_works(self) -> Iterator[None]:
        """After a refusal the next try signs in anew: it may have been of another account."""
        try:
            yield
        except BigQueryError:
            self._client = None
            raise

    def _ask(self) -> None:
        """Sign in where it is needed, and show the cost under the button."""
        config = self.config
        self.estimate = None
        self._cost.value = ""
        with self._sign_in_kept_only_where_it_works():
            self.estimate = dry_run(self._signed_in(config), build(config))
        self._cost.value = message("heading", f"The query {self.estimate.describe()}.")
        if self.estimate.billed > config.limit_bytes:
            words = limit_message(self.estimate.billed, config.limit_bytes)
            self._cost.value += message("error", words)
        else:
            limit = f"{config.limit_gb:,g} GB"
            self._cost.value += message("note", f"That is within your limit of {limit}.")

    def _update(self) -> None:
        """Show the fields that matter for the source, and the query that they make."""
        source = self.form.raw_value("source")
        wanted = {*COMMON, *SOURCE_FIELDS.get(source, ())}
        for field in fields_of(ExportConfig):
            row = self.form.row(field.name).widget
            row.layout.display = None if field.name in wanted else "none"
        closed = source == "reddit"
        self.form.note("source", _REDDIT_IS_CLOSED if closed else "", warning=closed)
        self.estimate = None  # it was another query's
        self._cost.value = self._action.message.value = ""
        try:
            query = build(self.config)
        except OptionError:
            self._summary.value = self._sql.value = ""  # the message beside the field says more
            return
        self._summary.value = message("heading", f"{query.description}.")
        # Whole, not in a box to scroll in: it is read to be copied.
        style = 'class="gpt2-excerpt" style="max-height: none"'
        self._sql.value = f"<div {style}>{escape(query.readable)}</div>"


class ExportView:
    """How far an export is, in one widget; at its end the first texts and the file."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None
        self._words, self._texts = widgets.HTML(), widgets.HTML()
        self._place = widgets.VBox()
        self._words.value = message("note", "Waiting for BigQuery \u2026")
        self.widget = widgets.VBox([style_sheet(), self._place, self._words, self._texts])
        self.widget.add_class("gpt2-form")

    def show(self, progress: ExportProgress) -> None:
        """What has come so far."""
        if progress.total == 0:
            return
        if self._bar is None:
            self._bar = ProgressBar(progress.total, "row")
            self._place.children = [self._bar.widget]
        self._bar.update(progress.rows)
        self._words.value = message("note", f"{progress.describe()}.")
        if not self._texts.value:
            self._texts.value = _table(progress.preview)
        if progress.path is not None:
            self._bar.finish()
            self._texts.value = _table(progress.preview)
            self._words.value += message("heading", f"Written: {progress.path}")
            self.widget.children = [*self.widget.children, download_button(progress.path)]

    def fail(self) -> None:
        """That it came to no end; why is said where the cell stops."""
        if self._bar is not None:
            self._bar.finish("danger")
        self._words.value = message("error", "Stopped before its end: no file was written.")
        self._texts.value = ""


def _table(texts: tuple[str, ...]) -> str:
    """The first texts, numbered."""
    return table((str(number), text) for number, text in enumerate(texts, 1)) if texts else ""
