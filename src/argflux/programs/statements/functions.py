"""A program stated as JAX functions of the variable and of parameters."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from argflux.autodiff.questions import check_returned, explaining
from argflux.autodiff.rules.sparse import without_sparse
from argflux.errors import ArgumentError
from argflux.jaxpr import Tracer, vary_like
from argflux.programs.cones import Cone
from argflux.programs.cones.members import cones_of
from argflux.programs.forms import dependence
from argflux.programs.statements import sparsity
from argflux.programs.statements.colouring import Coloured
from argflux.programs.statements.degree import Kind, degrees
from argflux.programs.statements.extract import Colours, Functions, extract
from argflux.programs.statements.formulation import Formulation
from argflux.programs.statements.layout import Layout, join, variable_layout
from argflux.programs.statements.nonlinear import NonlinearBlocks, nonlinear_form
from argflux.programs.statements.parameters import default_dtype
from argflux.programs.statements.signatures import ordered, parameter_names
from argflux.programs.statements.wellformed import check_degree, check_function, check_outputs, refuse_dense

FUNCTIONS = ("objective", "equality", "inequality")
MOST = {"objective": 2, "equality": 1, "inequality": 1}


class Found(NamedTuple):
    """What tracing one of the functions says: its degree, its outputs, the values being traced that it captured."""

    kind: Kind
    out: Any
    captured: tuple = ()

    @property
    def layout(self) -> Layout | None:
        """Layout of the values, or `None` where there are none."""
        return Layout.of(self.out) if jax.tree.leaves(self.out) else None


@dataclass(frozen=True, eq=False)
class Statement:
    """What the user wrote: functions of `(x, *params)`, and the variable and its bounds as functions of `params`."""

    names: tuple[str, ...]
    defaults: dict[str, Any]
    objective: Callable
    variable: Callable
    equality: Callable | None
    inequality: Callable | None
    lower: Callable | None
    upper: Callable | None

    @classmethod
    def of(cls, objective: Any, variable: Any, equality: Any, inequality: Any, lower: Any, upper: Any) -> "Statement":
        """Check the functions against each other, and make functions of what is given as values."""
        for function, what in zip((objective, equality, inequality), FUNCTIONS, strict=True):
            check_function(function, what)
        given = {"objective": objective, "equality": equality, "inequality": inequality}
        given |= {"variable": variable, "lower": lower, "upper": upper}
        names, defaults = parameter_names(given)
        taken = {what: ordered(function, what, names, defaults) for what, function in given.items()}
        for what in ("variable", "lower", "upper"):
            if not callable(taken[what]) and (taken[what] is not None or what == "variable"):
                taken[what] = Always(taken[what])
        return cls(names, defaults, **taken)

    def directions(self, given: dict[str, Callable]) -> dict[str, Callable]:
        """Directions of some of the functions, as functions of `(x, *params)` in the order of the parameters."""
        if absent := [what for what in given if getattr(self, what) is None]:
            raise ArgumentError(
                f"a direction of {absent[0]}, which the program has not",
                "directions of functions that state the program",
                f"leave it out, or state the program with a {absent[0]}",
                where="forward_differentiate",
            )
        for what, direction in given.items():
            check_function(direction, what)
        return {what: ordered(direction, what, self.names, self.defaults) for what, direction in given.items()}

    def nudged(self, directions: dict[str, Callable]) -> "Statement":
        """Add `t` times a function of `(x, *params)` to some of the functions, t a new first parameter."""
        along = self.directions(directions)

        def moved(what: str) -> Any:
            function, direction = getattr(self, what), along.get(what)
            if function is None or direction is None:
                return function and (lambda x, t, *params: function(x, *params))
            add = lambda t, value, slope: value + t.astype(value.dtype) * slope
            return lambda x, t, *params: jax.tree.map(
                functools.partial(add, t), function(x, *params), direction(x, *params)
            )

        still = lambda function: function and (lambda t, *params: function(*params))
        return Statement(
            ("t", *self.names),
            self.defaults,
            moved("objective"),
            still(self.variable),
            moved("equality"),
            moved("inequality"),
            still(self.lower),
            still(self.upper),
        )

    @property
    def label(self) -> str:
        """What the program is called where it is shown."""
        name = getattr(self.objective, "__name__", "<lambda>")
        return "" if name == "<lambda>" else name

    def check(self, params: tuple) -> None:
        """Parameters may be anything; the functions say."""

    def formulate(self, params: tuple) -> Formulation:
        """Find the class, the layout and the structure of the program for parameters of these shapes."""
        with explaining("Program variable"):
            variable = variable_layout(self.variable(*params), default_dtype(params))
        found = {what: self._trace(what, variable, params) for what in FUNCTIONS}
        layouts = {what: found[what].layout for what in FUNCTIONS[1:]}
        objective, cones = found["objective"].kind, _cones(layouts)
        if worst := next((what for what in FUNCTIONS if found[what].kind.degree > MOST[what]), None):
            for what in FUNCTIONS if cones else ():
                check_degree(found[what].kind, what)
            return self._nonlinear(variable, params, layouts, found, worst)
        curvature = "none" if objective.degree < 2 else "diagonal" if objective.diagonal else "dense"
        groups, colours, lasting = (), Colours(), not any(f.captured for f in found.values())
        entries = _entries(variable, layouts, curvature)
        if entries > sparsity.WORTHWHILE:
            plain = lasting and not any(f.kind.custom for f in found.values())
            looked = self._look(variable, layouts, curvature, params) if plain and dependence.available() else None
            groups, curvature, colours = looked or ((), curvature, colours)
            groups = () if cones else groups
            if entries > sparsity.MOST_DENSE and not groups and colours == Colours():
                refuse_dense(variable.size, entries, lasting)
        captured = [x for f in found.values() for x in f.captured]

        def run(params: tuple) -> tuple:
            met = [leaf for leaf in jax.tree.leaves(params) if hasattr(leaf, "dtype")]
            zero = vary_like(jnp.zeros(variable.size, variable.dtype), *met, *captured)
            return extract(self.flat(variable, params), zero, curvature, groups, colours)

        rows, why = (layouts["equality"], layouts["inequality"]), _why(objective, bool(cones))
        return Formulation(curvature, variable, *rows, groups, run, lasting, cones=cones, cause=why)

    def _nonlinear(self, variable: Layout, params: tuple, layouts: dict, found: dict, worst: str) -> Formulation:
        functions = {what: getattr(self, what) for what in FUNCTIONS}
        form, operands = nonlinear_form(functions, variable, layouts, params)
        lasting = not any(f.captured for f in found.values())

        def run(params: tuple) -> tuple:
            given = self._bounds(variable, params)
            low, high = (jnp.full(variable.size, end, variable.dtype) if x is None else x for x, end in given)
            return jnp.zeros((), variable.dtype), (NonlinearBlocks(low, high, operands(params)),)

        rows = layouts["equality"], layouts["inequality"]
        kind, kink = found[worst].kind, next((f.kind.kink for f in found.values() if f.kind.kink), "")
        words = "nonlinear" if kind.nonlinear else "quadratic"
        cause = f"the {worst} is {words} in the variable, by {kind.cause}"
        return Formulation("none", variable, *rows, (), run, lasting, nonlinear=form, cause=cause, kink=kink)

    def _bounds(self, variable: Layout, params: tuple) -> list[tuple[Any, float]]:
        """The bounds that there are, each with what says that there is none."""
        bound = lambda f, what: f and variable.spread(_called(f, what, *params), f"Program {what}")
        return [(bound(self.lower, "lower"), -jnp.inf), (bound(self.upper, "upper"), jnp.inf)]

    def flat(self, variable: Layout, params: tuple) -> Functions:
        """Write the functions in terms of the variable's vector."""
        vector = lambda f: f and (lambda x: join(jax.tree.leaves(f(variable.tree(x), *params)), x.dtype))
        return Functions(
            lambda x: self.objective(variable.tree(x), *params).astype(x.dtype),
            vector(self.equality),
            vector(self.inequality),
            *[bound for bound, _ in self._bounds(variable, params)],
        )

    def _trace(self, what: str, variable: Layout, params: tuple) -> Found:
        """Trace a function and find the worst kind among its outputs."""
        function = getattr(self, what)
        if function is None:
            return Found(Kind(0), None)
        tree = variable.treedef.unflatten(variable.leaves)
        arrays, rebuild = _take_apart(params)
        called = lambda x, arrays: _called(function, what, x, *rebuild(arrays))
        jaxpr, out = jax.make_jaxpr(called, return_shape=True)(tree, arrays)
        check_outputs(out, what)
        kinds = degrees(jaxpr, len(variable.leaves))
        worst = max(kinds, key=lambda kind: kind.degree, default=Kind(0))
        diagonal, custom = all(kind.diagonal for kind in kinds), any(kind.custom for kind in kinds)
        kink = next((kind.kink for kind in kinds if kind.kink), "")
        kind = Kind(worst.degree, None, diagonal, worst.cause, custom, kink)
        return Found(kind, out, tuple(const for const in jaxpr.consts if isinstance(const, Tracer)))

    def _look(self, variable: Layout, layouts: dict[str, Layout | None], curvature: str, params: tuple) -> Any:
        """Find independent parts, the kind of curvature, and colours of what stays sparse; `None` if it cannot."""
        arrays, rebuild = _take_apart(params)
        zero = jax.ShapeDtypeStruct((variable.size,), variable.dtype)
        part = lambda name: without_sparse(lambda x, *arrays: getattr(self.flat(variable, rebuild(arrays)), name)(x))
        try:
            P = dependence.hessian_pattern(part("objective"), zero, *arrays) if curvature == "dense" else None
            A, G = (
                layout and dependence.jacobian_pattern(part(what), zero, *arrays) for what, layout in layouts.items()
            )
        except Exception:  # whatever the finder of patterns cannot look through
            return None
        if P is not None and P.diagonal:
            P, curvature = None, "diagonal"
        groups, sparse = sparsity.structure(variable.size, P, A, G)
        if not sparse:
            return groups, curvature, Colours()
        colours = Colours(P and Coloured.hessian(P), *(M and Coloured.jacobian(M) for M in (A, G)))
        return (), "sparse" if P else curvature, colours


