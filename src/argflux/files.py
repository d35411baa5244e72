"""Files that are either whole or not there: written beside their place, then moved into it."""

import contextlib
import os
from pathlib import Path

from argflux.errors import OutputError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file in one move, so that whoever looks sees the old one or the new one, never a part.

    Raises:
        OutputError: when the folder cannot be made or written to, naming it.
    """
    path = Path(path)
    if not path.name:
        raise OutputError(f"the path {str(path)!r}", "one that ends with a name", "name the file", where="write")
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        got, todo = f"{type(error).__name__}: {error.strerror or error}", "choose another folder"
        raise OutputError(got, "a place that can be written to", todo, where=str(path)) from error
