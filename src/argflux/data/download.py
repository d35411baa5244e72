"""Files fetched from public mirrors: checked against a checksum, and put in place whole or not at all."""

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from argflux.data.idx import unpack
from argflux.errors import DataError, OutputError

TIMEOUT = 15.0
ROUNDS = 2


def cache_folder() -> Path:
    """Return the folder in which this platform keeps what a program can fetch again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "argflux"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "argflux" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "argflux"


def download(name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> Path:
    """Fetch `name` from the first mirror that has the right content, and return where it lies.

    The checksum is that of the unpacked content, since mirrors may compress the same file differently.

    Raises:
        DataError: when no mirror answered with that content, with every mirror's reason.
        OutputError: when the folder cannot be written.
    """
    reasons = {}
    for mirror in list(mirrors) * ROUNDS:
        try:
            content = fetch(mirror + name)
            check_content(content, sha256, mirror + name)
        except (OSError, http.client.HTTPException, DataError) as error:
            reasons[mirror] = str(error)
        else:
            return write_whole(folder / name, content)
    raise DataError(
        f"no {name} from any mirror (" + "; ".join(f"{key}: {why}" for key, why in reasons.items()) + ")",
        f"one of them to answer with the file of SHA-256 {sha256[:12]}…",
        "connect to the network, or put the files into a folder and name it in $ARGFLUX_DATA",
        where=str(folder),
    )


def fetch(url: str) -> bytes:
    """Return what an address answers with."""
    request = urllib.request.Request(url, headers={"User-Agent": "argflux"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return answer.read()


def check_content(content: bytes, sha256: str, where: str) -> None:
    """Raise DataError unless the unpacked content has this SHA-256."""
    found = hashlib.sha256(unpack(content, where)).hexdigest()
    if found != sha256:
        got = f"{len(content)} bytes with SHA-256 {found[:12]}…"
        raise DataError(got, f"SHA-256 {sha256[:12]}…", "use another mirror", where=where)


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file beside its place and move it there, so that no reader ever sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        got, todo = error.strerror or str(error), "name a folder that you can write, or free some space"
        raise OutputError(got, "a folder that can be written", todo, where=str(path.parent)) from error
    return path
