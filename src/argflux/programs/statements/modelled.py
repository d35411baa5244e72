"""A program stated in CVXPY, canonicalised once; imported only where CVXPY is wanted."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DtypeError, MissingDependencyError, ShapeError
from argflux.jaxpr import Tracer
from argflux.programs.answers.solution import spoiled
from argflux.programs.cones import Cone, NonNegative
from argflux.programs.statements.attributes import Declared
from argflux.programs.statements.blocks import read_array
from argflux.programs.statements.canonical import Canonical, Tensor
from argflux.programs.statements.conic import DENSE
from argflux.programs.statements.dissect import check_problem, read_leaves
from argflux.programs.statements.formulation import Formulation
from argflux.programs.statements.layout import Layout, widest
from argflux.programs.statements.modelledcones import cone_order, interface, read_cones
from argflux.programs.statements.multipliers import Multiplier, Multipliers, Wayback
from argflux.programs.statements.sparsity import Structure

OLDEST = (1, 9)


@dataclass(frozen=True)
class Selection(Layout):
    """Where the variables that the user asked for lie in the vector of the canonical program."""

    places: tuple[Multiplier, ...] = ()
    width: int = 0

    @property
    def size(self) -> int:
        """Number of unknowns of the canonical program."""
        return self.width

    def tree(self, vector: jax.Array) -> Any:
        """Pick the user's variables."""
        return self.treedef.unflatten([place.read(vector) for place in self.places])

    def vector(self, tree: Any) -> jax.Array:
        """Put values of the user's variables in their places, zeros elsewhere."""
        found = jnp.zeros(self.width, self.dtype)
        for place, leaf in zip(self.places, self.treedef.flatten_up_to(tree), strict=True):
            found = place.put(found, leaf)
        return found


@dataclass(frozen=True, eq=False)
class Modelled:
    """A canonicalised problem: its matrices, and where the user's parameters and variables lie.

    Attributes:
        names: of the parameters.
        declared: what they are and where they stand in the vector of all, which ends with a one.
        width: length of that vector.
        canonical: the matrices.
        cones: of the rows of G, empty if all of them are inequalities.
        places: where each variable lies among the unknowns, an array of its shape.
        multipliers: where the dual of each constraint lies among those of the canonical program.
        single: whether one variable alone was asked for.
        sign: -1 for a problem that maximises.
    """

    names: tuple[str, ...]
    declared: tuple[Declared, ...]
    width: int
    canonical: Canonical
    cones: tuple[Cone, ...]
    places: tuple[Multiplier, ...]
    multipliers: tuple[Any, ...]
    single: bool
    sign: int
    label: str = "CVXPY problem"

    @property
    def defaults(self) -> dict[str, Any]:
        """Values of parameters that are not given; there are none."""
        return {}

    @classmethod
    def of(cls, problem: Any, parameters: Any, variables: Any) -> "Modelled":
        """Check and canonicalise a problem."""
        try:
            import cvxpy
        except ImportError:
            raise MissingDependencyError(
                "a Python without CVXPY", "the package cvxpy", "pip install cvxpy", where="Program.from_cvxpy"
            ) from None
        version = importlib.metadata.version("cvxpy")
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            got, todo = f"CVXPY {version}", "pip install --upgrade cvxpy"
            raise MissingDependencyError(got, "CVXPY 1.9 or newer", todo, where="Program.from_cvxpy")
        if not isinstance(problem, cvxpy.Problem):
            got, todo = f"a {type(problem).__name__}", "state functions with `Program(objective, variable, …)`"
            raise DtypeError(got, "a cvxpy.Problem", todo, where="Program.from_cvxpy")
        parameters = read_leaves(parameters, cvxpy.Parameter, "parameters")
        variables = read_leaves(variables, cvxpy.Variable, "variables")
        check_problem(problem, parameters, variables)
        data, chain, inverse = problem.get_problem_data(interface(), solver_opts={})
        program = data["param_prob"]
        way, cones = Wayback(problem, data, chain, inverse), read_cones(program.cone_dims)
        order = cone_order(program.cone_dims.zero, cones)
        moved = lambda tree: [m.moved(order) for m in tree] if isinstance(tree, list) else tree and tree.moved(order)
        return cls(
            tuple(parameter.name() for parameter in parameters),
            tuple(Declared.of(parameter, _starts(program, chain, parameter)) for parameter in parameters),
            program.total_param_size + 1,
            _read(program, order),
            () if all(isinstance(cone, NonNegative) for cone in cones) else cones,
            tuple(map(way.variable, variables)),
            tuple(map(moved, way.duals())),
            len(variables) == 1,
            -1 if isinstance(problem.objective, cvxpy.Maximize) else 1,
        )

    def nudged(self, directions: dict[str, Callable]) -> "Modelled":
        """Return the program itself; a CVXPY problem has no functions to move."""
        if not directions:
            return self
        raise ArgumentError(
            f"a direction of {next(iter(directions))} for a program made of a CVXPY problem",
            "directions of its parameters",
            "pass tangents={'name': …}, or state the program by functions",
            where="forward_differentiate",
        )

    def check(self, params: tuple) -> None:
        """Hold parameters to their shapes and, where their values are known, to what they were declared."""
        for name, declared, value in zip(self.names, self.declared, params, strict=True):
            where = f"Program parameter {name}"
            if not (declared.is_complex and jnp.iscomplexobj(value)):
                value = read_array(name, value, None, where)
            if value.shape != declared.shape:
                todo = "use `jax.vmap` for a batch"
                if value.shape == declared.shape[::-1]:
                    todo = f"transpose it, or {todo}"
                raise ShapeError(f"shape {list(value.shape)}", f"shape {list(declared.shape)}", todo, where=where)
            if not isinstance(value, Tracer) and (broken := declared.broken(value)):
                todo = "correct it, or declare the parameter without the attribute"
                raise ArgumentError("a value that is not " + broken, f"a value that is {broken}", todo, where=where)

    def formulate(self, params: tuple) -> Formulation:
        """Lay the canonical program out for parameters of these dtypes."""
        kinds = [jnp.asarray(value).dtype for value in params]
        dtype = widest([jnp.finfo(kind).dtype for kind in kinds if jnp.issubdtype(kind, jnp.inexact)])
        structure, curvature = self._structure(), self.canonical.curvature
        equalities, rows = self.canonical.A.height, self.canonical.A.height + self.canonical.G.height
        return Formulation(
            "sparse" if structure.sparse and curvature == "dense" else curvature,
            self._variable(dtype),
            Multipliers.among(self.multipliers, 0, equalities, dtype),
            Multipliers.among(self.multipliers, equalities, rows, dtype),
            structure.groups,
            lambda params: self._blocks(params, dtype, structure),
            sign=self.sign,
            canonical=True,
            cones=self.cones,
        )

    def _structure(self) -> Structure:
        """Independent parts, and whether the matrices are best left sparse; cones are not taken apart."""
        if not self.cones:
            return self.canonical.structure()
        return Structure((), self.canonical.size + self.canonical.A.height + self.canonical.G.height > DENSE)

    def _variable(self, dtype: Any) -> Selection:
        shapes = [jax.ShapeDtypeStruct(place.places.shape, dtype) for place in self.places]
        picked = Layout.of(shapes[0] if self.single else tuple(shapes))
        return Selection(picked.treedef, picked.leaves, picked.names, self.places, self.canonical.size)

    def _blocks(self, params: tuple, dtype: Any, structure: Any) -> tuple:
        """The matrices, with a linear term that is no number where a parameter is not what it was declared."""
        constant, parts = self.canonical.blocks(self._vector(params, dtype), structure)
        kept = [d.kept(d.cast(value, dtype)) for d, value in zip(self.declared, params, strict=True) if d.names]
        if not kept:
            return constant, parts
        broken = ~jnp.all(jnp.stack(kept))
        return constant, tuple(
            part._replace(q=spoiled(part.q, jnp.broadcast_to(broken, part.q.shape))) for part in parts
        )

    def _vector(self, params: tuple, dtype: Any) -> jax.Array:
        """All parameters in one vector, column after column, with a one at the end."""
        vector = jnp.zeros(self.width, dtype).at[-1].set(1)
        for declared, value in zip(self.declared, params, strict=True):
            vector = declared.put(vector, declared.cast(value, dtype))
        return vector


