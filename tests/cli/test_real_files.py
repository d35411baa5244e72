"""argflux solve on files of the collection of Maros and Mészáros: the objectives that they published."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import run

FOLDER = Path(__file__).parent / "maros"
PUBLISHED = {
    "CVXQP1_S": 1.15907181e4,
    "GENHS28": 9.27173694e-1,
    "HS21": -9.996e1,
    "HS35": 1.11111111e-1,
    "HS51": 0.0,
    "HS53": 4.09302326,
    "HS76": -4.68181818,
    "LOTSCHD": 2.39841590e3,
    "QADLITTL": 4.80318859e5,
    "QAFIRO": -1.59078179,
    "QPCBLEND": -7.84254092e-3,
    "QSCAGR7": 2.68659485e7,
    "TAME": 0.0,
    "ZECEVIC2": -4.125,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_objective(name, tmp_path, capsys):
    run(capsys, "solve", str(FOLDER / f"{name}.qps"), "--json", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["status"] == "SOLVED"
    assert abs(found["objective"] - PUBLISHED[name]) < 5e-9 * max(1.0, abs(PUBLISHED[name])) + 5e-9
