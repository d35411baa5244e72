"""The loop of a training run: chunks of compiled steps, and between them records, stops and checkpoints."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from argflux.errors import warn
from argflux.training.batches import Chunk, Source
from argflux.training.checkpoint import Position, Snapshot
from argflux.training.devices import is_first_process
from argflux.training.failures import FailedProgramsWarning
from argflux.training.flow import Flow
from argflux.training.history import History, Record
from argflux.training.interrupts import Interrupts
from argflux.training.program import Carry, Made, Program
from argflux.training.progress import Progress
from argflux.training.rule import as_arrays
from argflux.training.state import OptimiserState
from argflux.training.stretch import Stretch
from argflux.training.watch import Watch

CHUNK_SECONDS = 0.5


class Run:
    """A training run in progress.

    Args:
        program: what makes the steps.
        source: where the batches come from.
        state: the optimiser's state to start from.
        model: the model to start from, as its moving and its fixed arrays.
        epochs: how many epochs to make in all.
        watch: what looks on.
        setting: what must be the same for a checkpoint to be gone on from.
        key: the two words of the key from which random layers draw.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        state: OptimiserState,
        model: tuple[list, list],
        epochs: int,
        watch: Watch,
        setting: dict[str, str],
        key: tuple[int, int],
    ):
        self.program, self.source, self.epochs = program, source, epochs
        self.watch, self.setting, self.before = watch, setting, state
        self.devices = program.devices
        self.carry, self.fixed = self._carry(model[0], state.inner, model[1]), model[1]
        self.placed = self.devices.copy([*map(jnp.asarray, self.fixed)])
        self.pool: tuple[Any, Any] = (None, None)
        self.hyper, self.rate = state.hyper, state.hyperparameters().get("rate")  # a schedule moves the rate along
        self.history, self.position, self.step = History(), Position(first_epoch=source.first_epoch, key=key), 0
        self.unrecorded: list[np.ndarray] = []
        self.unrecorded_failures = self.first_step = 0
        self.batches_before: list[tuple[Any, Any]] = []
        self.started = self.written = time.perf_counter()

    @property
    def model(self) -> Any:
        """The model as it is now."""
        return self._model(self.carry)

    @property
    def state(self) -> OptimiserState:
        """The optimiser's state as it is now."""
        inner = self.program.inner.unflatten(self.devices.local(self.carry[1]))
        before = self.before
        return OptimiserState(inner, self.hyper, before.rules, before.frozen, before.outline)

    def go(self) -> None:
        """Train until the epochs are over or something stops the run."""
        place = self.position
        flow = Flow(self.source, place.epoch, place.batch, self.epochs)
        bar = Progress(
            self.epochs, place.epoch, self.source.batches_per_epoch, self.watch.progress and is_first_process()
        )
        with Interrupts() as interrupts, bar:
            while not self.history.stopped:
                limit = min(self._pace(), self.watch.steps_left(self.step))
                chunk = flow.take(limit, within_epoch=self.watch.measure is not None)
                if chunk is None:
                    self.history.stopped = "epochs"
                    break
                stretch = self._make(chunk)
                self._take_in(stretch)
                self.rate = stretch.rate(stretch.chunk.n, self.rate)
                failed = int(self.history.failed_programs.sum())
                bar.show(place.epoch, place.batch, float(stretch.losses[-1]), self.rate, failed)
                if self.devices.agreed(interrupts.asked) and not self.history.stopped:
                    self.history.stopped = "interrupted"
                if self.watch.checkpoint and time.perf_counter() - self.written >= self.watch.checkpoint.every:
                    self.write()
        self.write()
        if len(self.history):
            self.watch.finish(self.history[-1], self.model)
        self._tell_of_failures()

    def snapshot(self) -> Snapshot:
        """Return everything needed to go on from here."""
        arrays = {"model": self.model, "state": self.state.inner}
        return Snapshot(arrays, self.hyper, self.history, self.position, self.setting)

    def write(self) -> None:
        """Write the checkpoint, if there is to be one."""
        if self.watch.checkpoint and is_first_process():
            self.snapshot().write(self.watch.checkpoint.path)
            self.written = time.perf_counter()

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; `until` sees the records again, so that what it counts goes on too."""
        moving, self.fixed = self.program.split.take(snapshot.arrays["model"])
        self.carry = self._carry(moving, snapshot.arrays["state"], self.fixed)
        self.placed = self.devices.copy([*map(jnp.asarray, self.fixed)])
        self.hyper = tuple(map(as_arrays, snapshot.hyper))
        self.rate = self.state.hyperparameters().get("rate")
        self.history, self.position = snapshot.history, snapshot.position
        if self.history.stopped in ("epochs", "interrupted"):
            self.history.stopped = ""
        self.step = self.first_step = len(self.history.losses)
        recorded = self.history[-1].step if len(self.history) else 0
        self.unrecorded = [self.history.losses[recorded:]]
        self.unrecorded_failures = int(self.history.failed_programs[recorded:].sum())
        self.source.first_epoch = self.position.first_epoch
        self.started -= self.history[-1].time if len(self.history) else 0.0
        self.watch.look_back(self.history.records)

    def _pace(self) -> int:
        """Return how many steps fit the time for a chunk; one, until it is known how long a step takes."""
        seconds = self.program.seconds
        return self.devices.agreed(1 if seconds is None else max(1, int(CHUNK_SECONDS / seconds)))

    def _make(self, chunk: Chunk) -> Stretch:
        start, traces = self.carry, self.program.traces
        draw = np.array([*self.position.key, self.step], np.uint32)
        hyper = self.devices.copy(self.hyper)
        pool, index = self._data(chunk)

        def call(n: int) -> Made:
            return self.program.call(start, self.placed, hyper, pool, index, np.int32(n), draw)

        stretch = Stretch(chunk, call)
        if self.program.traces == traces:
            self.program.seconds = stretch.seconds / chunk.n
        return stretch

    def _data(self, chunk: Chunk) -> tuple[Any, Any]:
        """Return pool and index of a chunk, placed; rows lie whole on every device, batches are dealt out."""
        rows = chunk.index.ndim == 2
        if self.pool[0] is not chunk.pool:
            self.pool = chunk.pool, (self.devices.copy if rows else self.devices.deal)(chunk.pool)
        return self.pool[1], (self.devices.deal if rows else self.devices.copy)(chunk.index)

    def _take_in(self, stretch: Stretch) -> None:
        """Record what a stretch brought, up to where a callback stops it or the loss is no longer finite."""
        done = self._record(stretch)
        failed = done == stretch.good < stretch.chunk.n and not self.history.stopped
        if done == stretch.chunk.n or self.watch.needs_starts:
            self.carry = stretch.carry_at(done)
        self._move(stretch, done)
        if failed:
            self.write()
            where = f"train, step {self.step + 1} (epoch {self.position.epoch + 1}, batch {self.position.batch + 1})"
            error = stretch.failure(where, self.rate, self.batches_before)
            error.history = self.history  # type: ignore[attr-defined]
            self._tell_of_failures()
            raise error
        self.batches_before = stretch.recent(stretch.chunk.n, self.batches_before)
        self.watch.settle()
        self._look_at_step(stretch)

    def _tell_of_failures(self) -> None:
        failed = self.history.failed_programs[self.first_step :]
        if failed.any():
            steps, first = int((failed > 0).sum()), self.first_step + int(np.argmax(failed > 0)) + 1
            warn(
                f"{failed.sum()} optimisation problems inside the loss were not solved, in {steps} of {len(failed)} "
                f"steps, first in step {first}; their gradients are zero, so nothing was learned from them. "
                "record.failed_programs and history.failed_programs count them; the `status` of a solution of the "
                "program on such a batch, or solution.check(), says why",
                FailedProgramsWarning,
            )

    def _look_at_step(self, stretch: Stretch) -> None:
        watch = self.watch
        if self.history.stopped or not any(self.step % callback.n == 0 for callback in watch.step_callbacks):
            return
        epoch = self.position.epoch + (self.position.batch > 0)
        window = slice(-max(callback.n for callback in watch.step_callbacks if self.step % callback.n == 0), None)
        losses, failed = self.history.losses[window], self.history.failed_programs[window]
        rate, now = stretch.rate(stretch.chunk.n, self.rate), time.perf_counter() - self.started
        record = Record(epoch, self.step, _mean([losses]), rate, {}, now, int(failed.sum()))
        if watch.look_at_step(record, lambda: self.model):
            self.history.stopped = "callback"

    def _record(self, stretch: Stretch) -> int:
        """Record the epochs that end in a stretch; return how many of its steps count."""
        last, now, before = 0, time.perf_counter() - self.started, self.unrecorded_failures
        epochs = [end for end in stretch.chunk.ends if end <= stretch.good]
        for epoch, end in enumerate(epochs, self.position.epoch + 1):
            losses = [*self.unrecorded, stretch.losses[last:end]]
            failed = before + int(stretch.failed[last:end].sum())
            self.unrecorded, last, before = [], end, 0
            record = Record(epoch, self.step + end, _mean(losses), stretch.rate(end, self.rate), {}, now, failed)
            self.history.records.append(record)
            self.history.stopped = self._show(record, stretch, end)
            if self.history.stopped:
                return end
        self.unrecorded.append(stretch.losses[last : stretch.good])
        self.unrecorded_failures = before + int(stretch.failed[last : stretch.good].sum())
        return stretch.good

    def _show(self, record: Record, stretch: Stretch, end: int) -> str:
        watch = self.watch
        if watch.measure:
            record.metrics = watch.measure(self._model(stretch.carry_at(end)))
        if watch.callbacks or watch.until:
            return watch.look(record, lambda: self._model(stretch.carry_at(end)))
        return ""

    def _move(self, stretch: Stretch, done: int) -> None:
        ends = [end for end in stretch.chunk.ends if end <= done]
        self.step += done
        self.history.add_steps(stretch.losses[:done], stretch.failed[:done])
        self.position.epoch += len(ends)
        self.position.batch = done - ends[-1] if ends else self.position.batch + done

    def _carry(self, moving: list, inner: Any, fixed: list) -> Carry:
        held = [jnp.copy(buffer) for buffer in self.program.split.held(fixed)]
        return self.devices.copy((moving, jax.tree.leaves(inner), held))

    def _model(self, carry: Carry) -> Any:
        split = self.program.split
        moving, _, held = self.devices.local(carry)
        return split.join(moving, split.holding(self.fixed, held))


def _mean(pieces: list[np.ndarray]) -> float:
    """Return the mean of an epoch's losses, the same however they are cut into pieces."""
    losses = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return float(losses[0]) if losses.size == 1 else float(np.mean(losses, dtype=np.float64))
