"""Digits with scikit-learn: 64-64-10, tanh, momentum, batches of 64, 30 epochs."""

import json
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

x, y = load_digits(return_X_y=True)
x_train, x_validation, y_train, y_validation = train_test_split(
    x, y, test_size=0.2, stratify=y, random_state=0
)
scaler = StandardScaler().fit(x_train)
x_train = scaler.transform(x_train).astype(np.float32)
x_validation = scaler.transform(x_validation).astype(np.float32)

classifier = MLPClassifier(
    hidden_layer_sizes=(64,),
    activation="tanh",
    solver="sgd",
    alpha=0.0,
    batch_size=64,
    learning_rate_init=0.1,
    momentum=0.9,
    nesterovs_momentum=False,
    max_iter=30,
    n_iter_no_change=31,
    tol=0.0,
    random_state=0,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    classifier.fit(x_train, y_train)

accuracies = {
    "train": float(classifier.score(x_train, y_train)),
    "validation": float(classifier.score(x_validation, y_validation)),
}
print(json.dumps(accuracies))
