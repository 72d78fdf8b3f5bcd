"""The layers and the loss of a network, where they stand in it, for the laws to be tried on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jactrain.agreement.compare import Verdict
from jactrain.agreement.examination import Examination
from jactrain.agreement.finding import Finding, Sensitivity, broken, judged, worst_of
from jactrain.agreement.laws import laws_for, sides_of
from jactrain.agreement.loss_laws import LOSS_PRODUCTS, LossExamination
from jactrain.agreement.planting import planted, scaled
from jactrain.agreement.sides import Sides
from jactrain.arrays import Array, Shape, leaves, map_tree, size_of
from jactrain.layers.base import Layer, Placed, Product
from jactrain.losses.base import Loss
from jactrain.objective import Batch, Objective

_PROBES = 16  # examples
_ENTRIES = 2**16  # of the examples of one layer
_ROW_ENTRIES = 2**19  # of its parameters' gradients, example by example
_LOSS_PROBES = 64  # examples at least
_SMALLEST = 2.0**-52


class Examined(NamedTuple):
    """A layer or a loss at one place: what its laws are about, and both sides of them for one like it."""

    products: Sequence[str]
    sides: Callable[[Any, str], Iterator[Sides]]


class Specimen:
    """A layer or the loss at its place in a network, examined there and at random inputs."""

    def __init__(self, name: str, component: Layer | Loss, places: Sequence[Examined]) -> None:
        self.name = name
        self.component = component
        self._places = places

    def findings(self, product: str | None = None, component: Layer | Loss | None = None) -> list[Finding]:
        """Return what each law found, or those of one `product`, of the component or one in its place."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for place in self._places:
            for name in [product] if product else place.products:
                for finding in self._of_law(place, name, component or self.component):
                    found.setdefault((finding.product, finding.law), []).append(finding)
        return [worst_of(same) for same in found.values()]

    def sensitivities(self) -> Iterator[Sensitivity]:
        """Yield for each product the smallest relative error that is caught when planted in it."""
        for product in self._places[0].products:
            if product != Product.FORWARD:  # which the others are compared with
                yield Sensitivity(self.name, product, self._smallest(product))

    def _smallest(self, product: str) -> float | None:
        findings = self.findings(product)
        if any(each.verdict is Verdict.DISAGREE for each in findings):
            return None  # it is wrong as it is
        allowed = [each.allowed for each in findings if each.verdict is Verdict.AGREE and each.allowed]
        size = 2.0 ** math.floor(math.log2(min(allowed, default=_SMALLEST)))
        while size <= 1 and not self._catches(product, size):
            size *= 2
        if size > 1:
            return None
        while size > _SMALLEST and self._catches(product, size / 2):
            size /= 2
        return size

    def _catches(self, product: str, size: float) -> bool:
        spoilt = planted(self.component, product, scaled(size))
        return any(each.verdict is Verdict.DISAGREE for each in self.findings(product, spoilt))

    def _of_law(self, place: Examined, product: str, component: Any) -> Iterator[Finding]:
        """Yield what a law finds in one place; a rule that raises is one that is wrong."""
        try:
            for sides in place.sides(component, product):
                yield judged(self.name, sides)
        except Exception as error:  # whatever a rule from elsewhere raises is what was found
            yield broken(self.name, product, error)


class Survey(NamedTuple):
    """The specimens of a network, and what was found on the way to them: rules that do not run at all."""

    specimens: list[Specimen]
    broken: list[Finding]


