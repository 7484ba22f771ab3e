"""Model files and run folders: reading, saving, downloading."""

from gpt2_helpers.checkpoint.model_files import load_model, save_model

__all__ = ["load_model", "save_model"]
