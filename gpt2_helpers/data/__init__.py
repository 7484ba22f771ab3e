"""Files to documents to token ids to training windows."""

from gpt2_helpers.data.dataset import load_dataset

__all__ = ["load_dataset"]
