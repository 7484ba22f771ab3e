"""A form made from config dataclasses: what it shows, what it refuses, what it gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import pytest

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.forms.widgets.errors import NotebookError, plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm
from gpt2_helpers.forms.widgets.style import message

FINETUNE = (FinetuneConfig, RunConfig, DatasetConfig)


@dataclass(frozen=True)
class Meal(ValidatedConfig):
    """One option of each kind, and a rule between two of them."""

    guests: int = option(4, "people at the table", minimum=1, maximum=20, usual=(2, 8))
    salt: float = option(0.5, "grams of salt", label="Salt (g)", minimum=0.0, usual=(0.0, 2.0))
    wine: bool = option(False, "serve wine")
    song: str | None = option(None, "what is sung")
    course: str = option("soup", "what comes first", choices=("soup", "salad"))
    seed: int | None = option(None, "the same seed, the same meal", minimum=0, advanced=True)
    host: str = option("Ada", "who invites", advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wine and self.guests > 10:
            raise OptionError(f"wine=True is enough for 10 guests, got {self.guests}: buy more")
        if not self.host.strip():
            raise OptionError("host must not be empty")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (*FINETUNE, SamplingConfig, Meal):
        for field in fields_of(kind):
            monkeypatch.delenv(f"GPT2_{field.name.upper()}", raising=False)


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all that stands in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def html(form: ConfigForm) -> str:
    """All the HTML that a form shows."""
    return "".join(
        part.value
        for part in parts(form.widget)
        if isinstance(part, widgets.HTML) and part.layout.display != "none"
    )


def control(form: ConfigForm, name: str) -> Any:
    return form.row(name).control


def type_into(form: ConfigForm, name: str, text: str) -> None:
    control(form, name).value = text


# -- Out of the dataclass, and back ------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(Meal,), (SamplingConfig,), FINETUNE])
def test_untouched_it_gives_the_defaults(kinds: tuple[type[ValidatedConfig], ...]) -> None:
    form = ConfigForm(*kinds)
    assert form.is_valid
    for kind in kinds:
        assert form.config(kind) == kind()


def test_each_kind_has_its_widget_with_label_and_help() -> None:
    form = ConfigForm(Meal)
    kinds = {
        "guests": widgets.Text,
        "salt": widgets.Text,
        "wine": widgets.Checkbox,
        "song": widgets.Text,
        "course": widgets.Dropdown,
        "seed": widgets.Text,
    }
    for field in fields_of(Meal):
        assert control(form, field.name).description == field.label
        assert isinstance(control(form, field.name), kinds.get(field.name, widgets.Text))
    assert "Grams of salt." in html(form)
    assert control(form, "course").options == (("soup", "soup"), ("salad", "salad"))


def test_what_is_typed_comes_out_in_the_fields_own_kind() -> None:
    form = ConfigForm(Meal)
    for name, text in {
        "guests": "6",
        "salt": "1e-3",
        "seed": " 12 ",
        "song": "none at all",
    }.items():
        type_into(form, name, text)
    control(form, "wine").value = True
    control(form, "course").value = "salad"
    assert form.config() == Meal(6, 0.001, True, "none at all", "salad", 12)


@pytest.mark.parametrize("name", ["seed", "song"])
def test_an_empty_box_is_none_where_the_field_admits_it(name: str) -> None:
    form = ConfigForm(Meal, defaults={name: "7"})
    assert form.value(name) is not None
    type_into(form, name, "")
    assert form.value(name) is None
    assert form.is_valid


def test_a_text_keeps_its_spaces() -> None:
    form = ConfigForm(Meal)
    type_into(form, "song", " ")
    assert form.config().song == " "


def test_only_what_is_named_is_shown_and_in_that_order() -> None:
    form = ConfigForm(Meal, only=("wine", "guests"), hidden=("seed",), defaults={"host": "Bo"})
    shown = [part.description for part in parts(form.widget) if hasattr(part, "description")]
    assert [label for label in shown if label] == ["Wine", "Guests"]
    form.set(seed=3)
    assert form.config() == Meal(seed=3, host="Bo")
    assert form.value("seed") == 3


def test_several_classes_stand_in_one_form() -> None:
    form = ConfigForm(*FINETUNE)
    form.set(steps=7, run_name="tales", column=2)
    assert form.config(FinetuneConfig) == FinetuneConfig(steps=7)
    assert form.config(RunConfig).run_name == "tales"
    assert form.config(DatasetConfig).column == "2"


def test_advanced_options_are_folded_away() -> None:
    form = ConfigForm(Meal, advanced=("song",))
    (fold,) = (part for part in parts(form.widget) if isinstance(part, widgets.Accordion))
    assert fold.selected_index is None
    folded = {part.description for part in parts(fold) if getattr(part, "description", "")}
    assert folded == {"Song", "Seed", "Host"}


def test_without_advanced_options_there_is_no_fold() -> None:
    form = ConfigForm(Meal, only=("guests",))
    assert not any(isinstance(part, widgets.Accordion) for part in parts(form.widget))


@pytest.mark.parametrize(
    "wrong", [{"only": ("gests",)}, {"defaults": {"gests": 1}}, {"hidden": ("gests",)}]
)
def test_a_name_that_is_no_field_is_a_mistake_of_the_program(wrong: Any) -> None:
    with pytest.raises(ValueError, match="gests"):
        ConfigForm(Meal, **wrong)
    with pytest.raises(ValueError, match="gests"):
        ConfigForm(Meal).set(gests=1)


def test_two_classes_with_the_same_field_do_not_share_a_form() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        ConfigForm(FinetuneConfig, SamplingConfig)


# -- What is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x", "", "3.5", "21", "nan"])
def test_wrong_input_stays_and_its_message_stands_beside_it(text: str) -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", text)
    assert control(form, "guests").value == text
    assert not form.is_valid
    with pytest.raises(OptionError) as caught:
        form.value("guests")
    assert form.errors == {"guests": str(caught.value)}
    assert message("error", str(caught.value)) in html(form)
    with pytest.raises(OptionError, match="^Guests must be"):
        form.config()
    type_into(form, "guests", "3")
    assert form.is_valid
    assert "gpt2-error" not in html(form)


def test_what_does_not_fit_together_is_said_at_the_foot() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "12")
    assert form.is_valid
    control(form, "wine").value = True
    assert form.errors == {"": "wine=True is enough for 10 guests, got 12: buy more"}
    assert html(form).endswith(message("error", form.errors[""]))
    type_into(form, "guests", "10")
    assert form.is_valid


def test_what_a_class_says_of_one_field_stands_beside_that_field() -> None:
    form = ConfigForm(*FINETUNE)
    type_into(form, "run_name", "a/b")
    assert form.errors == {"run_name": "Run name must be a plain folder name, got 'a/b'"}
    assert form.row("run_name").error == form.errors["run_name"]


def test_a_fold_opens_where_something_in_it_is_wrong() -> None:
    form = ConfigForm(Meal)
    type_into(form, "seed", "-1")
    (fold,) = (part for part in parts(form.widget) if isinstance(part, widgets.Accordion))
    assert fold.selected_index == 0


def test_what_people_type_is_never_markup() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "<img src=x>")
    form.note("song", "<b>loud</b>")
    assert "<img" not in html(form)
    assert "<b>" not in html(form)
    assert "&lt;b&gt;loud" in html(form)


def test_wrong_values_by_code_show_as_if_typed() -> None:
    form = ConfigForm(Meal)
    form.set(guests="lots", course="cake", wine="a little")
    assert form.errors.keys() == {"guests", "course", "wine"}
    assert control(form, "course").value == "cake"
    control(form, "course").value = "soup"
    control(form, "wine").value = True
    assert form.errors.keys() == {"guests"}


# -- Numbers with a slider ---------------------------------------------------------------------


def test_a_slider_and_its_box_follow_each_other() -> None:
    form = ConfigForm(Meal)
    guests, salt = form.row("guests"), form.row("salt")
    assert (guests.slider.value, salt.slider.value) == (4, 0.5)
    guests.slider.value = 6
    salt.slider.value = 1.3000000000000003
    assert (guests.control.value, salt.control.value) == ("6", "1.3")
    type_into(form, "guests", "3")
    assert guests.slider.value == 3
    assert form.config() == Meal(guests=3, salt=1.3)


def test_a_number_beyond_the_slider_can_be_typed() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "20")
    assert form.row("guests").slider.value == 8
    assert form.config().guests == 20


@pytest.mark.parametrize("digits", [30, 400, 5000])
@pytest.mark.parametrize("name", ["length", "temperature", "batch_size", "seed"])
def test_a_number_of_hundreds_of_digits_is_refused_beside_its_field(name: str, digits: int) -> None:
    form = ConfigForm(SamplingConfig)
    type_into(form, name, "9" * digits)
    if name == "temperature" and digits == 30:
        return  # daring, and a number all the same
    assert form.errors.keys() == {name}
    with pytest.raises(OptionError):
        form.config()
    form.set(**{name: 10 ** min(digits, 400)})
    assert form.errors.keys() == {name}


def test_a_slider_stays_where_no_number_is_typed() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "six")
    assert form.row("guests").slider.value == 4
    assert control(form, "guests").value == "six"


# -- Environment variables ---------------------------------------------------------------------


def test_variables_go_before_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, word in {"GUESTS": "5", "WINE": "yes", "SONG": "none", "SEED": "9"}.items():
        monkeypatch.setenv(f"GPT2_{name}", word)
    form = ConfigForm(Meal, defaults={"guests": 7, "salt": 2, "song": "Hey"}, hidden=("seed",))
    assert form.config() == Meal(guests=5, salt=2.0, wine=True, seed=9)


@pytest.mark.parametrize(
    ("name", "word"),
    [("guests", "0"), ("wine", "perhaps"), ("course", "cake"), ("seed", "x"), ("salt", "")],
)
def test_a_wrong_variable_shows_with_its_message(
    name: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GPT2_{name.upper()}", word)
    form = ConfigForm(Meal)
    assert form.errors.keys() == {name}
    assert repr(word) in form.errors[name] or f"got {word}" in form.errors[name]
    assert "gpt2-error" in html(form)


def test_a_wrong_variable_of_a_hidden_field_is_said_at_the_foot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_GUESTS", "many")
    form = ConfigForm(Meal, hidden=("guests",))
    assert form.errors == {"guests": "guests must be a whole number, got 'many'"}
    assert html(form).endswith(message("error", form.errors["guests"]))


def test_a_field_that_is_neither_shown_nor_hidden_asks_no_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_GUESTS", "6")
    assert ConfigForm(Meal, only=("salt",)).config() == Meal()


# -- Lists, notes and callbacks ----------------------------------------------------------------


def test_a_list_can_be_offered_for_a_plain_text() -> None:
    form = ConfigForm(Meal, choices={"host": [("Ada, of course", "Ada"), "Bo"]})
    assert control(form, "host").options == (("Ada, of course", "Ada"), ("Bo", "Bo"))
    control(form, "host").value = "Bo"
    form.offer("host", ["Cy", "Di"])
    assert form.config().host == "Bo"
    control(form, "host").value = "Di"
    form.offer("host", ["Cy", "Di"])
    assert control(form, "host").options == (("Cy", "Cy"), ("Di", "Di"))
    assert form.config().host == "Di"


def test_what_changed_is_told_when_all_is_checked() -> None:
    form = ConfigForm(Meal)
    seen: list[bool] = []
    form.on_change(lambda: seen.append(form.is_valid))
    type_into(form, "guests", "x")
    form.set(guests=5, salt=1)
    control(form, "wine").value = True
    form.row("guests").slider.value = 6
    assert seen == [False, True, True, True]


def test_a_text_box_can_have_several_lines() -> None:
    form = ConfigForm(Meal, lines={"song": 3})
    assert isinstance(control(form, "song"), widgets.Textarea)
    type_into(form, "song", "one\ntwo")
    assert form.config().song == "one\ntwo"


def test_a_widget_of_anothers_making_stands_under_its_field() -> None:
    button = widgets.Button(description="Count")
    form = ConfigForm(Meal, after={"guests": button})
    labels = [getattr(part, "description", "") for part in parts(form.widget)]
    assert labels.index("Guests") < labels.index("Count") < labels.index("Salt (g)")


def test_a_note_stands_with_the_help_and_goes_when_it_is_empty() -> None:
    form = ConfigForm(Meal)
    form.note("guests", "that is many", warning=True)
    assert message("warning", "that is many") in html(form)
    assert "People at the table." in html(form)
    form.note("guests", "")
    assert "that is many" not in html(form)


# -- In a notebook -----------------------------------------------------------------------------


def shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    return InteractiveShell()  # type: ignore[no-untyped-call]


def test_it_shows_as_a_cells_value(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[Any] = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    form = ConfigForm(Meal)
    session = shell()
    session.user_ns["form"] = form
    assert session.run_cell("form").success
    assert displayed == [form.widget]


def test_an_error_stops_the_cell_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    session = shell()
    session.user_ns.update(form=ConfigForm(Meal, defaults={"guests": 0}), plain=plain_errors)
    result = session.run_cell("with plain():\n    form.config()")
    assert not result.success
    assert isinstance(result.error_in_exec, NotebookError)
    said = capsys.readouterr()
    (line,) = (said.out + said.err).splitlines()
    assert line.endswith("Guests must be between 1 and 20, got 0")


def test_a_full_memory_is_said_in_a_sentence_too() -> None:
    with pytest.raises(NotebookError, match="the memory is too small for this"), plain_errors():
        raise MemoryError


def test_the_whole_error_is_kept_for_those_who_ask() -> None:
    with pytest.raises(Gpt2Error) as caught, plain_errors(), plain_errors():
        Meal(guests=0)
    assert isinstance(caught.value.__cause__, OptionError)


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), plain_errors():
        _ = 1 / 0


def test_a_form_needs_no_tensorflow() -> None:
    script = "import sys, gpt2_helpers.forms.widgets.form; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_the_forms_are_found_under_one_name() -> None:
    from gpt2_helpers import forms

    assert forms.ConfigForm is ConfigForm
    assert {*forms.__all__} == {*forms._MODULES}
    with pytest.raises(AttributeError, match="ConfgForm"):
        _ = forms.ConfgForm


def test_missing_ipywidgets_error_has_the_install_command() -> None:
    script = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "try:\n    import gpt2_helpers.forms.widgets.form\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert "pip install" in done.stdout
