"""The pages: printed output is what the code prints, links lead somewhere, the reference is complete, it builds."""

import contextlib
import io
import pathlib
import re
import subprocess
import sys

import pytest

import argflux

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)])
RUN = [page for page in PAGES if "```python" in page.read_text()]
BLOCK = re.compile(r"^```(\w*|\{[\w-]+\}[^\n]*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(page: pathlib.Path) -> str:
    return str(page.relative_to(ROOT))


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def normal(text: str) -> list[str]:
    """Return the lines without the columns of spaces and the places that depend on where a block is run."""
    lines = [re.sub(r" +# \S+:\d+ ", "  # ", line) for line in text.strip().splitlines()]
    return [re.sub(r"called at \S+:\d+", "called at", line).rstrip() for line in lines]


@pytest.mark.parametrize("page", RUN, ids=name)
def test_printed_output_is_what_the_code_prints(page, tmp_path, monkeypatch):
    if "'argflux[sparse]'" in page.read_text():
        pytest.importorskip("asdex", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    argflux.seed(0)  # as in a fresh session
    names: dict = {"__name__": "page"}
    printed, compared = "", 0
    for kind, body in BLOCK.findall(page.read_text()):
        if kind == "python":
            stdout = io.StringIO()
            with contextlib.redirect_stdout(stdout):
                exec(compile(body, "fit.py", "exec"), names)
            printed = stdout.getvalue()
        elif kind == "text" and printed:
            assert normal(body) == normal(printed)
            printed, compared = "", compared + 1
    assert compared or page.name not in ("README.md", "moons.md", "until.md", "gradients.md", "training.md")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(BLOCK.sub("", page.read_text())):
        if target.startswith("http"):
            continue
        file, _, place = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.M)
            assert place in map(anchor, headings), target


def test_every_public_name_is_in_the_reference():
    text = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    listed = set(re.findall(r"^\.\. auto\w+:: argflux\.(?:[a-z]+\.)?(\w+)", text, re.M)) | set(
        re.findall(r"`a(?:f|rgflux)\.(\w+)`", text)
    )
    assert not set(argflux.__all__) - listed


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.png")), ids=name)
def test_pictures_are_small_and_used(picture):
    assert picture.stat().st_size <= 150_000
    assert any(f"{picture.parent.name}/{picture.name}" in page.read_text() for page in PAGES)


def test_every_folder_is_in_the_picture_of_the_house():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    folders = [path.parent for path in (ROOT / "src/argflux").glob("*/__init__.py")]
    assert not [folder.name for folder in folders if f"`src/argflux/{folder.name}/`" not in text]


def test_contributing_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 60


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path):
    build = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "-q",
        "-d",
        str(tmp_path / "trees"),
        str(DOCS),
        str(tmp_path / "pages"),
    ]
    result = subprocess.run(build, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "argflux" in (tmp_path / "pages/index.html").read_text()


def test_the_page_of_the_command_line_lists_every_option():
    import inspect

    from argflux.cli.app import app

    text = (DOCS / "command_line.md").read_text()
    sections = dict(re.findall(r"^## `argflux (\w+)[^`]*`$(.*?)(?=^## |\Z)", text, re.M | re.S))
    verbs = {command.callback.__name__: command.callback for command in app.registered_commands}
    assert set(sections) == set(verbs)
    for verb, function in verbs.items():
        listed = re.findall(r"^\| `--([\w-]+)", sections[verb], re.M)
        assert sorted(listed) == sorted(set(inspect.signature(function).parameters) - {"dataset", "file"})


def test_the_description_for_package_indexes_leads_nowhere_else():
    text = (DOCS / "package.md").read_text()
    assert not LINK.findall(text)
    assert 'readme = "docs/package.md"' in (ROOT / "pyproject.toml").read_text()
