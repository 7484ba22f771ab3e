"""Processes that are killed at any moment, and what must be there afterwards.

`victim` is the process, `killing` starts and kills it, `scenarios` say what it does and what has to
hold, `python -m crashes` (in tests/) does it for as long as one likes.
"""
