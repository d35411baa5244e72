"""Calling a function that cannot be looked into, staged or on the host, with its pullback."""

import collections
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.autodiff.tape import check_cotangents
from argflux.errors import ArgumentError, MissingRuleError, RuleError
from argflux.jaxpr import Tracer
from argflux.tree import is_array

_REMEMBERED = 16


class Opaque:
    """A user's function with its rule, and what is known of it: its mode and the shapes it returns."""

    def __init__(self, function: Callable, like: Callable | None):
        self.function, self.like = function, like
        self.name = getattr(function, "__name__", type(function).__name__)
        self.rule: Callable | None = None
        self.known: dict = {}
        self.flats: dict = {}

    def forget(self) -> None:
        """Drop what was learned, so that a rule given later is seen by traces to come."""
        self.known.clear()
        self.flats.clear()


class Flat:
    """An opaque function on flat lists of arrays, optionally over leading batch axes.

    `axes` holds one tuple of flags per batch axis, outermost first: which operands carry that axis. The first operands
    are those of positional arguments; the others, arrays among the keywords, have no derivative.
    """

    def __init__(self, opaque: Opaque, treedef: Any, static: tuple, axes: tuple = ()):
        self.opaque, self.treedef, self.static, self.axes = opaque, treedef, static, axes
        self._pullbacks: collections.OrderedDict[bytes, Callable] = collections.OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, opaque: Opaque, args: tuple, keywords: dict) -> "tuple[Flat, list]":
        """Take the arguments apart; the same structure gives the same object, which keeps compiled code valid."""
        leaves, treedef = jax.tree.flatten((args, keywords))
        count = len(jax.tree.leaves(args))
        operands = [is_array(x) if i >= count else _is_operand(x) for i, x in enumerate(leaves)]
        arrays = [jnp.asarray(x) for x, on in zip(leaves, operands, strict=True) if on]
        static = tuple(None if on else (type(x), x) for x, on in zip(leaves, operands, strict=True))
        try:
            flat = opaque.flats.setdefault((treedef, static), cls(opaque, treedef, static))
        except TypeError as error:
            raise ArgumentError(
                "an argument that is neither an array nor hashable",
                "arrays, numbers or hashable values",
                "pass it as a tuple or capture it",
                where=opaque.name,
            ) from error
        return flat, arrays

    @property
    def name(self) -> str:
        """Name of the user's function."""
        return self.opaque.name

    @property
    def rule(self) -> Callable | None:
        """The user's rule, if there is one yet."""
        return self.opaque.rule

    def batched(self, mapped: tuple) -> "Flat":
        """Return the same function with one more batch axis in front."""
        key = (self.treedef, self.static, (mapped, *self.axes))
        return self.opaque.flats.setdefault(key, Flat(self.opaque, self.treedef, self.static, key[2]))

    def outputs(self, avals: Sequence) -> list[tuple]:
        """Shapes and dtypes returned for operands of given shapes and dtypes."""
        sizes = [next(a.shape[0] for a, on in zip(avals, self.axes[0], strict=True) if on)] if self.axes else []
        if self.axes:
            inner = [_drop(a) if on else a for a, on in zip(avals, self.axes[0], strict=True)]
            return [((*sizes, *shape), dtype) for shape, dtype in self._inner().outputs(inner)]
        return self._learn(avals)[0]

    def out_tree(self, arrays: Sequence) -> Any:
        """Structure of what the function returns."""
        return self._learn([jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays])[1]

    def is_staged(self, avals: Sequence) -> bool:
        """Say whether JAX can trace the function, so that it needs no host."""
        for flags in self.axes:
            avals = [_drop(a) if on else a for a, on in zip(avals, flags, strict=True)]
        return Flat(self.opaque, self.treedef, self.static)._learn(avals)[2]

    def _inner(self) -> "Flat":
        return Flat(self.opaque, self.treedef, self.static, self.axes[1:])

    def _learn(self, avals: Sequence) -> tuple:
        key = (self.treedef, self.static, tuple((tuple(a.shape), np.dtype(a.dtype).str) for a in avals))
        if key not in self.opaque.known:
            self.opaque.known[key] = self._examine(avals)
        return self.opaque.known[key]

    def _examine(self, avals: Sequence) -> tuple:
        structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
        call = lambda *xs: self.call(self.opaque.function, xs)
        staged = True
        try:
            result = jax.eval_shape(call, *structs)
        except jax.errors.JAXTypeError:
            staged = False
            with jax.ensure_compile_time_eval():
                like, zeros = self.opaque.like, [np.zeros(s.shape, s.dtype) for s in structs]
                result = call(*zeros) if like is None else self.call(like, structs)
        leaves, tree = jax.tree.flatten(result)
        return [(np.shape(y), jnp.result_type(y)) for y in leaves], tree, staged

    def rebuild(self, arrays: Sequence) -> tuple[tuple, dict]:
        """Put the arguments and the keywords together again."""
        fresh = iter(arrays)
        return self.treedef.unflatten([next(fresh) if kept is None else kept[1] for kept in self.static])

    def call(self, function: Callable, arrays: Sequence) -> Any:
        """Call a function of the user's with the arguments and the keywords."""
        args, keywords = self.rebuild(arrays)
        return function(*args, **keywords)

    @property
    def count(self) -> int:
        """How many operands belong to positional arguments."""
        args, _ = self.treedef.children()
        return sum(kept is None for kept in self.static[: args.num_leaves])

    def value(self, *xs: Any) -> list:
        """Evaluate on arrays whose values are known."""
        if self.is_staged(xs):
            return self._staged(*xs)
        return [jnp.asarray(y) for y in self._host_value(*map(np.asarray, xs))]

    def staged_value(self, *xs: Any) -> list:
        """Evaluate inside a compiled program."""
        if self.is_staged(xs):
            return self._staged(*xs)
        return jax.pure_callback(self._host_value, self._structs(xs), *xs)

    def with_pullback(self, *xs: Any) -> tuple[list, Callable]:
        """Evaluate by the rule; return the value and `pull(dys) -> dxs`."""
        if self.is_staged(xs):
            return self._staged(*xs), lambda dys: self.staged_pull(xs, dys)
        if not any(isinstance(x, Tracer) for x in xs):
            ys, pull = self._host_rule(*map(np.asarray, xs))
            return [jnp.asarray(y) for y in ys], lambda dys: self._on_host(pull, xs, dys)
        ys = self._call_back(self._host_remember, self._structs(xs), *xs)
        return ys, lambda dys: self.staged_pull(xs, dys)

    def _on_host(self, pull: Callable, xs: Sequence, dys: Sequence) -> list:
        if any(isinstance(dy, Tracer) for dy in dys):
            return self.staged_pull(xs, dys)
        return [None if dx is None else jnp.asarray(dx) for dx in pull([np.asarray(dy) for dy in dys])]

    def staged_pull(self, xs: Sequence, dys: Sequence) -> list:
        """Pull cotangents back inside a compiled program."""
        if self.is_staged(xs):
            return self._staged_pull(list(xs), list(dys))
        floats = [i for i, x in enumerate(xs) if jnp.issubdtype(x.dtype, jnp.floating)]
        structs = [jax.ShapeDtypeStruct(xs[i].shape, xs[i].dtype) for i in floats]
        call = lambda xs, dys: self._host_pull(xs, dys, floats)
        found = self._call_back(call, structs, list(xs), list(dys))
        return [found[floats.index(i)] if i in floats else None for i in range(len(xs))]

    def _call_back(self, work: Callable, structs: list, *operands: Any) -> list:
        """Call the host, one element of a batch after the other; nothing goes forward through that."""
        try:
            return jax.pure_callback(work, structs, *operands, vmap_method="sequential")
        except ValueError as error:
            if "do not support JVP" not in str(error):
                raise
            raise MissingRuleError(
                f"a second derivative through the primitive function `{self.name}`, which runs on the host",
                "first derivatives",
                "write it and its rule with operations of JAX, or take differences of its gradient",
                where="gradient",
            ) from error

    def _structs(self, xs: Sequence) -> list:
        return [jax.ShapeDtypeStruct(*o) for o in self.outputs(xs)]

    def _staged(self, *xs: Any) -> list:
        function = lambda *xs: jax.tree.leaves(self.call(self.opaque.function, xs))
        for flags in reversed(self.axes):
            function = jax.vmap(function, in_axes=tuple(0 if on else None for on in flags))
        return [jnp.asarray(y) for y in function(*xs)]

    def _staged_pull(self, xs: list, dys: list) -> list:
        absent: list[bool] = []

        def pull(xs, dys):
            dxs = self._pull_one(self.opaque, xs, dys)
            absent[:] = [dx is None for dx in dxs]
            return [jnp.zeros_like(x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]

        for flags in reversed(self.axes):
            pull = jax.vmap(pull, in_axes=([0 if on else None for on in flags], 0))
        dxs = pull(xs, dys)
        summed = [self._sum_unmapped(dx, i) for i, dx in enumerate(dxs)]
        return [None if gone else dx for dx, gone in zip(summed, absent, strict=True)]

    def _sum_unmapped(self, dx: Any, position: int) -> Any:
        axes = tuple(k for k, flags in enumerate(self.axes) if not flags[position])
        return jnp.sum(dx, axes) if axes else dx

    def _pull_one(self, opaque: Opaque, xs: Sequence, dys: Sequence) -> list:
        return self._flatten(self._rule_one(xs)[1](dys), xs)

    def _rule_one(self, xs: Sequence) -> tuple:
        assert self.opaque.rule is not None
        result = self.call(self.opaque.rule, xs)
        if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
            raise RuleError(
                f"a rule that returned {type(result).__name__}",
                "a pair (value, pullback)",
                "return the value and a function of its cotangent",
                where=f"rule of {self.name}",
            )
        value, pullback = result
        leaves, tree = jax.tree.flatten(value)
        got, expected = [np.shape(y) for y in leaves], [shape for shape, _ in self._learn(xs)[0]]
        if got != expected:
            todo = "return the value of the function, then the pullback"
            got, expected = f"a value of shapes {got}", f"{expected}, as the function returns"
            raise RuleError(got, expected, todo, where=f"rule of {self.name}")
        return leaves, lambda dys: pullback(tree.unflatten(list(dys)))

    def _flatten(self, dargs: Any, xs: Sequence) -> list:
        """Hold what the pullback returned against the arguments and flatten it."""
        args, _ = self.rebuild(xs)
        if not isinstance(dargs, tuple | list) or len(dargs) != len(args) + 1:
            check_cotangents(f"of {self.name}", dargs, [None] * (len(args) + 1))
        found = []
        for position, (arg, darg) in enumerate(zip(args, dargs[1:], strict=True)):
            inputs, treedef = jax.tree.flatten(arg)
            outputs = [None] * len(inputs) if darg is None else treedef.flatten_up_to(darg)
            kept = [(x, dx) for x, dx in zip(inputs, outputs, strict=True) if is_array(x)]
            avals = [x for x, _ in kept]
            check_cotangents(f"of {self.name}, argument {position}", [dx for _, dx in kept], avals)
            found += [dx for _, dx in kept]
        return found + [None] * (len(xs) - len(found))

    def _host_value(self, *xs: Any) -> list:
        return self._each(lambda *one: jax.tree.leaves(self.call(self.opaque.function, one)), xs)

    def _host_rule(self, *xs: Any) -> tuple[list, Callable]:
        """Run the rule for every element of the batch and keep the pullbacks."""
        pullbacks: list = []

        def one(*xs):
            ys, pull = self._rule_one(xs)
            pullbacks.append((xs, pull))
            return ys

        ys = self._each(one, xs)
        return ys, lambda dys: self._host_gather(pullbacks, xs, dys)

    def _host_gather(self, pullbacks: list, xs: Sequence, dys: Sequence) -> list:
        count = len(self.axes)
        if not count:
            return self._flatten(pullbacks[0][1](dys), pullbacks[0][0])
        sizes = self._sizes(xs)
        totals: list = [None] * len(xs)
        for index, (one, pull) in zip(np.ndindex(*sizes), pullbacks, strict=True):
            for i, dx in enumerate(self._flatten(pull([dy[index] for dy in dys]), one)):
                if dx is not None:
                    totals[i] = np.zeros(xs[i].shape, xs[i].dtype) if totals[i] is None else totals[i]
                    totals[i][self._select(index, i)] += dx
        return totals

    def _host_remember(self, *xs: Any) -> list:
        xs = tuple(map(np.asarray, xs))
        ys, pull = self._host_rule(*xs)
        with self._lock:
            self._pullbacks[_digest(xs)] = pull
            while len(self._pullbacks) > _REMEMBERED:
                self._pullbacks.popitem(last=False)
        return ys

    def _host_pull(self, xs: Sequence, dys: Sequence, floats: list[int]) -> list:
        xs = tuple(map(np.asarray, xs))
        with self._lock:
            pull = self._pullbacks.get(_digest(xs))
        if pull is None:
            pull = self._host_rule(*xs)[1]
        dxs = pull([np.asarray(dy) for dy in dys])
        return [np.zeros_like(xs[i]) if dxs[i] is None else np.asarray(dxs[i], xs[i].dtype) for i in floats]

    def _each(self, function: Callable, xs: Sequence) -> list:
        """Call a function for every element of the batch and stack what it returns, in the declared dtypes."""
        declared = self.outputs(xs)
        dtypes = [dtype for _, dtype in declared]
        if not self.axes:
            return [np.asarray(y, d) for y, d in zip(function(*xs), dtypes, strict=True)]
        sizes = self._sizes(xs)
        if 0 in sizes:
            return [np.zeros(shape, dtype) for shape, dtype in declared]
        rows = [function(*[x[self._select(index, i)] for i, x in enumerate(xs)]) for index in np.ndindex(*sizes)]
        columns = zip(*rows, strict=True)
        return [np.stack(c).reshape(*sizes, *np.shape(c[0])).astype(d) for c, d in zip(columns, dtypes, strict=True)]

    def _sizes(self, xs: Sequence) -> list[int]:
        def size(k, flags):
            i = flags.index(True)
            return xs[i].shape[sum(earlier[i] for earlier in self.axes[:k])]

        return [size(k, flags) for k, flags in enumerate(self.axes)]

    def _select(self, index: tuple, position: int) -> tuple:
        return tuple(i for i, flags in zip(index, self.axes, strict=True) if flags[position])


def _is_operand(leaf: Any) -> bool:
    return is_array(leaf) or (isinstance(leaf, int | float) and not isinstance(leaf, bool))


def _drop(aval: Any) -> Any:
    return jax.ShapeDtypeStruct(aval.shape[1:], aval.dtype)


def _digest(xs: Sequence) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for x in xs:
        digest.update(f"{x.shape}{x.dtype}".encode())
        digest.update(np.ascontiguousarray(x).data)
    return digest.digest()
