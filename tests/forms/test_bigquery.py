"""The BigQuery form: its fields, the cost, the export and the errors."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

from bigquery_stand_in import HACKER_NEWS, Fault, StandIn, Table, running
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms import bigquery as forms
from gpt2_helpers.forms.bigquery import BigQueryForm
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google.bigquery import client as bigquery
from gpt2_helpers.google.bigquery.config import COMMON, GIGABYTE, SOURCE_FIELDS, BigQueryConfig
from widget_texts import button, markup, parts, words

pytest.importorskip("google.cloud.bigquery")

REDDIT: dict[str, Any] = {"source": "reddit", "first_month": "2019-01", "last_month": "2019-03"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in fields_of(BigQueryConfig):
        monkeypatch.delenv(f"GPT2_{field.name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with running() as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        monkeypatch.setattr(bigquery, "PAGE_ROWS", 100)
        yield server


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[widgets.Widget]:
    """The displayed widgets."""
    found: list[widgets.Widget] = []
    monkeypatch.setattr(forms, "display", found.append)
    return found


def form(**values: Any) -> BigQueryForm:
    return BigQueryForm(project="my-project-1", **values)


def visible(form: BigQueryForm) -> set[str]:
    names = [field.name for field in fields_of(BigQueryConfig)]
    return {name for name in names if form.form.row(name).widget.layout.display != "none"}


@pytest.mark.parametrize("source", SOURCE_FIELDS)
def test_only_the_fields_of_the_source_are_shown(source: str) -> None:
    made = form()
    made.form.set(source=source)
    assert visible(made) == {*COMMON, *SOURCE_FIELDS[source]}
    made.form.set(source="hacker_news")
    assert visible(made) == {*COMMON, *SOURCE_FIELDS["hacker_news"]}


def test_hacker_news_is_the_default_and_reddit_shows_a_warning() -> None:
    made = form()
    assert made.config == BigQueryConfig(project="my-project-1")
    assert "since January 2025" not in words(made.widget)
    made.form.set(source="reddit")
    assert "since January 2025" in words(made.form.row("source").widget)


def test_missing_values_are_reported_beside_their_fields() -> None:
    made = form(source="reddit")
    assert "First month must be given for reddit" in words(made.form.row("first_month").widget)
    made.form.set(first_month="2019-1", last_month="2018-12")
    assert "must not be before" in words(made.form.row("last_month").widget)
    made.form.set(last_month="2019/3")
    assert made.form.is_valid
    made.form.set(source="own")
    assert "project.dataset.table" in words(made.form.row("table").widget)


def test_the_query_is_shown() -> None:
    made = form(**REDDIT)
    assert "r/AskReddit, 2019-01 to 2019-03: up to 16,000 titles" in words(made.widget)
    (folded,) = [part for part in parts(made.widget) if isinstance(part, widgets.Accordion)]
    assert folded.selected_index is None
    assert "_TABLE_SUFFIX BETWEEN '2019_01' AND '2019_03'" in words(folded)
    assert "LOWER(subreddit) = 'askreddit'" in words(folded)
    made.form.set(subreddit="two words")
    assert "SELECT" not in words(folded)


def test_variables_set_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SOURCE", "reddit"), ("FIRST_MONTH", "2019-02"), ("LIMIT_GB", "2.5")):
        monkeypatch.setenv(f"GPT2_{name}", value)
    made = form(last_month="2019-02")
    assert made.config.source == "reddit"
    assert made.config.first_month == "2019-02"
    assert made.config.limit_gb == 2.5
    assert "subreddit" in visible(made)


def test_the_cost_is_shown_below_the_button(stand_in: StandIn) -> None:
    stand_in.scale = 100_000
    made = form()
    button(made.widget, "Sign in and check the cost").click()
    assert re.search(r"The query reads 3\.\d+ GB: free within the 1,024 GB", words(made.widget))
    assert "within your limit of 10 GB" in words(made.widget)
    assert made.estimate is not None
    assert made.estimate.bytes > GIGABYTE
    made.form.set(limit=5)
    assert made.estimate is None
    assert "The query reads" not in words(made.widget)


def test_a_cost_above_the_limit_is_shown_before_the_export(
    stand_in: StandIn, shown: list[widgets.Widget]
) -> None:
    stand_in.scale = 100_000
    made = form(limit_gb=1)
    made.check()
    assert re.search(r"more than your limit of 1 GB.*limit_gb to at least 3\.\d+", words(shown[0]))
    assert not stand_in.jobs
    with pytest.raises(NotebookError, match=r"more than your limit of 1 GB"):
        made.run()


def test_an_error_is_shown_below_the_button(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 0.0)  # the second click is meant
    stand_in.denied = {"fh-bigquery"}
    made = form(**REDDIT)
    button(made.widget, "Sign in and check the cost").click()
    assert "choose Hacker News as the source" in words(made.widget)
    made.form.set(source="hacker_news")
    assert "choose Hacker News as the source" not in words(made.widget)
    button(made.widget, "Sign in and check the cost").click()
    assert "The query reads" in words(made.widget)


def test_the_sign_in_is_reused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def counted(project: str | None) -> Any:
        asked.append(project)
        return bigquery.sign_in(project)

    monkeypatch.setattr(forms, "sign_in", counted)
    made = form()
    for _ in range(2):
        made.check()
    made.run()
    assert asked == ["my-project-1"]
    made.form.set(project="another-project")
    made.check()
    assert asked == ["my-project-1", "another-project"]


def test_an_error_causes_a_new_sign_in(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def counted(project: str | None) -> Any:
        asked.append(project)
        return bigquery.sign_in(project)

    monkeypatch.setattr(forms, "sign_in", counted)
    stand_in.denied = {"fh-bigquery"}
    made = form(**REDDIT)
    for act in (made.check, made.run):
        with pytest.raises(NotebookError):
            act()
    assert asked == ["my-project-1"] * 2


def test_run_writes_the_csv_and_shows_the_first_titles(
    stand_in: StandIn, shown: list[widgets.Widget], tmp_path: Path
) -> None:
    made = form(**REDDIT, csv_path=str(tmp_path / "ask.csv"))
    made.check()
    path = made.run()
    assert path == tmp_path / "ask.csv"
    rows = list(csv.reader(path.open(encoding="utf-8", newline="")))
    assert rows[0] == ["title"]
    assert len(rows) > 200
    cost, page = words(shown[0]), words(shown[1])
    assert "r/AskReddit" in cost
    assert "The query reads" in cost
    assert f"{len(rows) - 1} texts kept of 249; left out: 2 repeated." in page
    assert f"Saved: {path}" in page
    (bar,) = [part for part in parts(shown[1]) if isinstance(part, widgets.FloatProgress)]
    assert bar.value == bar.max == 249
    assert bar.bar_style == "success"
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", markup(shown[1]))
    assert [html.unescape(cell) for cell in cells[1::2]] == [row[0] for row in rows[1:11]]
    assert 'download="ask.csv"' in markup(shown[1])


def test_the_file_is_named_by_source_and_date_and_replaces_nothing(
    stand_in: StandIn, shown: list[widgets.Widget], tmp_path: Path
) -> None:
    (tmp_path / "titles.csv").write_text("title\nMine\n")
    made = form()
    first, second = made.run(), made.run()
    stem = f"hacker_news_{date.today()}"
    assert [first.name, second.name] == [f"{stem}.csv", f"{stem}-2.csv"]
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "titles.csv").read_text() == "title\nMine\n"


def test_a_file_that_exists_is_reported_beside_its_field(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("title\nMine\n")
    made = form(csv_path="mine.csv")
    assert "must be a new file, got 'mine.csv'" in words(made.form.row("csv_path").widget)
    with pytest.raises(NotebookError, match="CSV file must be a new file"):
        made.run()
    made.form.set(csv_path="titles.csv")
    assert "must not be titles.csv" in words(made.form.row("csv_path").widget)
    made.form.set(csv_path="yours.csv")
    assert made.form.is_valid


def test_the_export_button_does_the_same_as_the_cell(
    stand_in: StandIn, shown: list[widgets.Widget], tmp_path: Path
) -> None:
    made = form()
    button(made.widget, "Export").click()
    (path,) = tmp_path.glob("*.csv")
    assert f"Saved: {path.name}" in words(made.widget)
    jobs = len(stand_in.jobs)
    assert made.run().name == path.name, "the button's file"
    assert len(stand_in.jobs) == jobs
    assert made.run().name != path.name, "once more"
    assert len(stand_in.jobs) > jobs


def test_another_choice_after_the_button_is_exported(
    stand_in: StandIn, shown: list[widgets.Widget], tmp_path: Path
) -> None:
    made = form()
    button(made.widget, "Export").click()
    made.form.set(limit=5)
    rows = list(csv.reader(made.run().open(encoding="utf-8", newline="")))
    assert len(rows) == 6


def test_a_missing_project_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    made = BigQueryForm()
    shown = markup(made.form.row("project").widget)
    address = "https://console.cloud.google.com/projectcreate"
    assert "No project is given" in shown
    assert f'<a href="{address}"' in shown
    made.form.set(project="my-project-1")
    assert "No project is given" not in words(made.form.row("project").widget)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "test")
    made.form.set(project=None)
    assert "no project was given" in words(made.form.row("project").widget)
    with pytest.raises(NotebookError, match="no project was given"):
        made.check()


def test_titles_are_escaped(shown: list[widgets.Widget], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"title": "STRING", "score": "INT64", "type": "STRING"}
    rows = [("<img src=x onerror=alert(1)> &lt;script&gt;", 1, "story")]
    with running({HACKER_NEWS: Table(columns, rows)}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        form().run()
    assert "<img" not in markup(shown[0])
    assert "<script" not in markup(shown[0])
    assert "&lt;img src=x onerror=alert(1)&gt; &lt;script&gt;" in markup(shown[0])


def test_an_error_stops_the_cell_with_one_line(
    stand_in: StandIn, shown: list[widgets.Widget], tmp_path: Path
) -> None:
    stand_in.faults = [Fault("/queries/", 403, "quotaExceeded", "Quota exceeded", always=True)]
    with pytest.raises(NotebookError, match="the quota of project my-project-1 is used up"):
        form().run()
    assert "no file was written" in words(shown[0])
    assert not list(tmp_path.iterdir())


def test_an_interrupt_stops_the_cell_with_one_line(
    stand_in: StandIn,
    shown: list[widgets.Widget],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def interrupted(self: forms.ExportView, progress: Any) -> None:
        if progress.rows:
            raise KeyboardInterrupt

    monkeypatch.setattr(forms.ExportView, "show", interrupted)
    with pytest.raises(NotebookError, match="interrupted: no file was written"):
        form().run()
    assert not list(tmp_path.iterdir())


def test_an_invalid_form_sends_no_request(stand_in: StandIn, shown: list[widgets.Widget]) -> None:
    made = form(source="reddit")
    for call in (made.check, made.run):
        with pytest.raises(NotebookError, match="First month must be given"):
            call()
    with pytest.raises(OptionError):
        assert made.config
    button(made.widget, "Sign in and check the cost").click()
    assert "First month must be given" in words(made.widget)
    assert not stand_in.requests
    assert not shown
