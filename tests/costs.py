"""What the tests cost, by file: `python -m pytest -p tests.costs FILES` ends with a table.

CPU seconds, which a busy machine changes little, with those of commands that tests start; programs compiled or loaded;
the most memory after a test, in megabytes. For one process, without `-n`.
"""

import collections
import resource
import sys

import pytest

COMPILED = "/jax/core/compile/backend_compile_duration"
_costs = collections.defaultdict(collections.Counter)
_programs = 0


def pytest_configure() -> None:
    import jax

    jax.monitoring.register_event_duration_secs_listener(_count)


def _count(event: str, duration: float, **_) -> None:
    global _programs
    _programs += event == COMPILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    cost, before, programs = _costs[item.nodeid.split("::")[0]], _seconds(), _programs
    result = yield
    cost["seconds"] += _seconds() - before
    cost["programs"] += _programs - programs
    cost["tests"] += 1
    cost["memory"] = max(cost["memory"], _megabytes())
    return result


def _seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _megabytes() -> float:
    if sys.platform == "linux":
        with open("/proc/self/statm") as sizes:
            return int(sizes.read().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # the most so far, in bytes on macOS


def pytest_terminal_summary(terminalreporter) -> None:
    line = "{seconds:9.1f} {tests:6d} {programs:9d} {memory:7.0f}  {file}".format
    terminalreporter.write_line("  seconds  tests  programs  memory  file")
    for file, cost in sorted(_costs.items(), key=lambda pair: -pair[1]["seconds"]):
        terminalreporter.write_line(line(file=file, **cost))
    total = {name: sum(cost[name] for cost in _costs.values()) for name in ("seconds", "tests", "programs")}
    most = max((cost["memory"] for cost in _costs.values()), default=0.0)
    terminalreporter.write_line(line(file="all", memory=most, **total))
