"""Buttons: what they do once, and what they say when it goes wrong."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets.buttons import ActionButton, error_text


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", -1.0)


def failing(error: BaseException) -> ActionButton:
    def work() -> None:
        raise error

    return ActionButton("Go", work)


def test_a_click_does_the_work_and_the_button_cannot_be_clicked_meanwhile() -> None:
    seen = []
    action = ActionButton("Go", lambda: seen.append(action.button.disabled))
    action.button.click()
    assert seen == [True]
    assert not action.button.disabled
    assert action.message.value == ""


def test_a_click_during_the_work_is_ignored() -> None:
    seen = []

    def work() -> None:
        seen.append("once")
        action.button.click()

    action = ActionButton("Go", work)
    action.button.click()
    assert seen == ["once"]


def test_a_click_that_was_queued_is_ignored_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 3600.0)
    seen = []
    action = ActionButton("Go", lambda: seen.append("once"))
    action.button.click()
    action.button.click()
    assert seen == ["once"]


def test_an_error_is_said_in_the_form_and_the_next_click_takes_it_away() -> None:
    errors: list[BaseException] = [OptionError("length must be <b>"), ValueError("odd\n thing")]

    def work() -> None:
        if errors:
            raise errors.pop(0)

    action = ActionButton("Go", work)
    action.button.click()
    assert "length must be &lt;b&gt;" in action.message.value
    action.button.click()
    assert "ValueError: odd thing" in action.message.value
    assert not action.button.disabled
    action.button.click()
    assert action.message.value == ""


def test_an_interrupt_ends_the_work_and_nothing_else() -> None:
    action = failing(KeyboardInterrupt())
    action.button.click()
    assert "Interrupted." in action.message.value
    assert not action.button.disabled


def test_full_memory_is_told_with_what_helps() -> None:
    from tensorflow import errors

    full = errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8]")
    for error in (full, MemoryError()):
        assert "take a smaller model" in error_text(error)
    assert len(error_text(ValueError("word " * 1000))) < 400
    assert error_text(ValueError()) == "ValueError"
