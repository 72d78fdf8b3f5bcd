"""Digits with JAX: 64-64-10, tanh, momentum, batches of 64, 30 epochs; one step compiled."""

import json
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

EPOCHS, BATCH, LEARNING_RATE, MOMENTUM = 30, 64, 0.1, 0.9
SIZES = (64, 64, 10)

x, y = load_digits(return_X_y=True)
x_train, x_validation, y_train, y_validation = train_test_split(
    x, y, test_size=0.2, stratify=y, random_state=0
)
scaler = StandardScaler().fit(x_train)
x_train, x_validation = (jnp.asarray(scaler.transform(part), jnp.float32) for part in (x_train, x_validation))
targets = jax.nn.one_hot(jnp.asarray(y_train), 10)

rng = np.random.default_rng(0)
parameters = [
    (
        jnp.asarray(rng.normal(0, (1 / inputs) ** 0.5, (inputs, outputs)), jnp.float32),
        jnp.zeros(outputs, jnp.float32),
    )
    for inputs, outputs in pairwise(SIZES)
]
velocities = jax.tree.map(jnp.zeros_like, parameters)


def logits_of(parameters, x):
    """Return the logits (N, 10)."""
    (weight, bias), (last_weight, last_bias) = parameters
    return jnp.tanh(x @ weight + bias) @ last_weight + last_bias


def loss_of(parameters, x, targets):
    """Return the mean cross-entropy."""
    return -(targets * jax.nn.log_softmax(logits_of(parameters, x))).sum(-1).mean()


@jax.jit
def step(parameters, velocities, index):
    """Return parameters and velocities after one batch, and its loss."""
    loss, slopes = jax.value_and_grad(loss_of)(parameters, x_train[index], targets[index])
    velocities = jax.tree.map(lambda v, slope: MOMENTUM * v + slope, velocities, slopes)
    parameters = jax.tree.map(lambda theta, v: theta - LEARNING_RATE * v, parameters, velocities)
    return parameters, velocities, loss


for _ in range(EPOCHS):
    order = rng.permutation(len(x_train))
    for start in range(0, len(order), BATCH):
        parameters, velocities, loss = step(parameters, velocities, order[start : start + BATCH])

accuracy_of = jax.jit(lambda parameters, x, y: (logits_of(parameters, x).argmax(-1) == y).mean())
accuracies = {
    "train": float(accuracy_of(parameters, x_train, y_train)),
    "validation": float(accuracy_of(parameters, x_validation, y_validation)),
}
print(json.dumps(accuracies))
