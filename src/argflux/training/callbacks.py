"""Functions of records for `callback=` and `until=`: how often to look, and when to stop."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.kinds import shortened
from argflux.training.arrays import check_path
from argflux.training.program import takes
from argflux.training.saving import save

Score = str | Callable[[Any], float]


@explained
class throttle:
    """A function that lets calls of another through at most once in so many seconds.

    Args:
        f: any function.
        seconds: the least time between two calls, at least 0.
        leading: whether the very first call goes through.
        trailing: whether a last call that was left out is made by `flush`; `train` flushes at the end of a run.

    Raises:
        ArgumentError: for negative seconds, or something that cannot be called.

    Example:
        >>> from argflux.training import throttle
        >>> seen = []
        >>> show = throttle(seen.append, 60, trailing=True)
        >>> for step in range(1000):
        ...     show(step)
        >>> show.flush()
        >>> seen
        [0, 999]
    """

    def __init__(self, f: Callable, seconds: float, *, leading: bool = True, trailing: bool = False):
        _check_callable(f, "throttle")
        _check_at_least(seconds, 0, "seconds", "throttle")
        self.f, self.seconds, self.trailing = f, seconds, trailing
        self.last = -math.inf if leading else time.monotonic()
        self.left_out: tuple | None = None

    def __call__(self, *args: Any) -> Any:
        """Call the function if it is time; else return None."""
        if time.monotonic() - self.last < self.seconds:
            self.left_out = args
            return None
        result, self.left_out, self.last = self.f(*args), None, time.monotonic()
        return result

    def flush(self) -> Any:
        """Make the last call that was left out, if there is one and `trailing` asks for it."""
        args, self.left_out = self.left_out, None
        return self.f(*args) if self.trailing and args is not None else None


@explained
def patience(predicate: Callable[..., Any], n: int) -> Callable[..., bool]:
    """Return a function that is true once `predicate` was true n times in a row.

    Example:
        >>> from argflux.training import patience
        >>> low = patience(lambda loss: loss < 1, 2)
        >>> [low(loss) for loss in (0.5, 2.0, 0.5, 0.4)]
        [False, False, False, True]
    """
    _check_callable(predicate, "patience")
    _check_at_least(n, 1, "n", "patience")
    count = 0

    def is_patience_over(*args: Any) -> bool:
        nonlocal count
        count = count + 1 if predicate(*args) else 0
        return count >= n

    return is_patience_over


@explained
def early_stopping(
    score: Score = "loss", n: int = 5, *, min_dist: float = 0.0, init_score: float = math.inf, maximise: bool = False
) -> Callable[[Any], bool]:
    """Return a function that is true once the score has not improved n times in a row.

    Args:
        score: `"loss"`, the name of a metric, or a function of what is passed in.
        n: how many times without improvement are enough.
        min_dist: what counts as an improvement: more than this below (above) the best score so far.
        init_score: the score to beat at first.
        maximise: whether higher is better.

    The function's attribute `best` is the record with the best score so far; `keep_best` keeps its model.

    Example:
        >>> from argflux.training import early_stopping
        >>> stop = early_stopping(lambda loss: loss, 2)
        >>> [stop(loss) for loss in (3.0, 2.0, 2.5, 2.0)]
        [False, False, False, True]
    """
    _check_score(score, "early_stopping")
    _check_at_least(min_dist, 0, "min_dist", "early_stopping")
    sign = -1.0 if maximise else 1.0
    best = math.inf if math.isinf(init_score) else sign * init_score

    def got_no_better(record: Any) -> bool:
        nonlocal best
        value = sign * _score(score, record)
        if value < best - min_dist:
            best, is_over.best = value, record  # type: ignore[attr-defined]
            return False
        return True

    is_over = patience(got_no_better, n)
    is_over.best = None  # type: ignore[attr-defined]
    return is_over


@explained
def plateau(score: Score = "loss", n: int = 5, *, min_dist: float = 1e-6) -> Callable[[Any], bool]:
    """Return a function that is true once the score has moved by less than `min_dist` n times in a row.

    Args:
        score: `"loss"`, the name of a metric, or a function of what is passed in.
        n: how many times are enough.
        min_dist: what counts as a move.

    Example:
        >>> from argflux.training import plateau
        >>> stop = plateau(lambda loss: loss, 2, min_dist=0.1)
        >>> [stop(loss) for loss in (3.0, 2.0, 1.95, 1.94)]
        [False, False, False, True]
    """
    _check_score(score, "plateau")
    _check_at_least(min_dist, 0, "min_dist", "plateau")
    last = math.inf

    def stood_still(record: Any) -> bool:
        nonlocal last
        before, last = last, _score(score, record)
        return abs(last - before) < min_dist

    return patience(stood_still, n)


@explained
class keep_best:
    """A callback of `train` that keeps the model with the best score.

    The model is made at most once in a chunk of steps (about half a second), however often the score improves.

    Args:
        score: `"loss"`, the name of a metric, or a function of a record.
        maximise: whether higher is better.
        path: a .safetensors or .npz file that every better model is saved into; `load` reads it.

    Attributes:
        record: the record of the best epoch, None before the first one.
        model: the model right after that epoch; None if it was made by a part of the run before `resume`.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, keep_best, train
        >>> best = keep_best("loss")
        >>> last, history = train(lambda w, x: jnp.abs(w), jnp.array(1.0), [0], Descent(0.7), epochs=4, callback=best)
        >>> best.record.epoch, round(float(best.model), 2)
        (2, -0.4)
    """

    def __init__(self, score: Score = "loss", *, maximise: bool = False, path: str | Path | None = None):
        _check_score(score, "keep_best")
        if path is not None:
            check_path(path)
        self.score, self.sign, self.path = score, -1.0 if maximise else 1.0, path
        self.record: Any = None
        self.model: Any = None
        self._build: Callable[[], Any] | None = None

    def __call__(self, record: Any) -> None:
        """Look at a record."""
        if self.look_back(record):
            self.model, self._build = None, record.build

    def look_back(self, record: Any) -> bool:
        """Take note of the score of a record whose model is gone; say whether it is the best so far."""
        value = self.sign * _score(self.score, record)
        better = self.record is None or value < self.sign * _score(self.score, self.record)
        if better:
            self.record = record
        return better

    def settle(self) -> None:
        """Make the model of the best record, and save it; `train` calls this after every chunk of steps."""
        if self._build is None:
            return
        self.model, self._build = self._build(), None
        if self.path is not None:
            save(self.path, self.model)


@explained
class every_steps:
    """A callback of `train` that is called in the midst of epochs: after every n-th step.

    Its records hold the mean loss of the last n steps and no metrics, and are no part of the history. As for other
    callbacks, `True` stops the run. Chunks of compiled steps end where it is called, so a small n costs time.

    Args:
        n: how many steps lie between two calls, at least 1.
        f: a function of a record.

    Example:
        >>> import jax.numpy as jnp
        >>> from argflux.training import Descent, every_steps, train
        >>> seen = []
        >>> show = every_steps(2, lambda record: seen.append((record.epoch, record.step)))
        >>> _ = train(lambda w, x: w * x, jnp.array(1.0), [1.0, 2.0, 3.0], Descent(), epochs=2, callback=show)
        >>> seen
        [(1, 2), (2, 4), (2, 6)]
    """

    def __init__(self, n: int, f: Callable[[Any], Any]):
        _check_at_least(n, 1, "n", "every_steps")
        _check_callable(f, "every_steps")
        self.n, self.f = n, f

    def __call__(self, record: Any) -> Any:
        """Call the function."""
        return self.f(record)


def _score(score: Score, record: Any) -> float:
    if isinstance(score, str) and not hasattr(record, "score"):
        todo = "call it with records, or pass score= as a function of what it is called with"
        raise ArgumentError(shortened(record), f"a Record, for its {score}", todo, where="score")
    return float(record.score(score) if isinstance(score, str) else score(record))


def _check_callable(f: Any, where: str) -> None:
    if not callable(f):
        raise ArgumentError(f"a {type(f).__name__}", "a function", "pass a function of a record", where=where)


def _check_score(score: Any, where: str) -> None:
    if not isinstance(score, str) and not takes(score, ()):
        got, todo = f"score={shortened(score)}", "pass 'loss', the name of a metric, or a function"
        raise ArgumentError(got, "a name, or a function of one record", todo, where=where)


def _check_at_least(value: Any, least: float, name: str, where: str) -> None:
    if isinstance(value, str) or not value >= least:
        raise ArgumentError(f"{name}={value!r}", f"a number at least {least}", f"change {name}", where=where)
