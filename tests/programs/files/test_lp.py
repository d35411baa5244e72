"""LP files: what is read, what is noted and what is refused, beside HiGHS where its reading is right."""

import re

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argflux.errors import DataError
from argflux.programs.files.contents import Contents
from argflux.programs.files.lp import read_lp

inf = float("inf")
ROWS = "\nst\n c: x + y <= 10\n"  # two columns and a row, for what stands before and behind


def held(contents: Contents) -> dict:
    """Every field as lists; matrices as a dictionary of their entries."""
    fields = {name: getattr(contents, name) for name in contents.__dataclass_fields__}
    for name in ("matrix", "quadratic"):
        rows, columns, values = (part.tolist() for part in fields[name])
        fields[name] = dict(zip(zip(rows, columns, strict=True), values, strict=True))
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in fields.items()}


VALID = [
    (
        "\\ a comment\nMaximize\n profit: 3 x + 2.5y - z + 4\nSubject To\n a: x + y <= 10\n b: x - 2 z >= -1\n"
        "c: y + z = 3 \\ again\nBounds\n -1 <= x <= 5\n y free\n z <= 4\nGeneral\n x\nEnd\n",
        {
            "name": "", "objective": "profit", "maximised": True, "constant": 4.0, "columns": ("x", "y", "z"),
            "rows": ("a", "b", "c"), "cost": [3, 2.5, -1], "rhs": [10, -1, 3], "below": [-inf, 0, 0],
            "above": [0, inf, 0], "lower": [-1, -inf, 0], "upper": [5, inf, 4], "integers": ("x",), "quadratic": {},
            "matrix": {(0, 0): 1, (0, 1): 1, (1, 0): 1, (1, 2): -2, (2, 1): 1, (2, 2): 1}, "notes": (),
        },
    ),
    # keywords
    *((f"{word} x{ROWS}end", {"maximised": False, "cost": [1, 0], "notes": ()})
      for word in ("min", "MINIMUM", "minimize")),
    *((f"{word}\nx{ROWS}end", {"maximised": True, "cost": [1, 0], "notes": ()})
      for word in ("max", "Maximum", "maximize")),
    ("maximise x" + ROWS + "end", {"maximised": True, "cost": [1, 0], "notes": 1}),
    ("Minimise x" + ROWS + "end", {"maximised": False, "cost": [1, 0], "notes": 1}),
    *((f"min x\n{word}\nc: x >= 1\nend", {"rows": ("c",)})
      for word in ("st", "st.", "S.T.", "such that", "Subject  to")),
    ("min x\nst c: x >= 1\nbounds x <= 4\nend", {"rhs": [1], "upper": [4]}),
    ("min x\nbounds\nx >= 2\nend", {"rows": (), "lower": [2], "matrix": {}}),
    ("min\nst\nc: x >= 1\nend", {"cost": [0], "objective": "obj"}),
    ("min x + free + bounds2\nst\nst: x + free >= 1\nbounds\nfree free\nend",
     {"columns": ("x", "free", "bounds2"), "rows": ("st",), "lower": [0, -inf, 0]}),
    # numbers, names, signs
    ("min 3e2x + .5 y + 2.E-1z + 1e5 e5 + 2 e" + ROWS + "end",
     {"cost": [300, 0.5, 0.2, 1e5, 2], "columns": ("x", "y", "z", "e5", "e")}),
    ("min x - - y + -3 z - 2 * w" + ROWS + "end", {"cost": [1, 1, -3, -2], "notes": ()}),
    ("min 2\n x +\n\n y" + ROWS + "end", {"cost": [2, 1]}),
    ("min x(1,2) + größe + _a + #b" + ROWS + "end", {"columns": ("x(1,2)", "größe", "_a", "#b", "x", "y")}),
    ("min 0x1 + 0 x2 + x" + ROWS + "end", {"columns": ("x1", "x2", "x", "y"), "cost": [0, 0, 1, 0], "notes": 1}),
    ("min infeed + Nano + x" + ROWS + "end",
     {"columns": ("infeed", "Nano", "x", "y"), "cost": [1, 1, 1, 0], "notes": 1}),
    ("min 0 x" + ROWS + "d: 0 x + y >= 1\nend",
     {"columns": ("x", "y"), "matrix": {(0, 0): 1, (0, 1): 1, (1, 0): 0, (1, 1): 1}}),
    ("min x\r\nst\r\nc: x >= 1\r\nend\r\n", {"columns": ("x",), "rhs": [1]}),
    # the objective
    ("min 5 + x - 2" + ROWS + "end", {"constant": 3.0, "cost": [1, 0]}),
    ("min 2 x + 3 y + x" + ROWS + "end", {"cost": [3, 3], "notes": 1}),
    ("min x - x" + ROWS + "end", {"cost": [0, 0], "notes": 1}),
    ("min [ x^2 + 2 x*y ] / 2" + ROWS + "end",
     {"quadratic": {(0, 0): 1, (0, 1): 1, (1, 0): 1}, "cost": [0, 0], "notes": ()}),
    ("min [ x^2 + x * y\n + y*x + 3 * x ^ 2 ] / 2" + ROWS + "end", {"quadratic": {(0, 0): 4, (0, 1): 1, (1, 0): 1}}),
    ("max y - [ 4 x^2 - y*x ]/2 + [ y^2 ]/2.0 + 1" + ROWS + "end",
     {"quadratic": {(0, 0): 1, (0, 1): 0.5, (1, 0): 0.5, (1, 1): -4}, "columns": ("y", "x"), "constant": 1.0}),
    ("min [ x*x ] / 2" + ROWS + "end", {"quadratic": {(0, 0): 1}}),
    # rows
    *((f"min x\nst\nc: x {sign} 2\nend", {"below": [-inf], "above": [0]}) for sign in ("<=", "<", "=<", "< =")),
    *((f"min x\nst\nc: x {sign} 2\nend", {"below": [0], "above": [inf]}) for sign in (">=", ">", "=>")),
    ("min x\nst\n1 <= x + y <= 3\n3 > x > 1\nend",
     {"rhs": [3, 3], "below": [-2, -2], "above": [0, 0], "rows": ("R1", "R2")}),
    ("min x\nst\nc: 1 <= x\n<= 3\nend", {"rhs": [3], "below": [-2]}),
    ("min x\nst\nc: 10 >= x + y\nend", {"rhs": [10], "below": [-inf], "above": [0], "matrix": {(0, 0): 1, (0, 1): 1}}),
    ("min x\nst\nc: x + 2 y <= y + 3 - z\nend", {"rhs": [3], "matrix": {(0, 0): 1, (0, 1): 1, (0, 2): 1}, "notes": ()}),
    ("min x\nst\nx >= 2 + y\nz <= 3\n1 <= 2 x <= 3\nend", {"rhs": [2, 3, 3], "below": [0, -inf, -2], "notes": 1}),
    ("min x\nst\nc: x <= 2 y + 3*z\nend", {"matrix": {(0, 0): 1, (0, 1): -2, (0, 2): -3}}),
    ("min x + y\nst\nc: x <= 2y\nend", {"matrix": {(0, 0): 1, (0, 1): -2}}),
    ("min x\nst\nc: x <= x + y\nend", {"rhs": [0], "matrix": {(0, 0): 0, (0, 1): -1}}),
    ("min x\nst\nc: x + y + 3 <= 9\nend", {"rhs": [6], "notes": 1}),
    ("min x\nst\nc: x + y <= 10 - 1\nx <= 3\nend", {"rhs": [9, 3], "notes": 1}),
    ("min x\nst\nc: 3 - x = 1\nend", {"rhs": [-2], "matrix": {(0, 0): -1}, "notes": 1}),
    ("min x\nst\nc: 1 <= x + 2 <= 4\nend", {"rhs": [2], "below": [-3], "notes": 1}),
    ("min x\nst\nc: x + y + 2 x >= 1\nend", {"matrix": {(0, 0): 3, (0, 1): 1}, "notes": ()}),
    ("min x\nst\nR2: x >= 1\nx >= 2\n- x >= -9\nR3: x >= 4\nend",
     {"rows": ("R2", "R2_", "R3_", "R3"), "rhs": [1, 2, -9, 4]}),
    ("min x\nst\na: x >= 1 b: x <= 2\nend", {"rows": ("a", "b"), "rhs": [1, 2]}),
    ("min x\nst\nc: x\n>=\n-\n2\nend", {"rhs": [-2]}),
    ("min x\nst\nc: x <= inf\nd: -Infinity <= x <= 3\ne: 2 <= x <= 1e30\nend",
     {"rhs": [0, 3, 2], "below": [-inf, -inf, 0], "above": [inf, 0, inf]}),
    ("min x\nst\nc: <= 3\nd: 0 >= -1\ne: x >= 1\nend", {"rhs": [3, -1, 1], "matrix": {(2, 0): 1}, "notes": ()}),
    ("min x\nst\nc: 3 = 1\nend", {"rhs": [-2], "matrix": {}, "notes": 1}),
    # bounds
    ("min x" + ROWS + "bounds\n5 >= x >= -1\ny = 3\nend", {"lower": [-1, 3], "upper": [5, 3]}),
    ("min x" + ROWS + "bounds\n-inf <= x <= +infinity\n-1e20 <= y\nend", {"lower": [-inf, -inf], "upper": [inf, inf]}),
    ("min x" + ROWS + "bounds\nx <= -1\n-5 <= y\ny <= -2\nend", {"lower": [0, -5], "upper": [-1, -2], "notes": 1}),
    ("min x" + ROWS + "bounds\nx <= 4\nx <= 5\nx >= 0\nend", {"lower": [0, 0], "upper": [5, inf], "notes": 1}),
    ("min x" + ROWS + "bounds\nx free\nx <= 3\nbounds\n7 = y\nend", {"lower": [-inf, 7], "upper": [3, 7], "notes": 1}),
    # integers
    ("min x" + ROWS + "binaries\nx\ny\nend", {"integers": ("x", "y"), "lower": [0, 0], "upper": [1, 1], "notes": ()}),
    ("min x" + ROWS + "bounds\nx = 1\ny <= 0\nbin\nx y\nend", {"lower": [1, 0], "upper": [1, 0], "notes": ()}),
    ("min x" + ROWS + "bounds\nx <= 5\ny >= -2\nbinary\nx y\nend", {"lower": [0, 0], "upper": [1, 1], "notes": 1}),
    ("min x" + ROWS + "binary\nx\nbounds\nx <= 5\nend", {"lower": [0, 0], "upper": [5, inf], "notes": 1}),
    ("min x" + ROWS + "generals\ny\ninteger\nx y\nend", {"integers": ("y", "x"), "upper": [inf, inf]}),
    ("min x" + ROWS + "bounds\n2 <= x <= 5\nsemi-continuous\nx\nend",
     {"integers": ("x",), "lower": [0, 0], "upper": [5, inf], "notes": 1}),
    # the end
    ("min x" + ROWS + "end\n\\ a comment\n", {"notes": ()}),
    ("min x" + ROWS + "end\n\nmax y | ? \n", {"notes": 1, "maximised": False}),
]  # fmt: skip

