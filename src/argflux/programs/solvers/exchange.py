"""Solvers of the host that ask for functions which XLA runs: each waits in a thread of its own for what it asked."""

import itertools
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, ClassVar, NamedTuple

import numpy as np


class Ask(NamedTuple):
    """Where the functions are wanted, with the weights of the objective and of the rows in the Lagrangian."""

    x: Any
    weight: Any
    dual: Any


class Values(NamedTuple):
    """What the functions are there: values, the gradient, and entries of the Jacobian and the Hessian."""

    f: Any
    rows: Any
    df: Any
    C: Any
    W: Any


Solver = Callable[[Callable[[Ask], Values]], Any]


class Exchange:
    """A batch of solvers and the questions that are open.

    The threads run no JAX: they hand in where they want the functions, and the compiled program that called them
    evaluates these for all at once. So nothing waits for the thread that it would have to run on.
    """

    _numbered: ClassVar[dict[int, "Exchange"]] = {}
    _numbers: ClassVar = itertools.count(1)

    def __init__(self, solvers: Sequence[Solver], asks: Ask):
        """`solvers` are given what asks, and return what they found; `asks` are questions to begin with, a row each."""
        self.asks, self.found = Ask(*map(np.array, asks)), [None] * len(solvers)
        self.inboxes, self.outboxes = ([SimpleQueue() for _ in solvers] for _ in range(2))
        self.waiting = list(range(len(solvers)))
        self.number = next(Exchange._numbers)
        Exchange._numbered[self.number] = self
        for i, solve in enumerate(solvers):
            threading.Thread(target=self._run, args=(i, solve), daemon=True).start()
        self._listen()

    @classmethod
    def numbered(cls, number: int) -> "Exchange":
        """The one of this number."""
        return cls._numbered[number]

    def answer(self, values: Values) -> None:
        """Let all that wait go on with copies of their rows of the values, and take their next questions."""
        for i in self.waiting:
            self.inboxes[i].put(Values(*[np.array(part[i]) for part in values]))
        self._listen()

    def close(self) -> list[Any]:
        """What the solvers found."""
        del Exchange._numbered[self.number]
        return self.found

    def _listen(self) -> None:
        """Wait until every solver that is under way asks or is done."""
        waiting = []
        for i in self.waiting:
            asked, message = self.outboxes[i].get()
            if isinstance(message, BaseException):
                self.close()
                raise message
            if asked:
                waiting.append(i)
                for part, value in zip(self.asks, message, strict=True):
                    part[i] = value
            else:
                self.found[i] = message
        self.waiting = waiting

    def _run(self, i: int, solve: Solver) -> None:
        def ask(wanted: Ask) -> Values:
            self.outboxes[i].put((True, wanted))
            return self.inboxes[i].get()

        try:
            self.outboxes[i].put((False, solve(ask)))
        except BaseException as error:
            self.outboxes[i].put((False, error))
