"""Training: the loop, its callbacks and checkpoints, finetuning and pretraining runs."""
