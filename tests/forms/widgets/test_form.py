"""Forms made from config dataclasses: their widgets, validation and values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import pytest

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.forms.widgets.form import ConfigForm
from gpt2_helpers.forms.widgets.style import message

FINETUNE = (FinetuneConfig, RunConfig, DatasetConfig)


@dataclass(frozen=True)
class Meal(ValidatedConfig):
    """A field of each kind, and a rule about two of them."""

    guests: int = option(4, "people at the table", minimum=1, maximum=20, suggested_range=(2, 8))
    salt: float = option(
        0.5, "grams of salt", label="Salt (g)", minimum=0.0, suggested_range=(0.0, 2.0)
    )
    wine: bool = option(False, "serve wine")
    song: str | None = option(None, "what is sung")
    course: str = option("soup", "what comes first", choices=("soup", "salad"))
    seed: int | None = option(None, "the same seed, the same meal", minimum=0, advanced=True)
    host: str = option("Ada", "who invites", advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wine and self.guests > 10:
            raise OptionError(f"wine=True allows at most 10 guests, got {self.guests}")
        if not self.host.strip():
            raise OptionError("host must not be empty")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (*FINETUNE, SamplingConfig, Meal):
        for field in fields_of(kind):
            monkeypatch.delenv(f"GPT2_{field.name.upper()}", raising=False)


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield a widget and its descendants."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def html(form: ConfigForm) -> str:
    """Return all visible HTML of a form."""
    return "".join(
        part.value
        for part in parts(form.widget)
        if isinstance(part, widgets.HTML) and part.layout.display != "none"
    )


def control(form: ConfigForm, name: str) -> Any:
    return form.row(name).control


def type_into(form: ConfigForm, name: str, text: str) -> None:
    control(form, name).value = text


# -- From the dataclass and back ---------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(Meal,), (SamplingConfig,), FINETUNE])
def test_an_unchanged_form_returns_the_defaults(kinds: tuple[type[ValidatedConfig], ...]) -> None:
    form = ConfigForm(*kinds)
    assert form.is_valid
    for kind in kinds:
        assert form.config(kind) == kind()


def test_each_kind_of_field_has_a_widget_with_label_and_help() -> None:
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


def test_typed_values_are_converted_to_the_type_of_the_field() -> None:
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
def test_an_empty_box_of_an_optional_field_is_none(name: str) -> None:
    form = ConfigForm(Meal, defaults={name: "7"})
    assert form.value(name) is not None
    type_into(form, name, "")
    assert form.value(name) is None
    assert form.is_valid


def test_a_text_field_keeps_whitespace() -> None:
    form = ConfigForm(Meal)
    type_into(form, "song", " ")
    assert form.config().song == " "


def test_only_named_fields_are_shown_in_that_order() -> None:
    form = ConfigForm(Meal, only=("wine", "guests"), hidden=("seed",), defaults={"host": "Bo"})
    shown = [part.description for part in parts(form.widget) if hasattr(part, "description")]
    assert [label for label in shown if label] == ["Wine", "Guests"]
    form.set(seed=3)
    assert form.config() == Meal(seed=3, host="Bo")
    assert form.value("seed") == 3


def test_a_form_can_have_several_dataclasses() -> None:
    form = ConfigForm(*FINETUNE)
    form.set(steps=7, run_name="tales", column=2)
    assert form.config(FinetuneConfig) == FinetuneConfig(steps=7)
    assert form.config(RunConfig).run_name == "tales"
    assert form.config(DatasetConfig).column == "2"


def test_advanced_options_are_collapsed() -> None:
    form = ConfigForm(Meal, advanced=("song",))
    (fold,) = (part for part in parts(form.widget) if isinstance(part, widgets.Accordion))
    assert fold.selected_index is None
    folded = {part.description for part in parts(fold) if getattr(part, "description", "")}
    assert folded == {"Song", "Seed", "Host"}


def test_without_advanced_options_there_is_no_accordion() -> None:
    form = ConfigForm(Meal, only=("guests",))
    assert not any(isinstance(part, widgets.Accordion) for part in parts(form.widget))


@pytest.mark.parametrize(
    "wrong", [{"only": ("gests",)}, {"defaults": {"gests": 1}}, {"hidden": ("gests",)}]
)
def test_an_unknown_field_name_is_a_value_error(wrong: Any) -> None:
    with pytest.raises(ValueError, match="gests"):
        ConfigForm(Meal, **wrong)
    with pytest.raises(ValueError, match="gests"):
        ConfigForm(Meal).set(gests=1)


def test_two_dataclasses_with_the_same_field_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        ConfigForm(FinetuneConfig, SamplingConfig)


# -- Validation -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x", "", "3.5", "21", "nan"])
def test_invalid_input_is_kept_and_its_error_is_shown(text: str) -> None:
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


def test_contradicting_values_are_reported_at_the_foot() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "12")
    assert form.is_valid
    control(form, "wine").value = True
    assert form.errors == {"": "wine=True allows at most 10 guests, got 12"}
    assert html(form).endswith(message("error", form.errors[""]))
    type_into(form, "guests", "10")
    assert form.is_valid


def test_an_error_of_the_dataclass_is_shown_beside_its_field() -> None:
    form = ConfigForm(*FINETUNE)
    type_into(form, "run_name", "a/b")
    assert form.errors == {"run_name": "Run name must be a plain folder name, got 'a/b'"}
    assert form.row("run_name").error == form.errors["run_name"]


def test_advanced_options_open_if_one_of_them_is_invalid() -> None:
    form = ConfigForm(Meal)
    type_into(form, "seed", "-1")
    (fold,) = (part for part in parts(form.widget) if isinstance(part, widgets.Accordion))
    assert fold.selected_index == 0


def test_input_is_escaped() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "<img src=x>")
    form.note("song", "<b>loud</b>")
    assert "<img" not in html(form)
    assert "<b>" not in html(form)
    assert "&lt;b&gt;loud" in html(form)


def test_invalid_values_set_by_code_are_shown_like_typed_ones() -> None:
    form = ConfigForm(Meal)
    form.set(guests="lots", course="cake", wine="a little")
    assert form.errors.keys() == {"guests", "course", "wine"}
    assert control(form, "course").value == "cake"
    control(form, "course").value = "soup"
    control(form, "wine").value = True
    assert form.errors.keys() == {"guests"}


# -- Numbers with a slider ---------------------------------------------------------------------


def test_slider_and_text_box_are_synchronized() -> None:
    form = ConfigForm(Meal)
    guests, salt = form.row("guests"), form.row("salt")
    assert (guests.slider.value, salt.slider.value) == (4, 0.5)
    guests.slider.value = 6
    salt.slider.value = 1.3000000000000003
    assert (guests.control.value, salt.control.value) == ("6", "1.3")
    type_into(form, "guests", "3")
    assert guests.slider.value == 3
    assert form.config() == Meal(guests=3, salt=1.3)


def test_a_number_beyond_the_range_of_the_slider_can_be_typed() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "20")
    assert form.row("guests").slider.value == 8
    assert form.config().guests == 20


@pytest.mark.parametrize("digits", [30, 400, 5000])
@pytest.mark.parametrize("name", ["length", "temperature", "batch_size", "seed"])
def test_a_number_with_hundreds_of_digits_is_an_error_of_its_field(name: str, digits: int) -> None:
    form = ConfigForm(SamplingConfig)
    type_into(form, name, "9" * digits)
    if name == "temperature" and digits == 30:
        return  # a valid float
    assert form.errors.keys() == {name}
    with pytest.raises(OptionError):
        form.config()
    form.set(**{name: 10 ** min(digits, 400)})
    assert form.errors.keys() == {name}


def test_a_slider_does_not_move_if_the_input_is_not_a_number() -> None:
    form = ConfigForm(Meal)
    type_into(form, "guests", "six")
    assert form.row("guests").slider.value == 4
    assert control(form, "guests").value == "six"


# -- Environment variables ---------------------------------------------------------------------


def test_variables_override_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, word in {"GUESTS": "5", "WINE": "yes", "SONG": "none", "SEED": "9"}.items():
        monkeypatch.setenv(f"GPT2_{name}", word)
    form = ConfigForm(Meal, defaults={"guests": 7, "salt": 2, "song": "Hey"}, hidden=("seed",))
    assert form.config() == Meal(guests=5, salt=2.0, wine=True, seed=9)


@pytest.mark.parametrize(
    ("name", "word"),
    [("guests", "0"), ("wine", "perhaps"), ("course", "cake"), ("seed", "x"), ("salt", "")],
)
def test_an_invalid_variable_is_shown_with_its_error(
    name: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GPT2_{name.upper()}", word)
    form = ConfigForm(Meal)
    assert form.errors.keys() == {name}
    assert repr(word) in form.errors[name] or f"got {word}" in form.errors[name]
    assert "gpt2-error" in html(form)


def test_an_invalid_variable_of_a_hidden_field_is_reported_at_the_foot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_GUESTS", "many")
    form = ConfigForm(Meal, hidden=("guests",))
    assert form.errors == {"guests": "guests must be a whole number, got 'many'"}
    assert html(form).endswith(message("error", form.errors["guests"]))


def test_a_field_that_is_neither_shown_nor_hidden_ignores_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_GUESTS", "6")
    assert ConfigForm(Meal, only=("salt",)).config() == Meal()


# -- Dropdowns, notes, callbacks ----------------------------------------------------------------


def test_a_text_field_can_have_a_dropdown() -> None:
    form = ConfigForm(Meal, choices={"host": [("Ada, of course", "Ada"), "Bo"]})
    assert control(form, "host").options == (("Ada, of course", "Ada"), ("Bo", "Bo"))
    control(form, "host").value = "Bo"
    form.offer("host", ["Cy", "Di"])
    assert form.config().host == "Bo"
    control(form, "host").value = "Di"
    form.offer("host", ["Cy", "Di"])
    assert control(form, "host").options == (("Cy", "Cy"), ("Di", "Di"))
    assert form.config().host == "Di"


def test_callbacks_run_after_validation() -> None:
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


def test_a_given_widget_is_placed_below_its_field() -> None:
    button = widgets.Button(description="Count")
    form = ConfigForm(Meal, after={"guests": button})
    labels = [getattr(part, "description", "") for part in parts(form.widget)]
    assert labels.index("Guests") < labels.index("Count") < labels.index("Salt (g)")


def test_a_note_is_shown_beside_the_help_until_it_is_empty() -> None:
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


def test_a_form_is_displayed_as_the_value_of_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[Any] = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    form = ConfigForm(Meal)
    session = shell()
    session.user_ns["form"] = form
    assert session.run_cell("form").success
    assert displayed == [form.widget]


def test_importing_forms_does_not_load_tensorflow() -> None:
    script = "import sys, gpt2_helpers.forms.widgets.form; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "False\n"