BAD = [
    ("", "f.lp:1: got the end of the file; expected minimize or maximize .* it is no LP file"),
    ("\\ only\n\n", "f.lp:3: .*no LP file"),
    ("NAME foo\nROWS\n N c\n", "f.lp:1: got 'NAME'.*no LP file"),
    ("x first\nmin x" + ROWS + "end", "f.lp:1: got 'x'"),
    ("max: 3 x;\nc: x <= 3;\n", "f.lp:1: .*lp_solve"),
    ("min x\nst\nc: x >= 1\n", "f.lp:4: got the end of the file; .*cut off"),
    ("min x\nst\nc: x >= ", "f.lp:3: got the end of the file; .*cut off"),
    ("min x +\nst\nc: x >= 1\nend", "f.lp:2: got st; expected a number or a name"),
    ("min x\nc: x >= 1\nend", "f.lp:2: got 'c'; expected subject to"),
    ("max x + y st c: x <= 3\nend", "f.lp:1: got the keyword st within a line"),
    ("max x\nst\nc: x <= 3end", "f.lp:3: got the keyword end within a line"),
    ("min x\nst\nc: x >= 1\nst\nd: x >= 2\nend", "f.lp:4: got st; expected bounds"),
    ("min x\nmax y\nend", "f.lp:2: got max"),
    # terms
    ("min 2 x y" + ROWS + "end", "f.lp:1: got 'y'; expected a sign"),
    ("min 3 4 x" + ROWS + "end", "f.lp:1: got '4'; expected a sign"),
    ("min 1.2.3 x" + ROWS + "end", "f.lp:1: got '.3'; expected a sign"),
    ("min 3 (x + y)" + ROWS + "end", r"f.lp:1: got a name \(x; .* brackets"),
    ("min (x) + x" + ROWS + "end", r"f.lp:1: got the name x with and without"),
    ("min x + (x)" + ROWS + "end", r"f.lp:1: got the name \(x\) with and without"),
    ("min 2,5 x" + ROWS + "end", "f.lp:1: got a name ,5; .* decimals with a point"),
    ("min x;" + ROWS + "end", "f.lp:1: got a name x;"),
    ("min x²" + ROWS + "end", "f.lp:1: got a name x²"),
    ("min x[1]" + ROWS + "end", r"f.lp:1: got '\['"),
    ("min x | y" + ROWS + "end", r"f.lp:1: got the character '\|'"),
    ("min .x" + ROWS + "end", r"f.lp:1: got the character '\.'"),
    ("min 1e400 x" + ROWS + "end", "f.lp:1: got a coefficient of x of 1e400; expected one below 1e.20"),
    ("min x + inf" + ROWS + "end", "f.lp:1: got an infinite number in a sum"),
    ("min inf" + ROWS + "end", "f.lp:1: got a constant of inf in the objective"),
    ("min x * 3" + ROWS + "end", r"f.lp:1: got '\*'; .* \[ x\^2"),
    ("min x^2" + ROWS + "end", r"f.lp:1: got '\^'; .* \[ x\^2"),
    ("min [ x^2 ]" + ROWS + "end", "f.lp:2: got st; expected / 2 behind ]; .* double their coefficients"),
    ("min [ x^2 ] / 4" + ROWS + "end", "f.lp:1: got '4'; expected / 2 behind ]"),
    ("min [ x^3 ] / 2" + ROWS + "end", "f.lp:1: got '3'; expected the exponent 2"),
    ("min [ x ] / 2" + ROWS + "end", r"f.lp:1: got '\]'; .* outside of"),
    ("min [ x^2 y^2 ] / 2" + ROWS + "end", "f.lp:1: got 'y'; expected a sign or ]"),
    ("min 3 [ x^2 ] / 2" + ROWS + "end", r"f.lp:1: got '\['; .* without a coefficient"),
    ("min [ ] / 2 x" + ROWS + "end", "f.lp:1: got 'x'; expected a sign"),
    # rows
    ("min x\nst\nc: x + y\nd: x >= 1\nend", "f.lp:4: got 'd'; expected <=, >= or = .* begins on line 3"),
    ("min x\nst\nc: x >= 1\nc: x <= 3\nend", "f.lp:4: got a second row c"),
    ("min x\nst\nc: d: x >= 1\nend", "f.lp:3: got 'd'"),
    ("min x\nst\n<= 3\nend", "f.lp:3: got '<='"),
    ("min x\nst\nc: x == 3\nend", "f.lp:3: got '='"),
    ("min x\nst\nc: 1 <= x >= 3\nend", "f.lp:3: got a row of this form with < and >"),
    ("min x\nst\nc: 1 = x = 1\nend", "f.lp:3: got a row of this form with = and ="),
    ("min x\nst\nc: x <= y <= 3\nend", "f.lp:3: got a row of this form with < and <"),
    ("min x\nst\nc: 1 <= x <= 2 <= 3\nend", "f.lp:3: got a row of this form with < and < and <"),
    ("min x\nst\nc: 1 <= 2 <= 3\nend", "f.lp:3: got a row of this form"),
    ("min x\nst\nc: <= 3 x\nend", "f.lp:3: got a row of this form with <;"),
    ("min x\nst\nc: <= x <= 1\nend", "f.lp:3: got a row of this form"),
    ("min x\nst\nc: 3 <= x <= 1\nend", "f.lp:3: got a row from 3 to 1"),
    ("min x\nst\nc: x >= 1e20\nend", "f.lp:3: got a row from inf to inf"),
    ("min x\nst\nc: x + 9e19 <= -9e19\nend", r"f.lp:3: got a side of -1.8e\+20"),
    ("min x\nst\nc: x <= y\n + 3 z\nend", "f.lp:4: got '\\+'; .* in one line"),
    ("min x\nst\nc: 1 <= x + 3\n y <= 5\nend", "f.lp:4: got 'y'; .* row of line 3"),
    ("min x\nst\n1 <= 3\n y <= 5\nend", "f.lp:4: got 'y'; .* row of line 3"),
    ("min x\nst\nc: x <= 3 #cap\nend", "f.lp:3: got '#cap'; .* backslash"),
    *((f"min x\nst\nc: x <= {slip}\nend", "f.lp:3: got '[hDe]5?'; expected a number alone")
      for slip in ("10h", "1D5", "1e")),
    ("min x\nst\nc: x + [ x^2 ] <= 3\nend", r"f.lp:3: got '\['; .* quadratic terms are read in the objective only"),
    ("min x\nst\nc: b = 1 -> x <= 3\nend", "f.lp:3: got '->'; .*indicator"),
    ("min x\nst\nc: x <= 3 *", "f.lp:3: got the end of the file"),
    *((f"min x{ROWS}{word}\nx\nend", f"f.lp:4: got {word}; .* only linear rows")
      for word in ("sos", "SOS2", "lazy constraints", "user cuts", "pwlobj", "general constraints", "semi-integer")),
    # bounds
    ("min x" + ROWS + "bounds\nz <= 3\nend", "f.lp:5: got the name z; expected a column of the objective or of a row"),
    ("min x" + ROWS + "general\nz\nend", "f.lp:5: got the name z; expected a column"),
    ("min x" + ROWS + "general\n3\nend", "f.lp:5: got '3'; expected a name"),
    ("min x" + ROWS + "bounds\n2 x <= 3\nend", "f.lp:5: got 'x'; expected one bound a line.* as a row"),
    ("min x" + ROWS + "bounds\nx <= 3 y <= 2\nend", "f.lp:5: got 'y'; expected one bound a line"),
    ("min x" + ROWS + "bounds\nx <= 10 - 3\nend", "f.lp:5: got '-'; expected one bound a line"),
    ("min x" + ROWS + "bounds\nx <= y\nend", "f.lp:5: got a bound of another form"),
    ("min x" + ROWS + "bounds\n1 <= x >= 0\nend", "f.lp:5: got a bound of another form"),
    ("min x" + ROWS + "bounds\n1 <= 2\nend", "f.lp:5: got a bound of another form"),
    ("min x" + ROWS + "bounds\nx\nend", "f.lp:6: got end; expected one bound a line"),
    ("min x" + ROWS + "bounds\nb: x <= 3\nend", "f.lp:5: got 'b'"),
    ("min x" + ROWS + "bounds\nx >= inf\nend", "f.lp:5: got a bound on x that no number meets"),
    ("min x" + ROWS + "bounds\nx = -1e21\nend", "f.lp:5: got a bound on x that no number meets"),
    ("min x" + ROWS + "binary\nx\nbounds\nx free\nend", "f.lp:7: got an infinite bound on the binary x"),
]  # fmt: skip

