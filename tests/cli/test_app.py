import re
import subprocess
import sys

import pytest

import argflux.cli.app as app
from argflux.errors import DataError
from tests.cli.terminal import COMMAND, fails, run

BARE = """
import sys, types
package = types.ModuleType("argflux")
package.__path__ = [{path!r}]
sys.modules["argflux"] = package
from argflux.cli import main
code = main({arguments})
print("loaded:", *[name for name in ("jax", "matplotlib", "sklearn", "equinox", "optax") if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_shows_verbs_and_examples(capsys, arguments):
    code, shown, _ = run(capsys, *arguments)
    assert code == 0
    for text in ("demo", "train", "--version", "--debug", "Examples:", "argflux train moons"):
        assert text in shown


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["--version"], ["train", "moons", "--rule", "x"]]
)
def test_nothing_heavy_is_imported_for_help_or_a_slip(arguments):
    """The command line by itself; what the package's own __init__ imports is not its concern."""
    path = app.__file__.removesuffix("/cli/app.py")
    code = BARE.format(path=path, arguments=arguments)
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "loaded:"


def test_version(capsys):
    code, shown, _ = run(capsys, "--version")
    assert code == 0
    assert re.fullmatch(r"argflux \d+\.\d+\.\d+\n", shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["demos"], "Did you mean 'demo'"),
        (["--fast"], "No such option: --fast"),
        (["train"], "Missing argument"),
        (["train", "moons", "extra"], "unexpected extra argument"),
        (["train", "moons", "--epoch", "3"], "No such option: --epoch .*--epochs"),
    ],
)
def test_misuse_is_one_line_and_code_2(capsys, arguments, message):
    assert re.match(f"error: .*{message}.*see argflux --help", fails(capsys, 2, *arguments))


def raising(error):
    def verb(**_):
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("a\nb", "c", "do d", where="file"), 1, "error: file: got a b; expected c; do d"),
        (
            RuntimeError("[red]odd[/red]"),
            70,
            r"error: internal error: RuntimeError: [red]odd[/red]; run again with --debug",
        ),
        (OSError(28, "No space left on device", "x.png"), 1, "error: x.png: got No space left on device; expected"),
        (KeyboardInterrupt(), 130, "interrupted: nothing was written yet"),
    ],
)
def test_failures_of_a_verb(capsys, monkeypatch, error, code, line):
    monkeypatch.setattr(app, "app", raising(error))
    assert fails(capsys, code, "demo").startswith(line)


@pytest.mark.parametrize("place", [0, 1])
def test_debug_shows_the_traceback_before_the_line(capsys, monkeypatch, place):
    monkeypatch.setattr(app, "app", raising(RuntimeError("odd")))
    arguments = ["demo"]
    arguments.insert(place, "--debug")
    code, _, errors = run(capsys, *arguments)
    assert code == 70
    assert errors.startswith("Traceback")
    assert "internal error: RuntimeError: odd" in errors.splitlines()[-1]


def test_closed_pipe_is_no_complaint():
    line = (
        f'{sys.executable} -c \'from argflux.cli import main; import sys; sys.exit(main(["train", "--help"]))\' | true'
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stderr == ""


def test_plain_text_in_a_pipe_even_in_ascii():
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run([*COMMAND, "train", "--help"], capture_output=True, env=environment)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout
