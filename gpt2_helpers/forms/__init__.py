"""Forms for notebooks: widgets for the package's functions, usable without reading code.

from gpt2_helpers import forms

form = forms.FinetuneForm()
form                 # last line of a cell: displays the form
sess = form.run()    # in the next cell: trains

A form is made from config dataclasses and returns them; its actions are public calls of the
package. `run()` belongs into its own cell, because the kernel runs one thing at a time and the form
would not respond in the meantime. All widgets exist in ipywidgets 7.7 and 8.1.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gpt2_helpers.errors import import_optional

if TYPE_CHECKING:
    from gpt2_helpers.forms.bench import measure_speed
    from gpt2_helpers.forms.bigquery import BigQueryForm
    from gpt2_helpers.forms.compare import compare
    from gpt2_helpers.forms.data_picker import DataPicker
    from gpt2_helpers.forms.drive import DriveForm
    from gpt2_helpers.forms.finetune import FinetuneForm
    from gpt2_helpers.forms.generate import GenerateForm
    from gpt2_helpers.forms.memorization import show_advice, show_memorization
    from gpt2_helpers.forms.model_picker import ModelForm
    from gpt2_helpers.forms.probabilities import show_probabilities
    from gpt2_helpers.forms.resume import ResumeForm
    from gpt2_helpers.forms.setup import start
    from gpt2_helpers.forms.site_export import export_site
    from gpt2_helpers.forms.widgets.downloads import download, download_button
    from gpt2_helpers.forms.widgets.form import ConfigForm

import_optional("ipywidgets", "a form in a notebook", "notebooks")

# Imported at first use, since some need TensorFlow, which takes seconds to load.
_MODULES = {
    "BigQueryForm": "bigquery",
    "ConfigForm": "widgets.form",
    "DataPicker": "data_picker",
    "DriveForm": "drive",
    "FinetuneForm": "finetune",
    "GenerateForm": "generate",
    "ModelForm": "model_picker",
    "ResumeForm": "resume",
    "compare": "compare",
    "download": "widgets.downloads",
    "download_button": "widgets.downloads",
    "export_site": "site_export",
    "measure_speed": "bench",
    "show_advice": "memorization",
    "show_memorization": "memorization",
    "show_probabilities": "probabilities",
    "start": "setup",
}
__all__ = [
    "BigQueryForm",
    "ConfigForm",
    "DataPicker",
    "DriveForm",
    "FinetuneForm",
    "GenerateForm",
    "ModelForm",
    "ResumeForm",
    "compare",
    "download",
    "download_button",
    "export_site",
    "measure_speed",
    "show_advice",
    "show_memorization",
    "show_probabilities",
    "start",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
