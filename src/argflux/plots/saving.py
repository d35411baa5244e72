"""Writing a figure to a file."""

import os
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from argflux.errors import ArgumentError, OutputError
from argflux.keywords import explained


@explained
def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 160) -> Path:
    """Write a figure to a file, in the format its ending names.

    Args:
        figure: any matplotlib figure.
        path: a file that ends in .png, .svg, .pdf or another of matplotlib's formats, in an existing folder.
        dpi: pixels an inch, for formats made of pixels.

    Returns:
        The path.

    Raises:
        ArgumentError: for an ending that names no format.
        OutputError: when the file cannot be written.

    Example:
        >>> from argflux.plots import loss_curve, save_figure
        >>> save_figure(loss_curve([2.0, 1.0]), "loss.png")  # doctest: +SKIP
        PosixPath('loss.png')
    """
    path = Path(path)
    kind, known = path.suffix.removeprefix(".").lower(), figure.canvas.get_supported_filetypes()
    if kind not in known:
        got, todo = f"the ending {path.suffix!r}", "name the file like loss.png"
        raise ArgumentError(got, f"one of {', '.join(sorted(known))}", todo, where=str(path))
    if not dpi >= 1:
        raise ArgumentError(f"dpi={dpi!r}", "at least 1", "leave it out for 160", where=str(path))
    drawn = BytesIO()
    figure.savefig(drawn, format=kind, dpi=dpi)
    try:
        path.write_bytes(drawn.getvalue())
    except OSError as error:
        got, todo = str(error.strerror or error), "pass another path, or make room and allow writing there"
        raise OutputError(got, "a folder that can be written to", todo, where=str(path)) from error
    return path
