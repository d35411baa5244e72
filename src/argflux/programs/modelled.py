"""A program stated in CVXPY, canonicalised once; imported only where CVXPY is wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import ArgumentError, DtypeError, MissingDependencyError, ShapeError
from argflux.programs.canonical import Canonical, Tensor
from argflux.programs.dissect import check_problem
from argflux.programs.layout import Layout, widest
from argflux.programs.multipliers import Multiplier, Multipliers, find_multipliers
from argflux.programs.plan import Plan


@dataclass(frozen=True)
class Selection(Layout):
    """Where the variables that the user asked for lie in the vector of the canonical program."""

    places: tuple[Any, ...] = ()
    width: int = 0

    @property
    def size(self) -> int:
        """Number of unknowns of the canonical program."""
        return self.width

    def tree(self, vector: jax.Array) -> Any:
        """Pick the user's variables."""
        return self.treedef.unflatten([vector[place] for place in self.places])

    def vector(self, tree: Any) -> jax.Array:
        """Put values of the user's variables in their places, zeros elsewhere."""
        found = jnp.zeros(self.width, self.dtype)
        for place, leaf in zip(self.places, self.treedef.flatten_up_to(tree), strict=True):
            found = found.at[place].set(leaf)
        return found


@dataclass(frozen=True, eq=False)
class Modelled:
    """A canonicalised problem: its matrices, and where the user's parameters and variables lie.

    Attributes:
        names: of the parameters.
        shapes: of the parameters.
        starts: where each parameter starts in the vector of all, which ends with a one.
        width: length of that vector.
        canonical: the matrices.
        places: where each variable lies among the unknowns, an array of its shape.
        multipliers: where the dual of each constraint lies among those of the canonical program.
        single: whether one variable alone was asked for.
        sign: -1 for a problem that maximises.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    width: int
    canonical: Canonical
    places: tuple[np.ndarray, ...]
    multipliers: tuple[Multiplier | None, ...]
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
        listed = lambda leaves: [leaves] if isinstance(leaves, cvxpy.Expression) else list(leaves)
        parameters, variables = listed(parameters), listed(variables)
        if not isinstance(problem, cvxpy.Problem):
            got, todo = f"a {type(problem).__name__}", "state functions with `Program(objective, variable, …)`"
            raise DtypeError(got, "a cvxpy.Problem", todo, where="Program.from_cvxpy")
        check_problem(problem, parameters, variables)
        data, chain, inverse = problem.get_problem_data(cvxpy.CLARABEL, solver_opts={})
        program = data["param_prob"]
        return cls(
            tuple(parameter.name() for parameter in parameters),
            tuple(parameter.shape for parameter in parameters),
            tuple(program.param_id_to_col[parameter.id] for parameter in parameters),
            program.total_param_size + 1,
            _read(program),
            tuple(_place(program, inverse, variable) for variable in variables),
            find_multipliers(problem, data, chain, inverse),
            len(variables) == 1,
            -1 if isinstance(problem.objective, cvxpy.Maximize) else 1,
        )

    def nudged(self, directions: dict[str, Callable]) -> "Modelled":
        """Refuse directions of functions, which a CVXPY problem has not."""
        raise ArgumentError(
            "a program made of a CVXPY problem",
            "one stated by functions",
            "differentiate along its parameters with `jax.jvp`",
            where="forward_differentiate",
        )

    def plan(self, params: tuple, options: dict[str, Any]) -> Plan:
        """Lay the canonical program out for parameters of these dtypes."""
        for name, shape, value in zip(self.names, self.shapes, params, strict=True):
            if jnp.shape(value) != shape:
                got, todo = f"shape {list(jnp.shape(value))}", "use `jax.vmap` for a batch"
                raise ShapeError(got, f"shape {list(shape)}", todo, where=f"Program parameter {name}")
        dtype = widest([jnp.asarray(value).dtype for value in params])
        structure, curvature = self.canonical.structure(), self.canonical.curvature
        equalities, rows = self.canonical.A.height, self.canonical.A.height + self.canonical.G.height
        return Plan(
            "sparse" if structure.sparse and curvature == "dense" else curvature,
            self._variable(dtype),
            Multipliers.among(self.multipliers, 0, equalities, dtype),
            Multipliers.among(self.multipliers, equalities, rows, dtype),
            structure.groups,
            lambda params: self.canonical.blocks(self._vector(params, dtype), structure),
            sign=self.sign,
            options=options,
            canonical=True,
        )

    def _variable(self, dtype: Any) -> Selection:
        shapes = [jax.ShapeDtypeStruct(place.shape, dtype) for place in self.places]
        picked = Layout.of(shapes[0] if self.single else tuple(shapes))
        return Selection(picked.treedef, picked.leaves, picked.names, self.places, self.canonical.size)

    def _vector(self, params: tuple, dtype: Any) -> jax.Array:
        """All parameters in one vector, column after column, with a one at the end."""
        vector = jnp.zeros(self.width, dtype).at[-1].set(1)
        for start, value in zip(self.starts, params, strict=True):
            flat = jnp.ravel(jnp.transpose(jnp.asarray(value).astype(dtype)))
            vector = vector.at[start : start + flat.size].set(flat)
        return vector


def _read(program: Any) -> Canonical:
    """Read CVXPY's tensors: equalities are the first rows, inequalities the rest, `rows @ x + offset` in a cone."""
    size, equalities = program.x.size, program.cone_dims.zero
    q = program.q.tocsr()
    linear = Tensor(q[:size], np.arange(size), None, size)
    constant = Tensor(q[size:], np.zeros(1, int), None, 1)
    curvature, rows, columns = _entries(program.reduced_P)
    P = Tensor(curvature, rows, columns, size, size)
    stacked, rows, columns = _entries(program.reduced_A)
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


def _place(program: Any, inverse: list, variable: Any) -> np.ndarray:
    """Where a variable lies among the unknowns; CVXPY replaces variables with attributes by plain ones."""
    renamed = {}
    for step in inverse:
        if isinstance(step, tuple) and step and isinstance(step[0], dict):
            renamed |= {old: new.id for old, new in step[0].items()}
    start = program.var_id_to_col[renamed.get(variable.id, variable.id)]
    return start + np.arange(variable.size).reshape(variable.shape, order="F")
