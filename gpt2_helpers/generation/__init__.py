"""Prompts to texts: sampling, decoders, continuous batching."""
