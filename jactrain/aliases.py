"""Names that others give to our components: never accepted, but we say which one is meant."""

from __future__ import annotations

from collections.abc import Mapping

# By registry and by the word as it is written most often; spelled with underscores.
ALIASES: Mapping[str, Mapping[str, str]] = {
    "layers": {
        "affine": "linear",
        "dense": "linear",
        "fully_connected": "linear",
        "logistic": "sigmoid",
        "reshape": "flatten",
        "skip": "residual",
        "swish": "silu",
    },
    "losses": {
        "bce": "binary_cross_entropy",
        "categorical_crossentropy": "cross_entropy",
        "ce": "cross_entropy",
        "l1": "mean_absolute_error",
        "l2": "mean_squared_error",
        "log_loss": "cross_entropy",
        "mae": "mean_absolute_error",
        "mse": "mean_squared_error",
        "negative_log_likelihood": "cross_entropy",
        "nll": "cross_entropy",
        "smooth_l1": "huber",
        "squared_error": "mean_squared_error",
    },
    "modes": {
        "adjoint": "reverse",
        "backprop": "reverse",
        "backpropagation": "reverse",
        "back_propagation": "reverse",
        "backward": "reverse",
        "fd": "finite_difference",
        "finite_differences": "finite_difference",
        "forward_propagation": "forward",
        "jvp": "forward",
        "numerical": "finite_difference",
        "tangent": "forward",
        "vjp": "reverse",
    },
    "optimizers": {
        "gd": "sgd",
        "gradient_descent": "sgd",
        "momentum": "sgd",
        "nesterov": "sgd",
    },
    "sources": {
        "mnist": "digits",
        "numpy": "npz",
        "table": "csv",
    },
}
