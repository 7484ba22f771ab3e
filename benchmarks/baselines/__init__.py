"""The compared libraries, one module each, with ours among them.

`prepare(workload, folder, option)` loads the model and returns a function that runs one round.
"""
