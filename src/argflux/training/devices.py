"""Where the arrays of a run lie: on one device, or spread over the devices of a mesh, of one process or several."""

import os
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from argflux.errors import ArgumentError
from argflux.keywords import explained
from argflux.tree import is_array

OTHERS = ("JAX_COORDINATOR_ADDRESS", "SLURM_STEP_NODELIST", "OMPI_COMM_WORLD_SIZE", "JOB_COMPLETION_INDEX")


@dataclass(frozen=True)
class Devices:
    """The devices of a run; without a mesh, JAX's default device. Hashable.

    With a mesh the model, the rule's state and the data are on every device, and each step's rows are dealt out
    among them, so that the compiler sums the gradients over all devices.
    """

    mesh: Mesh | None = None

    @staticmethod
    def of(distributed: Any) -> "Devices":
        """Return the devices that the argument `distributed` of `train` means."""
        if isinstance(distributed, Mesh):
            return Devices(distributed)
        if not isinstance(distributed, bool):
            got, todo = f"distributed={distributed!r}", "pass distributed=True for all devices"
            raise ArgumentError(got, "True, False or a jax.sharding.Mesh", todo, where="train")
        return Devices(Mesh(np.array(jax.devices()), ("batch",))) if distributed else Devices()

    @property
    def everywhere(self) -> NamedSharding | None:
        """The sharding of what every device holds whole."""
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec())

    def copy(self, tree: Any) -> Any:
        """Put arrays whole on every device."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda x: _put(x, self.everywhere) if is_array(x) else x, tree)

    def deal(self, tree: Any) -> Any:
        """Give every device its share of the second axis of arrays: the rows of each step's batch."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda x: _put(x, self._along_second(x)), tree)

    def local(self, tree: Any) -> Any:
        """Return arrays that every device holds whole as ordinary ones of this process."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda x: x.addressable_data(0) if isinstance(x, jax.Array) else x, tree)

    def agreed(self, value: int) -> int:
        """Return the value that the first process has; the steps that processes make together must be the same."""
        if self.mesh is None or jax.process_count() == 1:
            return value
        return int(multihost_utils.broadcast_one_to_all(np.int32(value)))

    def _along_second(self, x: Any) -> NamedSharding:
        """Deal out the second axis, if it can be in equal shares."""
        assert self.mesh is not None
        fits = np.ndim(x) > 1 and x.shape[1] % self.mesh.size == 0
        return NamedSharding(self.mesh, PartitionSpec(None, self.mesh.axis_names) if fits else PartitionSpec())


def _put(x: Any, sharding: Any) -> jax.Array:
    """Place an array that every process has the same."""
    if isinstance(x, jax.Array) and x.sharding == sharding:
        return x
    if jax.process_count() == 1:
        return jax.device_put(x, sharding)
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda part: host[part])


@explained
def join_processes() -> None:
    """Join the other processes of a distributed run; to be called before anything is computed.

    Under Slurm's `srun`, Open MPI's `mpirun` and in an indexed job of Kubernetes JAX finds the others by itself;
    elsewhere by the environment of each process: JAX_COORDINATOR_ADDRESS (host:port of the first), JAX_NUM_PROCESSES
    and JAX_PROCESS_ID. With none of these there is nothing to join, and nothing happens.

    Raises:
        ArgumentError: when the others cannot be reached, or JAX has computed something already.

    Example:
        >>> from argflux.training import join_processes
        >>> join_processes()
    """
    alone = not any(name in os.environ for name in OTHERS)
    if alone or jax.distributed.is_initialized():
        return
    try:
        jax.distributed.initialize(
            num_processes=_number("JAX_NUM_PROCESSES"),
            process_id=_number("JAX_PROCESS_ID"),
        )
    except (RuntimeError, ValueError) as error:
        got, todo = " ".join(str(error).split()), "check JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID"
        raise ArgumentError(got, "processes that reach each other", todo, where="distributed") from error


def _number(name: str) -> int | None:
    return int(os.environ[name]) if name in os.environ else None


def meet(place: str) -> None:
    """Wait until every process has come to a place of this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(place)


def is_first_process() -> bool:
    """Say whether this process is the one that writes files and draws bars."""
    return jax.process_index() == 0
