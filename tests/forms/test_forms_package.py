"""The package `forms`: lazily imported names, and the error without ipywidgets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gpt2_helpers import forms
from gpt2_helpers.forms.widgets.form import ConfigForm


def test_public_names_are_imported_lazily() -> None:
    assert forms.ConfigForm is ConfigForm
    assert {*forms.__all__} == {*forms._MODULES}
    for name in forms.__all__:
        assert getattr(forms, name)
    with pytest.raises(AttributeError, match="ConfgForm"):
        _ = forms.ConfgForm


def test_missing_ipywidgets_error_has_the_install_command() -> None:
    script = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "try:\n    import gpt2_helpers.forms.widgets.form\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.count('pip install "gpt2-helpers[notebooks]"') == 1
