"""MPS and QPS: a row for every rule of the format, for every place where readers differ, and for every error."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argflux.errors import DataError
from argflux.programs.files.contents import Contents
from argflux.programs.files.mps import read_mps

INF = np.inf
TWO = """NAME t
ROWS
 N obj
 L c1
COLUMNS
 x obj 1 c1 1
 y obj 1 c1 1
RHS
 RHS c1 10
"""


def body(text: str = "", start: str = TWO) -> str:
    return f"{start}{text}\nENDATA\n"


def rows(*kinds: str, ranges: str = "") -> str:
    """A row of each kind with right-hand side 10."""
    names = [f"r{k}" for k in range(len(kinds))]
    lines = ["ROWS", " N obj", *(f" {kind} {name}" for kind, name in zip(kinds, names, strict=True)), "COLUMNS"]
    lines += [*(f" x {name} 1" for name in names), "RHS", *(f" RHS {name} 10" for name in names)]
    return "\n".join([*lines, "RANGES", *ranges.split("\n"), "ENDATA"])


def read(text: str) -> Contents:
    return read_mps(text, "t.mps")


def box(contents: Contents) -> list:
    return [contents.lower[0], contents.upper[0]]


def test_all_parts_are_read():
    c = read(body("BOUNDS\n UP B x 4\nQUADOBJ\n x x 4\n x y 1"))
    assert (c.name, c.objective, c.columns, c.rows) == ("t", "obj", ("x", "y"), ("c1",))
    assert (c.maximised, c.constant, c.integers, c.notes) == (False, 0.0, (), ())
    np.testing.assert_array_equal(c.cost, [1, 1])
    np.testing.assert_array_equal(c.matrix, [[0, 0], [0, 1], [1, 1]])
    np.testing.assert_array_equal([c.rhs, c.below, c.above], [[10], [-INF], [0]])
    np.testing.assert_array_equal([c.lower, c.upper], [[0, 0], [4, INF]])
    np.testing.assert_array_equal(c.quadratic, [[0, 0, 1], [0, 1, 0], [4, 1, 1]])


BOUNDS = [
    ("", [0, INF]),
    (" UP B x 0", [0, 0]),
    (" UP B x -2\n LO B x -5", [-5, -2]),
    (" LO B x -5\n UP B x -2", [-5, -2]),
    (" MI B x", [-INF, INF]),
    (" MI B x\n UP B x 4", [-INF, 4]),
    (" UP B x 4\n MI B x", [-INF, 4]),
    (" FR B x", [-INF, INF]),
    (" FX B x 3", [3, 3]),
    (" PL B x", [0, INF]),
    (" LO B x 1.5D0", [1.5, INF]),
    (" UP B x 1e30", [0, INF]),
    (" UP B x 1e19", [0, 1e19]),
    (" UP B x Inf", [0, INF]),
    (" LO B x -1e30", [-INF, INF]),
    (" UP x 5", [0, 5]),
    (" FR x", [-INF, INF]),
    (" FR B x 0", [-INF, INF]),
    (" up B x 5", [0, 5]),
    ("* a comment\n\n UP B x 5 $ another", [0, 5]),
]


@pytest.mark.parametrize(("text", "expected"), BOUNDS)
def test_bounds(text, expected):
    assert box(read(body(f"BOUNDS\n{text}"))) == expected


RANGES = [
    ("E", 3, (0, 3)), ("E", -3, (-3, 0)), ("E", 0, (0, 0)), ("L", 3, (-3, 0)), ("L", -3, (-3, 0)), ("G", 3, (0, 3)),
    ("G", -3, (0, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "span", "expected"), RANGES)
@pytest.mark.parametrize("order", ["after", "before"])
def test_ranges_may_stand_before_the_right_hand_sides(kind, span, expected, order):
    text = rows(kind, ranges=f" RNG r0 {span}")
    if order == "before":
        start, sides, ranges = text.partition("RHS\n RHS r0 10\n")
        text = start + ranges.replace("ENDATA", "") + sides + "ENDATA"
    c = read(text)
    np.testing.assert_array_equal([c.rhs[0], c.below[0], c.above[0]], [10, *expected])


SENSES = [
    ("", False), ("OBJSENSE\n MAX\n", True), ("OBJSENSE\n    MAXIMIZE\n", True), ("OBJSENSE\n max\n", True),
    ("OBJSENSE MAX\n", True), ("OBJSENSE MAXIMIZE\n", True), ("OBJSENSE\n MIN\n", False), ("*SENSE: Maximize\n", False),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), SENSES)
@pytest.mark.parametrize("place", ["ROWS", "COLUMNS", "RHS", "ENDATA"])
def test_the_sense_counts_wherever_it_stands(line, expected, place):
    assert read(body().replace(f"\n{place}\n", f"\n{line}{place}\n", 1)).maximised is expected


def test_the_objective_is_the_first_free_row_or_the_one_that_is_named():
    text = body().replace(" N obj\n", " N other\n N obj\n").replace(" x obj 1", " x obj 1 other 5\n x")
    first, named = read(text), read("OBJNAME\n obj\n" + text)
    assert (first.objective, named.objective) == ("other", "obj")
    np.testing.assert_array_equal([first.cost, named.cost], [[5, 0], [1, 1]])
    assert "obj" in first.notes[0]
    assert read("OBJNAME obj\n" + text).objective == "obj"


def test_the_constant_is_minus_the_side_of_the_objective():
    c = read(body(" RHS obj 7"))
    assert c.constant == -7
    assert "GLPK" in c.notes[0]
    assert read("OBJSENSE\n MAX\n" + body(" RHS obj 7")).constant == -7
    other = read(body(" RHS free 3").replace(" N obj", " N obj\n N free"))
    assert other.constant == 0


QUADRATIC = [
    ("QUADOBJ\n x x 4\n x y 1\n y y 6", [[4, 1], [1, 6]]),
    ("QUADOBJ\n x x 4\n y x 1\n y y 6", [[4, 1], [1, 6]]),
    ("QUADOBJ\n x x 4 y 1\n y y 6", [[4, 1], [1, 6]]),
    ("QMATRIX\n x x 4\n x y 1\n y x 1\n y y 6", [[4, 1], [1, 6]]),
    ("QSECTION obj\n x x 4\n x y 1\n y y 6", [[4, 1], [1, 6]]),
    ("QSECTION\n x y 1", [[0, 1], [1, 0]]),
]


@pytest.mark.parametrize(("text", "expected"), QUADRATIC)
def test_quadratic_objectives(text, expected):
    q = read(body(text)).quadratic
    dense = np.zeros((2, 2))
    dense[q.rows, q.columns] = q.values
    np.testing.assert_array_equal(dense, expected)


NOTED = [
    ("BOUNDS\n UP B x -2", r"upper bound of x is negative.*CLP"),
    ("BOUNDS\n UP B1 x 5\n UP B2 y 4", r"BOUNDS: the set B1 was read, B2"),
    (" RHS2 c1 12", r"RHS: the set RHS was read, RHS2"),
    ("RANGES\n R obj 4", r"RANGES of rows of kind N"),
]


@pytest.mark.parametrize(("text", "note"), NOTED)
def test_what_others_read_otherwise_is_noted(text, note):
    import re

    (found,) = read(body(text)).notes
    assert re.search(note, found)


WHOLE = """ROWS
 N obj
 L c1
