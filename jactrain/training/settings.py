"""How long and in what portions to train."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from jactrain.registry import Options


class EarlyStopping(Options):
    """Stop when the validation loss has not improved for some epochs, and keep the best parameters."""

    patience: PositiveInt = Field(10, description="Epochs without improvement before stopping.")
    minimum_improvement: float = Field(
        0.0, ge=0, description="How much lower the loss must be to count as better."
    )


class TrainingSettings(Options):
    """Epochs, batches and early stopping."""

    epochs: PositiveInt = Field(30, description="Times that every training example is used.")
    batch_size: PositiveInt = Field(
        32, description="Examples in a step; the last step of an epoch takes what is left."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When to stop before the last epoch; null trains to the end."
    )
