"""Files to documents to token ids to training windows."""
