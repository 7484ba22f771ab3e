"""The style of forms: escaped messages, help texts and the style sheet."""

from __future__ import annotations

from gpt2_helpers.forms.widgets.style import as_sentence, message, style_sheet


def test_messages_are_escaped_and_empty_ones_are_left_out() -> None:
    assert message("note", "<b>") == '<div class="gpt2-note">&lt;b&gt;</div>'
    assert message("note", "") == ""


def test_errors_are_announced_to_screen_readers_and_marked_by_a_symbol() -> None:
    assert message("error", "no such run") == (
        '<div class="gpt2-error" role="alert">\u2717 no such run</div>'
    )
    assert "role" not in message("warning", "slow")


def test_every_kind_of_message_has_a_style() -> None:
    css = style_sheet().value
    for kind in ("help", "note", "warning", "error", "heading", "excerpt"):
        assert f".gpt2-{kind}" in css


def test_help_texts_become_sentences() -> None:
    assert as_sentence("texts per prompt") == "Texts per prompt."
    assert as_sentence("") == ""