def survey(objective: Objective, parameters: Array, batch: Batch, rng: np.random.Generator) -> Survey:
    """Return every layer of a network, those within others too, and the loss, as they are on `batch`."""
    params, x = objective.network.layout.views(parameters[None]), batch.x[None]
    places: list[Placed] = []
    found: list[Specimen] = []
    wrong: list[Finding] = []
    try:
        for place in _places(objective.network.chain, "", params, x, batch.noise):
            places.append(place)
        outputs, _ = objective.network.chain.forward(np, params, x, batch.noise)
        found.append(loss_specimen(objective.loss, outputs, batch.targets, rng))
    except Exception as error:  # whatever a rule from elsewhere raises is what was found
        # The forward of the place that came last was run for the next one, and is examined by itself below.
        wrong.append(broken(places[-1].name, Product.FORWARD, error))
    for place in places:
        try:
            found.append(layer_specimen(place, rng))
        except Exception as error:  # as above
            wrong.append(broken(place.name, Product.FORWARD, error))
    return Survey(found, list({(each.layer, each.product): each for each in wrong}.values()))


def layer_specimen(place: Placed, rng: np.random.Generator) -> Specimen:
    """Return a layer, to be examined in its place and at random inputs."""
    examinations = [Examination(each, rng) for each in (fewer(place), probe(place, rng))]
    examined = [Examined(laws_for(place.layer, each), partial(sides_of, each)) for each in examinations]
    return Specimen(place.name, place.layer, examined)


def loss_specimen(loss: Loss, outputs: Array, targets: Array, rng: np.random.Generator) -> Specimen:
    """Return a loss, to be examined at `outputs` `(1, N, m)` and at random ones around `targets` `(N, m)`."""
    tiled = np.tile(targets, (-(-_LOSS_PROBES // len(targets)), 1))
    near = probe_values(rng, tiled.shape)
    far = near * 10 ** rng.uniform(0, 2, tiled.shape)
    probes = [(tiled + moved).astype(outputs.dtype)[None] for moved in (near, far)]
    examinations = [
        LossExamination(loss, outputs, targets, rng),
        *(LossExamination(loss, each, tiled.astype(outputs.dtype), rng) for each in probes),
    ]
    return Specimen(loss.kind, loss, [Examined(LOSS_PRODUCTS, each.sides) for each in examinations])


def _places(layer: Layer, prefix: str, params: Any, x: Array, noise: Any) -> Iterator[Placed]:
    for placed in layer.within(np, params, x, noise):
        name = f"{prefix}{placed.name}"
        yield placed._replace(name=name)
        yield from _places(placed.layer, f"{name}/", placed.params, placed.x, placed.noise)


def fewer(place: Placed) -> Placed:
    """Return the place with as many examples as are examined."""
    count = _examples(place)
    noise = map_tree(lambda array: array[:count], place.noise)
    return place._replace(x=place.x[:, :count], noise=noise)


def _examples(place: Placed) -> int:
    """Return how many examples of a layer are examined: fewer of one that is wide or has many parameters."""
    shape: Shape = place.x.shape[2:]
    size = size_of(shape) + size_of(place.layer.output_shape(shape))
    parameters = sum(size_of(each) for _, each in leaves(place.layer.parameter_shapes(shape)))
    return max(2, min(_ENTRIES // max(1, size), _ROW_ENTRIES // max(1, parameters)))


def probe(place: Placed, rng: np.random.Generator) -> Placed:
    """Return the layer at random parameters and inputs of all sizes from 0.001 to 30, with noise.

    In its own place a layer may show nothing: units are saturated, weights are still 0 or 1.
    """
    shape: Shape = place.x.shape[2:]
    dtype = place.x.dtype
    examples = min(_PROBES, _examples(place))
    x = probe_values(rng, (1, examples, *shape))

    def moved(leaf: Array) -> Array:
        scale = 0.3 / math.sqrt(max(1, leaf.size // leaf.shape[-1])) if leaf.ndim else 0.3
        return (leaf + scale * rng.standard_normal(leaf.shape))[None].astype(dtype)

    params = map_tree(moved, place.layer.initial_parameters(rng, shape))
    noise = place.layer.draw_noise(rng, shape, examples, dtype)
    return place._replace(params=params, x=x.astype(dtype), noise=noise)


def probe_values(rng: np.random.Generator, shape: Shape) -> Array:
    """Return random numbers of all sizes from about 0.001 to 30."""
    return rng.standard_normal(shape) * 10 ** rng.uniform(-3, 1.5, shape)