def _why(objective: Kind, cones: bool) -> str:
    """What makes a program one of its class, in words."""
    if cones:
        return "the inequalities hold members of cones"
    if objective.degree < 2:
        return "the objective and the constraints are affine in the variable"
    return f"the objective is quadratic in the variable, by {objective.cause}; the constraints are affine"


def _cones(layouts: dict[str, Layout | None]) -> tuple[Cone, ...]:
    """The cones that the inequalities name; equalities name none."""
    trees = {what: layout and layout.treedef.unflatten(layout.leaves) for what, layout in layouts.items()}
    if cones_of(trees["equality"]):
        todo = "put it into `inequality`"
        raise ArgumentError("a cone in equalities", "arrays that are to be zero", todo, where="Program equality")
    return cones_of(trees["inequality"])


def _entries(variable: Layout, layouts: dict[str, Layout | None], curvature: str) -> int:
    """Number of entries of the matrices, were they dense."""
    rows = sum(layout.size for layout in layouts.values() if layout)
    return variable.size * (rows + (variable.size if curvature == "dense" else 0))


def _called(function: Callable, what: str, *arguments: Any) -> Any:
    """Call a function of the user's while it is traced."""
    with explaining(f"Program {what}"):
        found = function(*arguments)
    check_returned(found, f"Program {what}")
    return found


def _take_apart(params: tuple) -> tuple[list[jax.ShapeDtypeStruct], Callable]:
    """Return the shapes of the arrays among the parameters, and what puts other arrays in their place."""
    leaves, treedef = jax.tree.flatten(params)
    places = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype")]
    structs = [jax.typeof(leaves[i]) for i in places]

    def rebuild(arrays: Any) -> tuple:
        fresh = dict(zip(places, arrays, strict=True))
        return treedef.unflatten([fresh.get(i, leaf) for i, leaf in enumerate(leaves)])

    return [jax.ShapeDtypeStruct(s.shape, s.dtype, weak_type=s.weak_type) for s in structs], rebuild


@dataclass(frozen=True, eq=False)
class Always:
    """The function that returns one value, whatever it is given."""

    value: Any

    def __call__(self, *_: Any) -> Any:
        """Return the value."""
        return self.value