COLUMNS
 x obj 1 c1 1
 M1 'MARKER' 'INTORG'
 y obj 1 c1 1
 M2 'MARKER' 'INTEND'
RHS
 RHS c1 10
"""
LIFTED = [("", [0, 1]), (" PL B y", [0, INF]), (" LO B y 2", [2, INF]), (" MI B y", [-INF, INF])]


@pytest.mark.parametrize(("text", "expected"), LIFTED)
def test_integer_columns_are_within_one_unless_a_bound_lifts_it(text, expected):
    c = read(body(f"BOUNDS\n{text}", WHOLE))
    assert ([c.lower[1], c.upper[1]], c.integers) == (expected, ("y",))


def test_bounds_say_too_which_columns_are_integers():
    assert read(body("BOUNDS\n BV B x\n LI B y 2")).integers == ("x", "y")
    c = read(body("BOUNDS\n SC B x 5\n LO B x 2"))
    assert (c.integers, box(c)) == (("x",), [0, 5])


FIXED = """NAME          MY PROBLEM
ROWS
 N  COST
 L  MY ROW
 G  OTHER
COLUMNS
    MY COL    COST               1.5   MY ROW              2.0
    MY COL    OTHER              1.0
    Y         COST               1.0   MY ROW              1.0
RHS
    MY RHS    MY ROW            10.0   OTHER               1.0
BOUNDS
 UP MY BND    MY COL             4.0
