"""Settings kept as JSON beside the results: written whole, and read only by the command that wrote them."""

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from argflux.errors import LoadError

T = TypeVar("T")


def write_settings(path: Path, settings: Any) -> None:
    """Write settings, a dataclass.

    Raises:
        OutputError: when the file cannot be written.
    """
    from argflux.files import write_atomically

    write_atomically(path, (json.dumps(asdict(settings), indent=2) + "\n").encode())


def read_settings(path: Path, make: type[T], command: str, tuples: Sequence[str]) -> T:
    """Read settings that `write_settings` wrote.

    Args:
        path: of the file.
        make: the dataclass.
        command: what wrote it, such as "argflux train".
        tuples: the names of fields that are tuples.

    Raises:
        LoadError: when the file is missing, damaged or of another command.
    """
    expected, todo = f"the settings of {command}", "pass the folder that its --out named"
    try:
        kept = json.loads(path.read_text())
    except OSError as error:
        raise LoadError(error.strerror or str(error), expected, todo, where=str(path)) from error
    except ValueError as error:
        raise LoadError(f"no JSON: {error}", expected, todo, where=str(path)) from error
    known = fields(make)  # type: ignore[arg-type]
    needed = {field.name for field in known if field.default is MISSING and field.default_factory is MISSING}
    found = set(kept) if isinstance(kept, dict) else set()
    names = {field.name for field in known}
    if found - names or needed - found:
        got = f"other settings, with {_listed(found - names)} and without {_listed(names - found)}"
        raise LoadError(got, expected, todo, where=str(path))
    try:
        return make(**kept | {name: tuple(kept[name]) for name in tuples if name in kept})
    except (ValueError, TypeError) as error:
        raise LoadError(f"settings out of range: {error}", expected, todo, where=str(path)) from error


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
