"""Hugging Face's formats: model folders, PEFT adapters, model cards, and the Hub. No TensorFlow."""
