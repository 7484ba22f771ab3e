"""Block sizes of the operations that work in blocks to save memory.

Estimates of memory import them, so this module must not load TensorFlow.
"""

from __future__ import annotations

# Tokens in a block of the loss, by default and with recomputed activations. Larger blocks add to
# the gradient of the embeddings less often.
LOSS_TOKENS, LOSS_TOKENS_SAVING = 1024, 256
LOSS_IDS = 8192  # token ids whose embeddings' gradients are added at a time
QUERIES = 128  # in a block of attention
