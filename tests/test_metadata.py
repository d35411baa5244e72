"""What pyproject.toml states: the versions that the pinned and the oldest environments install fit it."""

import pathlib
import re
import runpy
import tomllib

import jax
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
STATED = [*PROJECT["dependencies"], *(line for group in PROJECT["optional-dependencies"].values() for line in group)]


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def pinned(name: str) -> dict[str, str]:
    return dict(line.lower().split("==") for line in (ROOT / name).read_text().split())


@pytest.mark.parametrize("stated", STATED)
def test_pinned_versions_lie_within_the_bounds_and_the_oldest_at_them(stated):
    package, low, high = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<([\d.]+))?", stated).groups()
    assert number(pinned("constraints-oldest.txt")[package]) == number(low)
    assert number(low) <= number(pinned("constraints.txt")[package]) < number(high or "9999")


def test_the_oldest_versions_are_made_from_the_metadata():
    made = runpy.run_path(str(ROOT / ".ci" / "oldest.py"))["constraints"]()
    assert (ROOT / "constraints-oldest.txt").read_text() == made, "run python .ci/oldest.py > constraints-oldest.txt"


def test_this_jax_is_one_of_those_stated():
    low, high = re.search(r"jax>=([\d.]+),<([\d.]+)", " ".join(STATED)).groups()
    assert number(low) <= jax.__version_info__ < number(high)


def test_every_python_that_is_stated_is_tried():
    tried = (ROOT / "Makefile").read_text()
    versions = [line.removeprefix("Programming Language :: Python :: ") for line in PROJECT["classifiers"]]
    assert all(f"python{version}" in tried for version in versions if re.fullmatch(r"3\.\d+", version))