ALIKE = [  # HiGHS is right on these
    "min\n obj: 3 x + 2.5y - z + 4"
    + ROWS
    + " d: y - 2 z >= -1\n e: x + z = 3\nbounds\n -1 <= x <= 5\n y free\n z <= 4\nend\n",
    "max\n x - - y + -3 z" + ROWS + " x + y\n + z <= 3\n-x + y >= 1\ngeneral\n z\nbinary\n y\nend\n",
    "min\n x + [ x^2 + 2 x*y + 3 y^2 ] / 2 + [ x * y ]/2" + ROWS + "end\n",
    "min\n x" + ROWS + "d: y + 2 y + x >= 1\nbounds\n-inf <= x <= 1e30\n x <= 4\n x <= 5\nend\n",
    "min\n 3e5x + 2 e5 + y" + ROWS + "r: <= 3\nd: x >= 1 e: y >= 2\nbounds\ny = 3\nbin\ne5\nend\n",
]


@pytest.mark.parametrize(("text", "expected"), VALID)
def test_what_a_file_holds(text, expected):
    found = held(read_lp(text, "f.lp"))
    if isinstance(expected.get("notes"), int):
        expected = expected | {"notes": found["notes"]} if len(found["notes"]) == expected["notes"] else expected
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_refused(text, message):
    with pytest.raises(DataError) as caught:
        read_lp(text, "f.lp")
    assert re.match(message, str(caught.value)), caught.value


