"""Sites: where a model's ReLU-like units are, and which of several values a maximum picks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from argflux.errors import ArgumentError, ShapeError
from argflux.keywords import explained
from argflux.kinds import Numbers
from argflux.patterns.sites.choices import find_choices
from argflux.patterns.sites.flat import Flat, Step, flatten, layer_name
from argflux.patterns.sites.islands import Islands
from argflux.patterns.sites.traced import as_array
from argflux.patterns.sites.windows import MAXIMA, candidates


@dataclass(frozen=True, eq=False)
class Site:
    """A place in a model where what is done to an input depends on the input.

    Attributes:
        name: of the layer whose weights come last before the units, such as `layers[0]`; a second site of the same
            layer is `layers[0]#2`. Units that come before any weights are at `input`.
        corners: the pre-activations at which a unit's slope changes, ascending: (0.0,) for relu, (0.0, 6.0) for
            relu6. Empty for a maximum over several values, such as max pooling.
        shape: of the pre-activations, with the axes of the observations; of a maximum, with its candidates last.
        straight: whether the units are affine between their corners.
    """

    name: str
    corners: tuple[float, ...]
    shape: tuple[int, ...]
    straight: bool
    inputs: tuple[int, ...]
    output: int | None
    read: Callable[[list], Array]

    def __repr__(self) -> str:
        return f"Site({self.name!r}, corners={self.corners}, shape={self.shape})"

    @property
    def is_unit(self) -> bool:
        """Whether these are ReLU-like units, and not the candidates of a maximum."""
        return bool(self.corners)


@explained
@dataclass(frozen=True, eq=False)
class Sites:
    """The sites of a model for inputs of one shape, in the order in which they are reached, and its program."""

    flat: Flat
    islands: Islands
    found: tuple[Site, ...]

    def __repr__(self) -> str:
        return f"Sites({', '.join(site.name for site in self.found)})"

    @property
    def units(self) -> tuple[Site, ...]:
        """The sites of ReLU-like units."""
        return tuple(site for site in self.found if site.is_unit)

    def values(self, model: Any, x: Numbers, sites: Sequence[Site]) -> list[Array]:
        """Return, for each of these sites, the pre-activations; of a maximum, the candidates."""
        traced = self.flat.shapes[self.flat.x].shape
        if jnp.shape(x) != traced:
            got, todo = f"x of shape {jnp.shape(x)}", "call find_sites for this shape"
            raise ShapeError(got, f"{traced}, as find_sites was given", todo, where="Sites.values")
        found = iter(self.flat.run(model, x, [i for site in sites for i in site.inputs]))
        return [site.read([next(found) for _ in site.inputs]) for site in sites]


@explained
def find_sites(model: Callable, x: Numbers) -> Sites:
    """Find the ReLU-like units and the maxima of a model.

    The model is traced, and every comparison that its result depends on is looked at. An elementwise function of
    one array whose slope jumps, or a choice between two arrays, makes a site; so user-written layers need nothing
    special. Smooth functions that compare to stay accurate (softplus, softmax) have no site. Loops (`while`) and
    branches (`cond`) are not looked into; a `scan` of at most 64 steps is.

    Args:
        model: a callable tree, batch first.
        x: an input, or a `jax.ShapeDtypeStruct` like one.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns import find_sites
        >>> m = nn.Chain(nn.Dense(3, 4), nn.relu6, nn.SkipConnection(nn.Dense(4, 4, nn.relu), jnp.add))
        >>> [(site.name, site.corners, site.shape) for site in find_sites(m, jnp.ones((5, 3))).found]
        [('layers[0]', (0.0, 6.0), (5, 4)), ('layers[2].layer', (0.0,), (5, 4))]
    """
    flat = flatten(model, as_array(x))
    islands = Islands(flat, flat.needed(flat.outputs, through_cuts=True))
    found = [*_activations(islands), *_choices(islands), *_maxima(flat)]
    found.sort(key=lambda pair: pair[0])
    return Sites(flat, islands, _named([site for _, site in found], _owners(flat)))


@explained
def preactivations(model: Callable, x: Numbers) -> dict[str, Array]:
    """Return what every ReLU-like unit of a model is given, by the name of the layer it belongs to.

    A unit is ReLU-like if its slope jumps somewhere: relu, leakyrelu, relu6, trelu, hardtanh, hardsigmoid,
    hardswish, softshrink, selu, `jnp.maximum(x, 0)`, `jnp.abs`, and whatever else a layer does of the kind.

    Args:
        model: a callable tree, batch first. The function may be transformed: `vmap` over stacked models works.
        x: an input of the model.

    Returns:
        A dict in the order in which the sites are reached; the shapes are those of the layers' outputs.

    Raises:
        ArgumentError: for a model without ReLU-like units.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux import nn
        >>> from argflux.patterns import preactivations
        >>> m = nn.Chain(nn.Dense(jnp.array([[1.0], [-1.0]]), nn.relu), nn.Dense(2, 1))
        >>> preactivations(m, jnp.array([[3.0]]))
        {'layers[0]': Array([[ 3., -3.]], dtype=float32)}
    """
    return dict(_preactivations(model, as_array(x)))


@eqx.filter_jit
def _preactivations(model: Any, x: Any) -> list[tuple[str, Array]]:
    sites = find_sites(model, x)
    units = require_units(sites, "preactivations")
    return list(zip([site.name for site in units], sites.values(model, x, units), strict=True))


def require_units(sites: Sites, where: str) -> tuple[Site, ...]:
    """Return the sites of ReLU-like units, of which there must be one.

    Raises:
        ArgumentError: if there is none.
    """
    if not sites.units:
        got, todo = "a model without ReLU-like units", "put an activation such as relu into the model"
        raise ArgumentError(got, "at least one activation whose slope jumps", todo, where=where)
    return sites.units


def require_sites(sites: Sites, where: str) -> None:
    """Raise for a model that treats all inputs alike.

    Raises:
        ArgumentError: if there are neither ReLU-like units nor maxima.
    """
    if not sites.found:
        require_units(sites, where)


def _activations(islands: Islands) -> list[tuple[int, Site]]:
    """Make a site of every value that leaves an island as a function with kinks."""
    found, flat = [], islands.flat
    for value, step in islands.exits.items():
        if kinks := islands.kinks(value):
            output = value if _is_float(flat, value) else _chosen_by(value, step)
            straight = islands.is_straight(value, kinks)
            inputs = (islands.base[value],)
            found.append((value, Site("", kinks, flat.shapes[value].shape, straight, inputs, output, lambda v: v[0])))
    return found


def _chosen_by(value: int, step: Step | None) -> int | None:
    """Return the result of the selection that a truth value decides."""
    return step.outputs[0] if step is not None and step.name == "select_n" and step.inputs[0] == value else None


def _choices(islands: Islands) -> list[tuple[int, Site]]:
    """Make a site of every choice between arrays: units where one side is fixed, else a maximum over the sides."""
    found, shapes = [], islands.flat.shapes
    for choice in find_choices(islands):
        shape = np.broadcast_shapes(*(shapes[i].shape for i in choice.sides))
        if choice.moving:
            site = Site("", (), (*shape, len(choice.sides)), True, choice.sides, choice.output, _side_by_side)
        else:
            site = Site("", (0.0,), shape, True, choice.sides, choice.output, _difference)
        found.append((choice.place, site))
    return found


def _difference(values: list) -> Array:
    return lax.sub(*jnp.broadcast_arrays(*values))


def _side_by_side(values: list) -> Array:
    return jnp.stack(jnp.broadcast_arrays(*values), axis=-1)


def _maxima(flat: Flat) -> list[tuple[int, Site]]:
    """Make a site of every maximum, but not of those that only keep numbers small, as in softmax."""
    found = []
    for step in _moving_steps(flat, through_cuts=False):
        if step.name in MAXIMA and not step.guarded and _is_float(flat, step.inputs[0]):
            read = candidates(step.eqn)
            width = read([jnp.zeros(flat.shapes[step.inputs[0]].shape)]).shape
            found.append((step.outputs[0], Site("", (), width, True, step.inputs, step.outputs[0], read)))
    return found


def _moving_steps(flat: Flat, *, through_cuts: bool) -> Iterator[Step]:
    needed = flat.needed(flat.outputs, through_cuts=through_cuts)
    for step in flat.steps:
        if needed.intersection(step.outputs) and flat.moving.intersection(step.inputs):
            yield step


def _is_float(flat: Flat, value: int) -> bool:
    return jnp.issubdtype(flat.shapes[value].dtype, jnp.floating)


def _owners(flat: Flat) -> dict[int, tuple[int, str]]:
    """Return for every value when weights last entered it, and the name of their layer."""
    paths, owners = dict(flat.parameters), {flat.x: (-1, "input")}
    for time, step in enumerate(flat.steps):
        leaf = next((paths[i] for i in reversed(step.inputs) if i in paths), None)
        if not flat.moving.intersection(step.inputs):
            paths.update(dict.fromkeys(step.outputs, leaf) if leaf else {})
            continue
        latest = max((owners[i] for i in step.inputs if i in owners), default=(-1, "input"))
        owners.update(dict.fromkeys(step.outputs, (time, layer_name(leaf)) if leaf else latest))
    return owners


def _named(sites: list[Site], owners: dict[int, tuple[int, str]]) -> tuple[Site, ...]:
    seen: dict[str, int] = {}
    named = []
    for site in sites:
        name = max(owners[i] for i in site.inputs if i in owners)[1]
        if not site.is_unit:
            name = f"max of {name}"
        seen[name] = seen.get(name, 0) + 1
        name = name if seen[name] == 1 else f"{name}#{seen[name]}"
        named.append(Site(name, site.corners, site.shape, site.straight, site.inputs, site.output, site.read))
    return tuple(named)
