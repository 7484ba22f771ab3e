"""The building blocks of the notebook forms."""
