"""The degree of a traced function in its variable, found by an abstract walk over the jaxpr."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from argflux.autodiff.linear import is_linear
from argflux.autodiff.rules.sparse import PLAIN, plain_program
from argflux.autodiff.source import user_line
from argflux.jaxpr import ClosedJaxpr, Literal, called_program, closed, scan_counts

NONLINEAR = 3
_CUSTOM = ("custom_jvp_call", "custom_vjp_call", "linear_call")
_KINKED = {"abs", "max", "min", "reduce_max", "reduce_min", "sort", "clamp", "sign", "floor", "ceil", "round"}
_KINKED |= {"argmax", "argmin", "cummax", "cummin", "top_k", "rem", "sqrt"}


@dataclass(frozen=True)
class Kind:
    """What is known of a value as a function of the variable.

    Attributes:
        degree: 0 constant, 1 affine, 2 quadratic, 3 anything else.
        token: if set, every element depends on one element of the variable only, and values with the same token
            on the same one at the same place.
        diagonal: whether the Hessian of every element is diagonal.
        cause: the primitive and the user's line at which the degree rose last.
        custom: whether a derivative rule of the user's lies on the way, which need not follow the value's structure.
        kink: the first primitive on the way that has no derivative somewhere, and the user's line.
    """

    degree: int
    token: Hashable = None
    diagonal: bool = True
    cause: str = ""
    custom: bool = False
    kink: str = ""

    @property
    def nonlinear(self) -> bool:
        """Whether the value is neither constant, affine nor quadratic."""
        return self.degree >= NONLINEAR


CONSTANT = Kind(0)


def degrees(jaxpr: ClosedJaxpr, variables: int) -> list[Kind]:
    """Return the kind of every output of a jaxpr whose first `variables` inputs are the leaves of the variable.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> jaxpr = jax.make_jaxpr(lambda x, p: jnp.sum(x * x) * p)(jnp.ones(3), 2.0)
        >>> degrees(jaxpr, 1)[0].degree, degrees(jaxpr, 1)[0].diagonal
        (2, True)
    """
    inputs = [Kind(1, ("leaf", i)) for i in range(variables)]
    return _walk(jaxpr, inputs + [CONSTANT] * (len(jaxpr.jaxpr.invars) - variables), None)


def _walk(jaxpr: ClosedJaxpr, inputs: Sequence[Kind], origin: Any) -> list[Kind]:
    program = jaxpr.jaxpr
    known: dict[Any, Kind] = dict.fromkeys(program.constvars, CONSTANT)
    known.update(zip(program.invars, inputs, strict=True))
    read = lambda atom: CONSTANT if isinstance(atom, Literal) else known[atom]
    for eqn in program.eqns:
        known.update(zip(eqn.outvars, _equation(eqn, [read(atom) for atom in eqn.invars], origin), strict=True))
    return [read(atom) for atom in program.outvars]


def _equation(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    if all(kind.degree == 0 for kind in kinds):
        return [CONSTANT] * len(eqn.outvars)
    found, kink = _kinds_of_outputs(eqn, kinds, origin), _kink(eqn, kinds, origin)
    return [replace(kind, kink=kind.kink or kink) for kind in found] if kink else found


def _kink(eqn: Any, kinds: list[Kind], origin: Any) -> str:
    """The first primitive on the way to the results that has no derivative somewhere."""
    if before := next((kind.kink for kind in kinds if kind.kink), ""):
        return before
    name = eqn.primitive.name
    if name in _KINKED or (name in ("select_n", "cond") and kinds[0].degree):
        return f"`{name}` at {user_line(eqn, origin)}"
    inner = called_program(eqn) or (closed(eqn.params["jaxpr"]) if name == "scan" else None)
    if inner is None or not any(kind.nonlinear for kind in kinds):
        return ""
    return next((kind.kink for kind in _walk(inner, kinds, origin or eqn) if kind.kink), "")


def _kinds_of_outputs(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    worst = max(kinds, key=lambda kind: kind.degree)
    if worst.nonlinear:
        return [worst] * len(eqn.outvars)
    name = eqn.primitive.name
    if name in _CALLS:
        found = _CALLS[name](eqn, kinds, origin or eqn)
    elif name in _ROWS:
        found = [_ROWS[name](eqn, kinds)] * len(eqn.outvars)
    elif (program := called_program(eqn)) is not None:
        found = _walk(program, kinds, origin or eqn)
    elif is_linear(name, [i for i, kind in enumerate(kinds) if kind.degree]):
        found = [_linear(eqn, kinds)] * len(eqn.outvars)
    else:
        found = [Kind(NONLINEAR)] * len(eqn.outvars)
    found = [_with_cause(kind, worst, eqn, origin) for kind in found]
    if name in _CUSTOM or any(kind.custom for kind in kinds):
        return [Kind(kind.degree, None, not kind.degree, kind.cause, True, kind.kink) for kind in found]
    return found


def _with_cause(kind: Kind, before: Kind, eqn: Any, origin: Any) -> Kind:
    if kind.cause or not kind.degree:
        return kind
    cause = before.cause if kind.degree <= before.degree else f"`{eqn.primitive.name}` at {user_line(eqn, origin)}"
    return Kind(kind.degree, kind.token, kind.diagonal, cause, kink=kind.kink)


def _size(atom: Any) -> int:
    return atom.aval.size


def _merge(kinds: Sequence[Kind], token: Hashable = None) -> Kind:
    worst = max(kinds, key=lambda kind: kind.degree)
    return Kind(worst.degree, token, all(kind.diagonal for kind in kinds), worst.cause)


def _elementwise(eqn: Any, kinds: list[Kind]) -> Kind:
    """Sums, and products with constants, element by element."""
    moving = [(kind, atom) for kind, atom in zip(kinds, eqn.invars, strict=True) if kind.degree]
    tokens = {kind.token for kind, _ in moving}
    whole = all(_size(atom) == _size(eqn.outvars[0]) for _, atom in moving)
    return _merge(kinds, tokens.pop() if whole and len(tokens) == 1 else None)


def _linear(eqn: Any, kinds: list[Kind]) -> Kind:
    """A linear map that mixes elements."""
    return _merge(kinds)


def _same_order(eqn: Any, kinds: list[Kind]) -> Kind:
    """A new shape around the same elements in the same order."""
    permuted = eqn.primitive.name == "reshape" and eqn.params["dimensions"] is not None
    same = _size(eqn.invars[0]) == _size(eqn.outvars[0]) and not permuted
    return _merge(kinds, kinds[0].token) if same else _linear(eqn, kinds)


def _selection(*names: str) -> Callable:
    """Elements taken from elsewhere, as fixed parameters say."""

    def row(eqn: Any, kinds: list[Kind]) -> Kind:
        if kinds[0].token is None:
            return _linear(eqn, kinds)
        params = tuple(str(eqn.params[name]) for name in names)
        return _merge(kinds, (kinds[0].token, eqn.primitive.name, eqn.invars[0].aval.shape, params))

    return row


def _spread(eqn: Any, kinds: list[Kind]) -> Kind:
    return _same_order(eqn, kinds) if _size(eqn.invars[0]) == _size(eqn.outvars[0]) else _BROADCAST(eqn, kinds)


_BROADCAST = _selection("shape", "broadcast_dimensions")


def _times(eqn: Any, kinds: list[Kind]) -> Kind:
    """Products element by element."""
    if not all(kind.degree for kind in kinds):
        return _elementwise(eqn, kinds)
    left, right = kinds
    return _product(left, right, paired=_size(eqn.invars[0]) == _size(eqn.invars[1]))


def _contract(eqn: Any, kinds: list[Kind]) -> Kind:
    """Products summed over axes."""
    if not all(kind.degree for kind in kinds):
        return _linear(eqn, kinds)
    (left, right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    paired = tuple(left) == tuple(right) and tuple(left_batch) == tuple(right_batch)
    found = _product(*kinds, paired=paired and len(left) + len(left_batch) == eqn.invars[0].aval.ndim)
    return Kind(found.degree, None, found.diagonal)


def _product(left: Kind, right: Kind, *, paired: bool) -> Kind:
    degree = min(left.degree + right.degree, NONLINEAR)
    same = paired and left.token is not None and left.token == right.token
    return Kind(degree, left.token if same else None, same)


def _bilinear(eqn: Any, kinds: list[Kind]) -> Kind:
    factors = kinds[:2]
    if not all(kind.degree for kind in factors):
        return _linear(eqn, kinds)
    return Kind(min(sum(kind.degree for kind in factors), NONLINEAR), None, False)


def _ratio(eqn: Any, kinds: list[Kind]) -> Kind:
    return _elementwise(eqn, kinds) if kinds[1].degree == 0 else Kind(NONLINEAR)


def _power(exponent: Callable) -> Callable:
    def row(eqn: Any, kinds: list[Kind]) -> Kind:
        power, base = exponent(eqn), kinds[0]
        if power not in (0, 1, 2) or kinds[-1].degree * (len(kinds) - 1):
            return Kind(NONLINEAR)
        if power < 2:
            return base if power else CONSTANT
        return _product(base, base, paired=True)

    return row


def _polynomial(eqn: Any, kinds: list[Kind]) -> Kind:
    """Σ_k c_k x^k, in x or in the coefficients."""
    x, *coefficients = kinds
    if not x.degree:
        return _elementwise(eqn, kinds)
    if any(kind.degree for kind in coefficients) or x.degree * (len(coefficients) - 1) >= NONLINEAR:
        return Kind(NONLINEAR)
    found = x if len(coefficients) < 3 else _product(x, x, paired=True)
    return Kind(found.degree, found.token if _size(eqn.invars[0]) == _size(eqn.outvars[0]) else None, found.diagonal)


def _literal_exponent(eqn: Any) -> Any:
    return eqn.invars[1].val if isinstance(eqn.invars[1], Literal) else None


def _choice(eqn: Any, kinds: list[Kind]) -> Kind:
    return Kind(NONLINEAR) if kinds[0].degree else _elementwise(eqn, kinds)


def _converted(eqn: Any, kinds: list[Kind]) -> Kind:
    floating = eqn.outvars[0].aval.dtype.kind in "fc" or str(eqn.outvars[0].aval.dtype) == "bfloat16"
    return _elementwise(eqn, kinds) if floating else Kind(NONLINEAR)


_ROWS: dict[str, Callable[[Any, list[Kind]], Kind]] = {
    **dict.fromkeys(("add", "add_any", "copy", "name", "neg", "pvary", "reduce_precision", "sub"), _elementwise),
    **dict.fromkeys(("expand_dims", "reshape", "squeeze"), _same_order),
    "broadcast_in_dim": _spread,
    "transpose": _selection("permutation"),
    "slice": _selection("start_indices", "limit_indices", "strides"),
    "rev": _selection("dimensions"),
    "convert_element_type": _converted,
    "select_n": _choice,
    "mul": _times,
    "div": _ratio,
    "dot_general": _contract,
    **dict.fromkeys(("conv_general_dilated", "ragged_dot_general"), _bilinear),
    "integer_pow": _power(lambda eqn: eqn.params["y"]),
    "pow": _power(_literal_exponent),
    "square": _power(lambda eqn: 2),
    "one_minus_square": _power(lambda eqn: 2),
    "polynomial": _polynomial,
}


def _cond(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    if kinds[0].degree:
        return [Kind(NONLINEAR)] * len(eqn.outvars)
    branches = [_walk(branch, kinds[1:], origin) for branch in eqn.params["branches"]]
    return [_merge(outputs) for outputs in zip(*branches, strict=True)]


def _repeat(step: Callable[[list[Kind]], list[Kind]], carry: list[Kind]) -> list[Kind]:
    """Run a loop's body until the kinds of its carry stop rising."""
    carry = [_merge([kind]) for kind in carry]
    while True:
        following = [_merge([old, new]) for old, new in zip(carry, step(carry), strict=True)]
        if [_level(kind) for kind in following] == [_level(kind) for kind in carry]:
            return following
        carry = following


