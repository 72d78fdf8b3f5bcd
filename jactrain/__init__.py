"""Train neural networks by any way of differentiating them, and know whether it is right."""

__version__ = "0.1.0"