def test_notes_name_the_first_of_many():
    columns = [f"x{k}" for k in range(5)]
    text = "min x0\nst\nc: " + " + ".join(columns) + " >= -9\nbounds\n" + "\n".join(f"{c} <= -1" for c in columns)
    assert read_lp(text + "\nend", "f.lp").notes == (
        "upper bounds are negative and lower bounds 0, as not given: x0, x1, x2 and 2 more",
    )


@pytest.mark.parametrize("text", ALIKE)
def test_highs_reads_the_same(text, tmp_path):
    ours = read_lp(text, "f.lp")
    path = tmp_path / "f.lp"
    path.write_text(text)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    if solver.readModel(str(path)) == highspy.HighsStatus.kError and highspy.Highs().version() >= "1.16":
        pytest.skip("HiGHS 1.16 refuses more than 1.15")
    model, matrix = solver.getLp(), np.zeros((len(ours.rows), len(ours.columns)))
    place = [ours.columns.index(name) for name in model.col_names_]
    assert sorted(place) == list(range(len(ours.columns)))
    np.add.at(matrix, (ours.matrix.rows, ours.matrix.columns), ours.matrix.values)
    assert (ours.maximised, ours.constant) == (model.sense_ == highspy.ObjSense.kMaximize, model.offset_)
    for mine, theirs in [(ours.cost, model.col_cost_), (ours.lower, model.col_lower_), (ours.upper, model.col_upper_)]:
        np.testing.assert_array_equal(mine[place], theirs)
    np.testing.assert_array_equal(ours.rhs + ours.below, model.row_lower_)
    np.testing.assert_array_equal(ours.rhs + ours.above, model.row_upper_)
    np.testing.assert_array_equal(matrix[:, place], _dense(model.a_matrix_, matrix.shape))
    kinds = model.integrality_ or [highspy.HighsVarType.kContinuous] * len(place)
    whole = {
        name for name, kind in zip(model.col_names_, kinds, strict=True) if kind != highspy.HighsVarType.kContinuous
    }
    assert set(ours.integers) == whole
    quadratic = np.zeros((len(place), len(place)))
    quadratic[ours.quadratic.rows, ours.quadratic.columns] = ours.quadratic.values
    hessian = solver.getModel().hessian_
    theirs = _dense(hessian, quadratic.shape) if hessian.dim_ else np.zeros(quadratic.shape)
    np.testing.assert_array_equal(np.tril(quadratic[np.ix_(place, place)]), theirs)


