"""Buttons: single execution, and errors shown next to them."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.buttons import ActionButton, error_text


@pytest.fixture(autouse=True)
def _no_click_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", -1.0)


def failing(error: BaseException) -> ActionButton:
    def run() -> None:
        raise error

    return ActionButton("Go", run)


def test_a_click_runs_the_action_and_disables_the_button_meanwhile() -> None:
    seen = []
    action = ActionButton("Go", lambda: seen.append(action.button.disabled))
    action.button.click()
    assert seen == [True]
    assert not action.button.disabled
    assert action.message.value == ""


def test_a_click_during_the_action_is_ignored() -> None:
    seen = []

    def run() -> None:
        seen.append("once")
        action.button.click()

    action = ActionButton("Go", run)
    action.button.click()
    assert seen == ["once"]


def test_a_queued_click_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 3600.0)
    seen = []
    action = ActionButton("Go", lambda: seen.append("once"))
    action.button.click()
    action.button.click()
    assert seen == ["once"]


def test_an_error_is_shown_until_the_next_click() -> None:
    errors: list[BaseException] = [OptionError("length must be <b>"), ValueError("odd\n thing")]

    def run() -> None:
        if errors:
            raise errors.pop(0)

    action = ActionButton("Go", run)
    action.button.click()
    assert "length must be &lt;b&gt;" in action.message.value
    action.button.click()
    assert "ValueError: odd thing" in action.message.value
    assert not action.button.disabled
    action.button.click()
    assert action.message.value == ""


def test_an_interrupt_stops_only_the_action() -> None:
    action = failing(KeyboardInterrupt())
    action.button.click()
    assert "Interrupted." in action.message.value
    assert not action.button.disabled


def test_out_of_memory_error_suggests_remedies() -> None:
    from tensorflow import errors

    full = errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8]")
    for error in (full, MemoryError()):
        assert "use a smaller model" in error_text(error)
    assert len(error_text(ValueError("word " * 1000))) < 400
    assert error_text(ValueError()) == "ValueError"
