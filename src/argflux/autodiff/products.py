"""Cotangents that are a product at every step of a loop: of all steps together, one product after the loop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jax import Array, lax

from argflux.autodiff.partition import Halves, live_equations
from argflux.jaxpr import Literal


@dataclass(frozen=True)
class Product:
    """The cotangent of a constant of a loop, Σ_t left_t · right_t, and how it is transposed after that."""

    dot: Any
    turns: tuple

    def over_all(self, stacked: Mapping[Any, Array]) -> Array:
        """Return it from the factors of all steps, stacked along their first axis."""
        (left, right), _ = self.dot.params["dimension_numbers"]
        along = lambda axes: (0, *(axis + 1 for axis in axes))
        x, y = (stacked[v] for v in self.dot.invars)
        settings = {key: self.dot.params[key] for key in ("precision", "preferred_element_type")}
        total = lax.dot_general(x, y, ((along(left), along(right)), ((), ())), **settings)
        for permutation in self.turns:
            total = lax.transpose(total, permutation)
        return total


def products(halves: Halves, constants: int, stacked: set) -> dict[int, Product]:
    """Find, by their places, the constants whose cotangent is a product of what is stacked anyway."""
    maker = {v: eqn for eqn in halves.pulled for v in eqn.outvars}
    found = {place: _product(atom, maker, stacked) for place, atom in enumerate(halves.cotangents[:constants])}
    return {place: product for place, product in found.items() if product is not None}


def without(halves: Halves, places: Mapping[int, Any]) -> Halves:
    """Return a program's halves that leave out the cotangents at some places."""
    cotangents = [None if place in places else atom for place, atom in enumerate(halves.cotangents)]
    return replace(halves, cotangents=cotangents, pulled=live_equations(halves.pulled, [c for c in cotangents if c]))


def _product(atom: Any, maker: dict, stacked: set) -> Product | None:
    turns = []
    while atom in maker and maker[atom].primitive.name == "transpose":
        turns.append(maker[atom].params["permutation"])
        atom = maker[atom].invars[0]
    dot = maker.get(atom)
    if dot is None or dot.primitive.name != "dot_general" or dot.params["dimension_numbers"][1] != ((), ()):
        return None
    fits = all(not isinstance(v, Literal) and v in stacked for v in dot.invars)
    return Product(dot, tuple(turns[::-1])) if fits else None
