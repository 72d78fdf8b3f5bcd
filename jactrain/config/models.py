"""What a configuration file says, as validated models; components are named in the registries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator

from jactrain.arrays import DTypeName
from jactrain.data import sources
from jactrain.data.base import Dataset, Outline, Source
from jactrain.data.preparation import ScalingName
from jactrain.layers import layers
from jactrain.layers.chain import LayerList
from jactrain.losses import losses
from jactrain.losses.base import Loss
from jactrain.modes import modes
from jactrain.modes.base import Mode
from jactrain.optimizers import optimizers, schedules
from jactrain.optimizers.base import Optimizer
from jactrain.registry import ComponentOf, Options
from jactrain.training.engine import Engine
from jactrain.training.engines import engines
from jactrain.training.settings import TrainingSettings

REGISTRIES = (layers, losses, modes, optimizers, schedules, sources, engines)

# Named here: inside a model, a field called `modes` would hide the registry.
SourceField = Annotated[Source, ComponentOf(sources)]
LossField = Annotated[Loss, ComponentOf(losses)]
ModeField = Annotated[Mode, ComponentOf(modes)]
OptimizerField = Annotated[Optimizer, ComponentOf(optimizers)]
EngineField = Annotated[Engine, ComponentOf(engines)]

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class DataOptions(Options):
    """Where the examples come from, and how they are split and scaled."""

    source: SourceField = Field(description="The dataset, a csv or an npz file.")
    targets: Literal["source", "inputs"] = Field(
        "source",
        description="What the network is to give: the source's targets, or its own inputs again, which makes "
        "it an autoencoder.",
    )
    validation: float = Field(
        0.2, ge=0, lt=1, description="Fraction of the examples kept for validation; 0 keeps none."
    )
    scale: ScalingName = Field(
        "none", description="Scaling of the inputs, fitted on the training part alone."
    )
    scale_targets: ScalingName = Field(
        "none",
        description="Scaling of numeric targets, fitted on the training part alone; predictions and rmse "
        "are in the dataset's own units all the same.",
    )

    def outline(self) -> Outline:
        """Return what is known of the examples without loading them; DataError if they cannot be used."""
        outline = self.source.outline()
        return outline.autoencoded() if self.targets == "inputs" else outline

    def load(self) -> Dataset:
        """Return the examples, with the targets asked for; DataError if they cannot be used."""
        dataset = self.source.load()
        return dataset.autoencoded() if self.targets == "inputs" else dataset


class AgreementOptions(Options):
    """Which modes are compared with the training mode while it trains."""

    modes: list[ModeField] = Field(
        min_length=1,
        description="The modes that compute the same gradient for comparison; the training mode among them "
        "gives its place to reverse.",
    )
    every: PositiveInt = Field(100, description="Steps between two comparisons.")
    examples: PositiveInt = Field(32, description="How many examples of the batch are used.")

    @field_validator("modes", mode="before")
    @classmethod
    def _compares_something(cls, modes: Any) -> Any:
        if modes == []:
            raise ValueError(
                "no mode is listed; to compare none, write agreement: null (--set agreement=null)"
            )
        return modes


class Config(Options):
    """A training: data, network, loss, mode of differentiation, optimizer."""

    name: str = Field(
        pattern=RUN_NAME, description="What the run is called; letters, digits, dot, dash, underscore."
    )
    seed: int = Field(0, ge=0, description="Where all randomness comes from.")
    dtype: DTypeName = Field("float32", description="Of parameters, activations and gradients.")
    data: DataOptions
    network: LayerList = Field(min_length=1, description="The layers, from the inputs to the outputs.")
    loss: LossField
    mode: ModeField = Field(
        default_factory=lambda: modes.resolve("reverse"), description="How the gradient is computed."
    )
    optimizer: OptimizerField
    engine: EngineField = Field(
        default_factory=lambda: engines.resolve("numpy"), description="What computes the steps."
    )
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    agreement: AgreementOptions | None = Field(
        None, description="Comparison with other modes while training; null for none."
    )
