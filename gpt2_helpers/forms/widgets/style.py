"""The looks of every form: one block of CSS, and the HTML of the small texts in it.

Notebooks do not say whether they are light or dark in a way that all front ends share. So letters
take the colour that stands around them, and what has a colour of its own takes it from the front
end's variables (JupyterLab's --jp-*, VS Code's --vscode-*), with one that reads on both as the
last resort. All text that is put into HTML is escaped here.
"""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

LABEL_WIDTH = "180px"

_CSS = """
.gpt2-form {
  --gpt2-red: var(--vscode-errorForeground, var(--jp-error-color1, #d93025));
  --gpt2-amber: var(--vscode-editorWarning-foreground, var(--jp-warn-color0, #b06000));
  --gpt2-line: var(--vscode-widget-border, var(--jp-border-color2, rgba(128, 128, 128, 0.4)));
  --gpt2-excerpt: var(--vscode-editorWidget-background,
    var(--jp-layout-color2, rgba(128, 128, 128, 0.1)));
  max-width: 760px;
  overflow-x: hidden;
}
.gpt2-form .widget-label { text-align: left; }
.gpt2-form .gpt2-line { flex-flow: row wrap; align-items: center; }
.gpt2-form .widget-html-content { line-height: 1.4; font-size: var(--jp-widgets-font-size, 13px); }
.gpt2-form .widget-html { height: auto; min-height: 0; }
.gpt2-form .gpt2-heading { font-weight: 600; margin-top: 6px; }
.gpt2-form .gpt2-help { opacity: 0.75; max-width: 560px; }
.gpt2-form .gpt2-below .gpt2-help, .gpt2-form .gpt2-below .gpt2-note,
.gpt2-form .gpt2-below .gpt2-warning, .gpt2-form .gpt2-indent { margin-left: 188px; }
.gpt2-form .gpt2-error, .gpt2-form .gpt2-warning {
  border-left: 3px solid; padding: 1px 8px; margin: 2px 0; max-width: 560px;
  overflow-wrap: anywhere;
}
.gpt2-form .gpt2-error { color: var(--gpt2-red); }
.gpt2-form .gpt2-warning { border-color: var(--gpt2-amber); }
.gpt2-form .gpt2-excerpt {
  background: var(--gpt2-excerpt); border: 1px solid var(--gpt2-line); border-radius: 3px;
  padding: 4px 8px; margin: 2px 0; max-height: 12em; overflow: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; font-family: monospace;
}
.gpt2-form .gpt2-table td, .gpt2-form .gpt2-table th {
  text-align: left; vertical-align: top; padding: 1px 12px 1px 0; overflow-wrap: anywhere;
}
@media (max-width: 560px) {
  .gpt2-form .gpt2-below .gpt2-help, .gpt2-form .gpt2-below .gpt2-note,
  .gpt2-form .gpt2-below .gpt2-warning, .gpt2-form .gpt2-indent { margin-left: 0; }
}
"""


def style_sheet() -> widgets.HTML:
    """The CSS as a widget: it must stand in the output that it is for."""
    return widgets.HTML(f"<style>{_CSS}</style>", layout=widgets.Layout(display="none"))


def message(kind: str, text: str) -> str:
    """`text` as HTML of a kind that the CSS knows: help, note, warning, wrong, heading, paper.

    Wrong things are read out by screen readers when they appear, and marked by more than colour.

    >>> message("note", "a < b")
    '<div class="gpt2-note">a &lt; b</div>'
    """
    role = ' role="alert"' if kind == "wrong" else ""
    mark = {"wrong": "\u2717 ", "warning": "\u26a0 "}.get(kind, "")
    return f'<div class="gpt2-{kind}"{role}>{mark}{escape(text)}</div>' if text else ""


def sentence(text: str) -> str:
    """A help text as a sentence of its own.

    >>> sentence("texts for each prefix")
    'Texts for each prefix.'
    """
    return f"{text[:1].upper()}{text[1:]}." if text else ""