def _dense(matrix, shape):
    """A matrix of HiGHS, by columns."""
    found = np.zeros(shape)
    for column, (start, end) in enumerate(zip(matrix.start_[:-1], matrix.start_[1:], strict=True)):
        found[list(matrix.index_[start:end]), column] = matrix.value_[start:end]
    return found


PIECES = [
    "min", "max", "st", "bounds", "free", "end", "general", "bin", "semi", "x", "y", "c:", "3", "1e5", "inf", "1e999",
    "<=", ">=", "=", "->", "+", "-", "*", "/ 2", "^2", "[", "]", "(", "\\", ":", ",", ".", "\n", "\n", "\n",
    " ", "é", "\0",
]  # fmt: skip
TEXTS = [text for text, _ in VALID + BAD]


@st.composite
def spoilt(draw):
    """A file of the rows above in which a few places were overwritten."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[start + draw(st.integers(0, 4)) :]
    return text


@settings(max_examples=200, deadline=None)
@given(st.one_of(spoilt(), st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join), st.text(max_size=40)))
def test_no_text_does_more_than_be_read_or_refused(text):
    try:
        found, refusal = read_lp(text, "f.lp"), "f.lp:0: got "
    except DataError as error:
        found, refusal = read_lp("min\nend", "f.lp"), str(error)
    assert re.match(r"f\.lp:\d+: got ", refusal)
    assert len(found.cost) == len(found.columns) == len(found.lower) == len(found.upper) == len(set(found.columns))
    assert len(found.rhs) == len(found.rows) == len(set(found.rows))
    assert all(np.isfinite(values).all() for values in (found.cost, found.rhs, found.matrix.values))
    assert (found.below <= 0).all()
    assert (found.above >= 0).all()
