"""What the command line prints with: plain text where no person looks at a terminal."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


def say(*parts: Any, style: str = "") -> None:
    """Print to stdout as it is: no markup, no line breaks of its own."""
    Console(highlight=False, soft_wrap=True).print(*parts, style=style, markup=False, emoji=False)


def complain(text: str, kind: str = "error") -> None:
    """Print one line about a failure to stderr."""
    _stderr().print(Text.assemble((f"{kind}: ", "bold red"), " ".join(text.split())))


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal what is at work, and for how long."""
    console = _stderr()
    if not console.is_terminal:
        yield
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=False) as progress:
        progress.add_task(text, total=None)
        yield


def tabulate(columns: list[str], rows: list[list[str]], title: str = "") -> None:
    """Print a table to stdout, its first column left, the others right."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    say()
    Console(highlight=False, width=None if Console().is_terminal else 200).print(table)
    say()


def list_files(files: dict[str, Any]) -> None:
    """Print where each result lies, one line a file."""
    width = max(map(len, files))
    for name, path in files.items():
        say(f"{name:<{width}}  {path}")


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)
