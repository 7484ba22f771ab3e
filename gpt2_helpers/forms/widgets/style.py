"""The style of all forms: one style sheet, and the HTML of short messages. Escapes all text.

Notebooks do not say in a common way whether their theme is light or dark. So text inherits
its color, and other colors come from variables of the front end (--jp-* in JupyterLab, --vscode-*
in VS Code), with a fallback that is readable in both themes.
"""

from __future__ import annotations

import re
from html import escape

import ipywidgets as widgets

LABEL_WIDTH = "180px"
# In escaped text. A sentence may continue after an address.
_ADDRESS = re.compile(r"https?://[^\s`)&]*(?:&amp;[^\s`)&]*)*(?<![.,:;])")

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
.gpt2-form a { color: inherit; text-decoration: underline; }
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
    """Return the style sheet as a widget, which each output must contain."""
    return widgets.HTML(f"<style>{_CSS}</style>", layout=widgets.Layout(display="none"))


def message(kind: str, text: str) -> str:
    """Return `text` as HTML; an empty text as an empty string.

    Screen readers announce errors. Errors and warnings are marked by a symbol besides their color.

    Args:
        kind: A CSS class without its prefix: help, note, warning, error, heading or excerpt.
        text: Plain text, which is escaped. Web addresses in it become links, except in an excerpt.

    >>> message("note", "a < b")
    '<div class="gpt2-note">a &lt; b</div>'
    """
    role = ' role="alert"' if kind == "error" else ""
    symbol = {"error": "\u2717 ", "warning": "\u26a0 "}.get(kind, "")
    shown = escape(text)
    if kind != "excerpt":  # other people's text
        shown = _ADDRESS.sub(r'<a href="\g<0>" target="_blank" rel="noopener">\g<0></a>', shown)
    return f'<div class="gpt2-{kind}"{role}>{symbol}{shown}</div>' if text else ""


def as_sentence(text: str) -> str:
    """Return a help text as a sentence.

    >>> as_sentence("texts for each prefix")
    'Texts for each prefix.'
    """
    return f"{text[:1].upper()}{text[1:]}." if text else ""
