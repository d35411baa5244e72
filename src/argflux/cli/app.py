"""The command `argflux`: its verbs, and how it ends."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from argflux.cli.demo import demo
from argflux.cli.failures import INTERRUPTED, explain
from argflux.cli.solve import EXAMPLES as SOLVE_EXAMPLES
from argflux.cli.solve import solve
from argflux.cli.study import EXAMPLES as STUDY_EXAMPLES
from argflux.cli.study import study
from argflux.cli.train import EXAMPLES as TRAIN_EXAMPLES
from argflux.cli.train import train

app = typer.Typer(add_completion=False, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
app.command()(demo)
app.command(epilog=TRAIN_EXAMPLES)(train)
app.command(epilog=STUDY_EXAMPLES)(study)
app.command(epilog=SOLVE_EXAMPLES)(solve)

DEBUG = "--debug"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"argflux {version('argflux')}")
        raise typer.Exit()


EXAMPLES = """\b
Examples:
  argflux demo
  argflux train moons
  argflux train --help
  argflux study digits
  argflux solve plan.mps
"""


@app.callback(epilog=EXAMPLES)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; works after a verb too.")] = False,
) -> None:
    """Neural networks whose layers can be optimisation problems."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done. 1: the data, a file or the training failed. 2: the command was given wrongly. 70: a defect of
    argflux. 130: interrupted with Ctrl-C. Every failure is one line on stderr; with `--debug` the traceback
    comes before it.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Example:
        >>> from argflux.cli import main
        >>> main(["--version"])
        argflux 0.1.0
        0
    """
    given = list(sys.argv[1:] if argv is None else argv)
    debug = DEBUG in given
    arguments = [argument for argument in given if argument != DEBUG] or ["--help"]
    _never_fail_on_encoding()
    try:
        code = app(args=arguments, prog_name="argflux", standalone_mode=False) or 0
        return explain(KeyboardInterrupt(), debug) if code == INTERRUPTED else code
    except (Exception, KeyboardInterrupt) as error:
        return explain(error, debug)


def _never_fail_on_encoding() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
