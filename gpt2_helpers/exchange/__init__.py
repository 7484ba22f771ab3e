"""ONNX, and Hugging Face's formats: model folders, PEFT adapters, model cards, the Hub."""
