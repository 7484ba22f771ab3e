"""Files that nobody would write, for everything that reads files.

`targets` are the readers, `python -m fuzzing` (in tests/) feeds them what atheris makes up, guided
by which lines of the package it reaches. What once made one fail is kept in `findings/`, a folder a
target, and fed again by every `make test`.
"""
