"""How tests compile: quickly rather than well, each program once a run, and no more of them kept than memory holds.

Imports JAX only inside functions: options of XLA are read when JAX is first used.
"""

import atexit
import ctypes
import gc
import importlib.metadata
import os
import shutil
import sys
import tempfile

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
MOST = 600  # programs kept, of 1.5 MB each
_compiled = 0


def compile_quickly() -> None:
    """Halve the time that XLA takes for small programs, by its older emitter where it has two."""
    if importlib.metadata.version("jaxlib").startswith("0.10."):  # newer ones die of an option they do not know
        options = {**QUICK, "xla_cpu_use_fusion_emitters": False}
        flags = [f"--{name}={str(value).lower()}" for name, value in options.items()]
        os.environ.setdefault("XLA_FLAGS", " ".join(flags))


def compile_once() -> None:
    """Let workers, and the commands that tests start, share what one of them compiled in this run."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="argflux-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def keep_count() -> None:
    """Count the programs that this process compiles or loads."""
    import jax

    jax.monitoring.register_event_duration_secs_listener(_count)


def _count(event: str, duration: float, **_) -> None:
    global _compiled
    _compiled += event == "/jax/core/compile/backend_compile_duration"


def forget_many() -> None:
    """Give the memory of compiled programs back, once there are `MOST`."""
    global _compiled
    if _compiled < MOST:
        return
    import jax

    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    _compiled = 0


def workers() -> int:
    """How many test processes of two gigabytes the cores and the free memory of this machine allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(_free_gigabytes() / 2)))


def _free_gigabytes() -> float:
    if sys.platform == "linux":
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30  # all there is