ENDATA
"""


def test_names_with_spaces_are_read_by_columns():
    c = read(FIXED)
    assert (c.columns, c.rows) == (("MY COL", "Y"), ("MY ROW", "OTHER"))
    np.testing.assert_array_equal(c.cost, [1.5, 1])
    np.testing.assert_array_equal([c.rhs, c.upper], [[10, 1], [4, INF]])
    np.testing.assert_array_equal(c.matrix.values, [2, 1, 1])
    free = read(FIXED.replace("MY ", "MY_"))
    assert [name.replace("_", " ") for name in free.columns] == list(c.columns)


def test_a_set_whose_name_has_a_space_makes_no_column():
    c = read(FIXED.replace("MY COL", "MY_COL").replace("MY ROW", "MY_ROW").replace("MY PROBLEM", "t"))
    assert (c.columns, box(c)) == (("MY_COL", "Y"), [0, 4])
    np.testing.assert_array_equal(c.rhs, [10, 1])


BAD = [
    ("", r"t\.mps:1: got the end of the file; expected a line ENDATA"),
    (TWO, r"t\.mps:10: got the end of the file; expected a line ENDATA"),
    ("hello world\n", r"t\.mps:1: got a section hello; expected one of NAME"),
    (" x y 1\nENDATA", r"t\.mps:1: got a line of data in no section"),
    ("COLUMNS\nENDATA", r"t\.mps:1: got COLUMNS before ROWS"),
    ("ROWS\nRHS\nENDATA", r"t\.mps:2: got RHS before COLUMNS"),
    (body("SOS\n S1 a x 1"), r"t\.mps:10: got a section SOS"),
    (body("LAZYCONS\n L c2"), r"t\.mps:10: got a section LAZYCONS"),
    (body("INDICATORS\n IF c1 x 1"), r"got a section INDICATORS"),
    (body("RHS\n RHS c1 1"), r"t\.mps:10: got a second section RHS"),
    (body().replace(" L c1", " Q c1"), r"t\.mps:4: got Q c1; expected N, L, G or E"),
    (body().replace(" L c1", " L c1\n G c1"), r"t\.mps:5: got a second row c1"),
    (body().replace(" x obj 1 c1 1", " x obj 1 c9 1"), r"t\.mps:6: got the row c9; expected one of the rows"),
    (body().replace(" x obj 1 c1 1", " x obj 1 c1 1\n x c1 2"), r"t\.mps:7: got a second entry of x in c1"),
    (body().replace(" y obj 1 c1 1", " y obj 1\n x c1 2"), r"t\.mps:8: got column x again, after y"),
    (body().replace(" x obj 1 c1 1", " x obj one"), r"t\.mps:6: got 'one'; expected an entry of x in obj"),
    (body().replace(" x obj 1 c1 1", " x obj nan"), r"t\.mps:6: got 'nan'"),
    (body().replace(" x obj 1 c1 1", " x obj 1e30"), r"t\.mps:6: got an entry of x in obj of 1e30"),
    (body().replace(" x obj 1 c1 1", " x obj 1 c1"), r"t\.mps:6: got 3 words; expected a column, then names"),
    (body(" RHS c1 12"), r"t\.mps:10: got a right-hand side of c1 again"),
    (body(" RHS c9 12"), r"t\.mps:10: got the row c9"),
    (body("BOUNDS\n UP B z 5"), r"t\.mps:11: got a bound on z; expected one of the columns"),
    (body("BOUNDS\n UP B x 5\n UP B x 4"), r"t\.mps:12: got a second upper bound on x"),
    (body("BOUNDS\n FX B x 3\n UP B x 5"), r"t\.mps:12: got a second upper bound on x"),
    (body("BOUNDS\n XX B x 3"), r"t\.mps:11: got a bound of kind XX; expected one of UP, LO"),
    (body("BOUNDS\n UP B x"), r"t\.mps:11: got"),
    (body("BOUNDS\n UP B x 1_0"), r"t\.mps:11: got '1_0'"),
    (body("OBJSENSE\n UPWARDS"), r"t\.mps:11: got the sense 'UPWARDS'; expected MAX or MIN"),
    (body("OBJNAME\n c1"), r"got the objective c1; expected a row of kind N, obj"),
    (body("QUADOBJ\n x y 1\n y x 1"), r"t\.mps:12: got a second quadratic entry of y and x.*one triangle"),
    (body("QUADOBJ\n x x 4\n x x 5"), r"t\.mps:12: got a second quadratic entry of x and x"),
    (body("QUADOBJ\n z z 1"), r"t\.mps:11: got a quadratic entry of z"),
    (body("QMATRIX\n x y 1"), r"got a QMATRIX with 1 for x and y, another number the other way round"),
    (body("QSECTION c1\n x y 1"), r"t\.mps:10: got quadratic terms of the row c1; expected a quadratic objective"),
    (body("RHS 7\n"), r"t\.mps:10: got '7' behind RHS"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_wrong_is_named_with_its_line(text, message):
    with pytest.raises(DataError, match=message):
        read(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_text_is_contents_or_an_error(data):
    lines = body("RANGES\n R c1 4\nBOUNDS\n UP B x 4\n FR B y\nQUADOBJ\n x y 1").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        words = lines[at].split(" ")
        change = data.draw(st.sampled_from(["drop", "twice", "word", "swap", "cut"]))
        if change == "drop":
            lines[at : at + 1] = [""]
        elif change == "twice":
            lines.insert(at, lines[at])
        elif change == "word":
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.text(max_size=4))
            lines[at] = " ".join(words)
        elif change == "swap":
            lines[at], lines[0] = lines[0], lines[at]
        else:
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
    try:
        found = read("\n".join(lines))
    except DataError:
        return
    numbers = [v for f in dataclasses.fields(found) if isinstance(v := getattr(found, f.name), np.ndarray)]
    assert not any(np.isnan(v).any() for v in numbers)
