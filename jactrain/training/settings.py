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


class Checkpoints(Options):
    """What a run keeps of its state, to be resumed from."""

    every: PositiveInt = Field(1, description="Epochs from one checkpoint to the next.")
    share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Most of the time that they may take; where epochs are too short for that, some are left "
        "out. 1 leaves out none.",
    )
    keep: int = Field(2, ge=1, description="Newest checkpoints that are kept; older ones are removed.")


class OnDivergence(Options):
    """Go back to the last end of an epoch that has a checkpoint, with a lower learning rate."""

    reduce_learning_rate: float = Field(
        0.5, gt=0, lt=1, description="What the learning rate is multiplied by, each time."
    )
    retries: PositiveInt = Field(3, description="How often, before the run ends as diverged.")


class TrainingSettings(Options):
    """Epochs, batches, early stopping, checkpoints, and what becomes of a divergence."""

    epochs: PositiveInt = Field(30, description="Times that every training example is used.")
    batch_size: PositiveInt = Field(
        32, description="Examples in a step; the last step of an epoch takes what is left."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When to stop before the last epoch; null trains to the end."
    )
    checkpoints: Checkpoints | None = Field(
        Checkpoints(),
        description="How often the state is kept to resume from; null for never.",
    )
    on_divergence: OnDivergence | None = Field(
        None, description="What to do about a loss or gradient that is not finite; null ends the run."
    )
