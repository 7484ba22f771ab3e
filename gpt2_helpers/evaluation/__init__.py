"""What a model learned: memorization, similarity, perplexity, loss curves."""
