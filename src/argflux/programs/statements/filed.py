"""A program as a file states it: its blocks are the parameters."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import coo_array

from argflux.errors import ArgumentError, ShapeError
from argflux.programs.files.contents import Contents
from argflux.programs.statements.blocks import read_array
from argflux.programs.statements.canonical import Canonical, Tensor
from argflux.programs.statements.extract import Blocks
from argflux.programs.statements.formulation import Formulation
from argflux.programs.statements.layout import Layout, widest


@dataclass(frozen=True, eq=False)
class Filed:
    """Contents of a file, whose blocks may be replaced by others of the same sizes."""

    contents: Contents

    @functools.cached_property
    def defaults(self) -> dict[str, np.ndarray]:
        """The blocks of the file: those that it has, by name."""
        c = self.contents
        found = {"cost": c.cost}
        if c.rows:
            found |= {"rhs": c.rhs, "matrix": c.matrix.values}
        found |= {side: limit for side in ("lower", "upper") if np.isfinite(limit := getattr(c, side)).any()}
        i, j, values = c.quadratic
        return found | ({"quadratic": values[i >= j]} if len(values) else {})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of these blocks."""
        return tuple(self.defaults)

    @property
    def label(self) -> str:
        """What the program is called where it is shown."""
        return self.contents.name or "file"

    def check(self, params: tuple) -> None:
        """Hold blocks to the sizes of the file."""
        for name, given, value in zip(self.names, self.defaults.values(), params, strict=True):
            where = f"Program parameter {name}"
            value = read_array(name, value, None, where)
            if value.shape != given.shape:
                got, todo = f"shape {list(value.shape)}", "use `jax.vmap` for a batch"
                raise ShapeError(got, f"shape {list(given.shape)}", todo, where=where)

    def nudged(self, directions: dict[str, Callable]) -> "Filed":
        """Return the program itself; a file has no functions to move."""
        if not directions:
            return self
        got = f"a direction of {next(iter(directions))} for a program read from a file"
        raise ArgumentError(
            got, "directions of its parameters", "pass tangents={'cost': …}", where="forward_differentiate"
        )

    def formulate(self, params: tuple) -> Formulation:
        """Lay the program out for parameters of these dtypes."""
        dtype = widest([jnp.asarray(value).dtype for value in params])
        canonical, like = self._canonical, lambda count: Layout.of(jax.ShapeDtypeStruct((count,), dtype))
        structure, curvature = canonical.structure(), canonical.curvature
        sparse = structure.sparse and curvature == "dense"
        counts = canonical.A.height, canonical.G.height

        def extract(params: tuple) -> tuple:
            given = [jnp.asarray(value).astype(dtype) for value in params]
            constant, parts = canonical.blocks(jnp.concatenate([*given, jnp.ones(1, dtype)]), structure)
            places = [group.unknowns for group in structure.groups] or [np.arange(canonical.size)]
            return constant, tuple(self._boxed(part, k, given) for part, k in zip(parts, places, strict=True))

        return Formulation(
            "sparse" if sparse else curvature,
            like(canonical.size),
            like(counts[0]) if counts[0] else None,
            like(counts[1]) if counts[1] else None,
            structure.groups,
            extract,
            sign=-1 if self.contents.maximised else 1,
        )

    def _boxed(self, part: Blocks, places: np.ndarray, given: list) -> Blocks:
        bound = lambda side: given[self.names.index(side)][places] if side in self.names else None
        return part._replace(lower=bound("lower"), upper=bound("upper"))

    @functools.cached_property
    def _twins(self) -> np.ndarray:
        """Which entry of the lower triangle each entry of Q is."""
        i, j, _ = self.contents.quadratic
        lower = zip(i[i >= j].tolist(), j[i >= j].tolist(), strict=True)
        place = {pair: k for k, pair in enumerate(lower)}
        return np.array([place[max(pair), min(pair)] for pair in zip(i.tolist(), j.tolist(), strict=True)], int)

    @functools.cached_property
    def _canonical(self) -> Canonical:
        """Equalities first, then rows with an upper side, then rows with a lower side the other way round."""
        c, sign = self.contents, -1.0 if self.contents.maximised else 1.0
        n, everything = len(c.columns), np.arange(len(c.columns))
        equal = (c.below == 0) & (c.above == 0)
        tops, bottoms = (np.flatnonzero(~equal & np.isfinite(side)) for side in (c.above, c.below))
        equal, none = np.flatnonzero(equal), np.zeros(0, int)
        i, j, _ = c.quadratic
        return Canonical(
            Tensor(self._pick("quadratic", self._twins, sign), i, j, n, n),
            Tensor(self._pick("cost", everything, sign), everything, None, n),
            Tensor(self._pick("cost", none, constants=np.array([sign * c.constant])), np.zeros(1, int), None, 1),
            self._rows(equal, none),
            Tensor(self._pick("rhs", equal), np.arange(len(equal)), None, len(equal)),
            self._rows(tops, bottoms),
            self._sides(tops, bottoms),
        )

    def _rows(self, tops: np.ndarray, bottoms: np.ndarray) -> Tensor:
        """These rows, and those the other way round."""
        c, place = self.contents, np.full((2, len(self.contents.rows)), -1)
        place[0, tops], place[1, bottoms] = np.arange(len(tops)), len(tops) + np.arange(len(bottoms))
        rows = place[:, c.matrix.rows].ravel() if len(c.rows) else np.zeros(0, int)
        kept = np.flatnonzero(rows >= 0)
        entries, height = len(c.matrix.values), len(tops) + len(bottoms)
        signs = np.where(kept < entries, 1.0, -1.0)
        columns = np.tile(c.matrix.columns, 2)[kept]
        return Tensor(self._pick("matrix", kept % max(entries, 1), signs), rows[kept], columns, height, len(c.columns))

    def _sides(self, tops: np.ndarray, bottoms: np.ndarray) -> Tensor:
        c, which = self.contents, np.concatenate([tops, bottoms])
        signs = np.where(np.arange(len(which)) < len(tops), 1.0, -1.0)
        spans = np.concatenate([c.above[tops], -c.below[bottoms]])
        return Tensor(self._pick("rhs", which, signs, spans), np.arange(len(which)), None, len(which))

    def _pick(self, name: str, places: np.ndarray, signs: Any = 1.0, constants: np.ndarray | None = None) -> coo_array:
        """The map from all parameters, and a one, to entries of a block: some of them, with signs and constants."""
        starts = np.cumsum([0, *(len(value) for value in self.defaults.values())])
        rows, values = np.arange(len(places)), np.broadcast_to(np.asarray(signs, float), len(places))
        columns = starts[self.names.index(name)] + places if len(places) else places
        if constants is not None:
            rows = np.concatenate([rows, np.arange(len(constants))])
            columns = np.concatenate([columns, np.full(len(constants), starts[-1])])
            values = np.concatenate([values, constants])
        count = len(places) if constants is None else len(constants)
        return coo_array((values, (rows, columns)), shape=(count, starts[-1] + 1))

    def replaced(self, blocks: dict[str, Any]) -> Contents:
        """The contents with these blocks in place of the file's, to the last bit whatever the x64 setting."""
        given: dict[str, Any] = {name: np.asarray(value, np.float64) for name, value in blocks.items()}
        if "matrix" in given:
            given["matrix"] = self.contents.matrix._replace(values=given["matrix"])
        if "quadratic" in given:
            given["quadratic"] = self.contents.quadratic._replace(values=given["quadratic"][self._twins])
        return dataclasses.replace(self.contents, **given)
