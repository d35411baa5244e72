"""Run every benchmark in turn, or the named ones: `python -m benchmarks [NAME …]`."""

import importlib
import sys
from pathlib import Path

SCRIPTS = [p for p in sorted(Path(__file__).parent.glob("*.py")) if "\ndef main(" in p.read_text(encoding="utf-8")]


def main(names: list[str]) -> None:
    available = [script.stem for script in SCRIPTS]
    if unknown := sorted(set(names) - set(available)):
        raise SystemExit(f"got {', '.join(unknown)}; expected names among {', '.join(available)}")
    for name in names or available:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
