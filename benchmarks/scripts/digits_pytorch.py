"""Digits with PyTorch: 64-64-10, tanh, momentum, batches of 64, 30 epochs."""

import json

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
x_train, x_validation, y_train, y_validation = train_test_split(
    x, y, test_size=0.2, stratify=y, random_state=0
)
scaler = StandardScaler().fit(x_train)
x_train, x_validation = (
    torch.tensor(scaler.transform(part), dtype=torch.float32) for part in (x_train, x_validation)
)
y_train, y_validation = torch.tensor(y_train), torch.tensor(y_validation)

network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
loss_of = torch.nn.CrossEntropyLoss()

for _ in range(30):
    for index in torch.randperm(len(x_train)).split(64):  # quicker than a DataLoader
        optimizer.zero_grad()
        loss_of(network(x_train[index]), y_train[index]).backward()
        optimizer.step()


def accuracy_of(x, y):
    """Return the share of examples whose class is predicted."""
    with torch.no_grad():
        return float((network(x).argmax(-1) == y).float().mean())


accuracies = {
    "train": accuracy_of(x_train, y_train),
    "validation": accuracy_of(x_validation, y_validation),
}
print(json.dumps(accuracies))
