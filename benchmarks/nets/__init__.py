"""Four networks, once in this library and once in every peer, at the same sizes, with one training step each."""

SHAPES = {
    "conv_net": (64, 28, 28, 1),
    "batch_norm_net": (64, 16, 16, 3),
    "lstm": (32, 100, 64),
    "attention": (32, 128, 256),
}
