"""Evaluation of models: memorization, text similarity, perplexity and loss curves."""