def _read(program: Any, order: np.ndarray) -> Canonical:
    """Read CVXPY's tensors: equalities are the first rows, the other cones the rest, `rows @ x + offset` in a cone.

    Row k becomes row `order[k]`.
    """
    size, equalities = program.x.size, program.cone_dims.zero
    q = program.q.tocsr()
    linear = Tensor(q[:size], np.arange(size), None, size)
    constant = Tensor(q[size:], np.zeros(1, int), None, 1)
    curvature, rows, columns = _entries(program.reduced_P)
    P = Tensor(curvature, rows, columns, size, size)
    stacked, rows, columns = _entries(program.reduced_A)
    rows = order[rows] if len(order) else rows
    A, b = _rows(stacked, rows, columns, 0, equalities, size)
    G, h = _rows(stacked, rows, columns, equalities, program.constr_size, size)
    return Canonical(P, linear, constant, A, b, G, h)


def _entries(reduced: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """The map from parameters to stored entries, and the row and column of each."""
    if reduced.reduced_mat is None or not reduced.reduced_mat.shape[0]:
        return np.zeros((0, 0)), np.zeros(0, int), np.zeros(0, int)
    indices, ends, _ = reduced.problem_data_index
    return reduced.reduced_mat.tocsr(), np.asarray(indices), np.repeat(np.arange(len(ends) - 1), np.diff(ends))


def _rows(
    stacked: Any, rows: np.ndarray, columns: np.ndarray, first: int, end: int, size: int
) -> tuple[Tensor, Tensor]:
    """Take rows of the constraints, as `matrix @ x (= or <=) right`, from entries of `[-matrix, right]`."""
    chosen = (rows >= first) & (rows < end)
    left, right = chosen & (columns < size), chosen & (columns == size)
    matrix = Tensor(-stacked[left], rows[left] - first, columns[left], end - first, size)
    return matrix, Tensor(stacked[right], rows[right] - first, None, end - first)


def _starts(program: Any, chain: Any, parameter: Any) -> tuple[int | None, int | None]:
    """Where the real and the imaginary part of a parameter start, `None` for one that counts for nothing.

    CVXPY replaces complex parameters by two, and those with matrix attributes by the entries that count.
    """
    parts: list[int | None] = [parameter.id, None]
    for step in chain.reductions:
        halves = getattr(getattr(step, "canon_methods", None), "_parameters", None) or {}
        found = next((new for old, new in halves.items() if old.id == parameter.id), None)
        parts = [half and half.id for half in found] if found else parts
        reduced = getattr(step, "_parameters", None) or {}
        parts = [next((new.id for old, new in reduced.items() if old.id == part), part) for part in parts]
    columns = program.param_id_to_col
    if parameter.is_complex():
        real, imaginary = map(columns.get, parts)
        return real, imaginary
    return columns[parts[0]] if parameter.size else None, None  # CVXPY leaves out what is empty
