"""What every benchmark writes: a table on the terminal, and the same rows with the machine as JSON in results/."""

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def machine(*packages: str) -> dict:
    """Describe the machine: processor, cores that this process may use, devices, versions."""
    versions = {name: importlib.metadata.version(name) for name in ("argflux", "jax", "jaxlib", *packages)}
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": sorted({d.device_kind for d in jax.devices()}),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def publish(name: str, title: str, rows: Sequence[dict], packages: Sequence[str] = ()) -> None:
    """Print rows (dicts with the same keys) as a table and write them to `results/NAME.json`."""
    where = machine(*packages)
    table = Table(title=title, caption=f"{where['processor']}, {where['cores']} cores, jax {where['versions']['jax']}")
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"benchmark": name, "title": title, "machine": where, "rows": list(rows)}, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