def _level(kind: Kind) -> tuple:
    return kind.degree, kind.diagonal


def _scan(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    consts, count = scan_counts(eqn)
    plain = [_merge([kind]) for kind in kinds]
    fixed, carry, rows = plain[:consts], plain[consts : consts + count], plain[consts + count :]
    step = lambda carry: _walk(eqn.params["jaxpr"], [*fixed, *carry, *rows], origin)
    carry = _repeat(lambda carry: step(carry)[:count], carry)
    return carry + [_merge([kind]) for kind in step(carry)[count:]]


def _while(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    tests, consts = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    fixed, start = kinds[tests : tests + consts], kinds[tests + consts :]
    carry = _repeat(lambda carry: _walk(eqn.params["body_jaxpr"], [*fixed, *carry], origin), start)
    (test,) = _walk(eqn.params["cond_jaxpr"], [*kinds[:tests], *carry], origin)
    return [Kind(NONLINEAR)] * len(carry) if test.degree else carry


def _linear_solve(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    constants = sum(eqn.params["const_lengths"])
    if any(kind.degree for kind in kinds[:constants]):
        return [Kind(NONLINEAR)] * len(eqn.outvars)
    return [_merge(kinds[constants:])] * len(eqn.outvars)


def _sparse(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    return _walk(plain_program(eqn), kinds, origin)


def _passed_on(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    return kinds


def _linear_call(eqn: Any, kinds: list[Kind], origin: Any) -> list[Kind]:
    return _walk(closed(eqn.params["callee"]), kinds, origin)


_CALLS: dict[str, Callable[[Any, list[Kind], Any], list[Kind]]] = {
    "cond": _cond,
    "scan": _scan,
    "while": _while,
    "custom_linear_solve": _linear_solve,
    "linear_call": _linear_call,
    **dict.fromkeys(("device_put", "optimization_barrier"), _passed_on),
    **dict.fromkeys(PLAIN, _sparse),
}
