"""Files opened and written: endings, compression, encodings, round trips to the last bit, and what cannot be done."""

import dataclasses
import gzip

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from argflux.errors import ArgumentError, DataError, OutputError
from argflux.programs.files.contents import Contents, Entries
from argflux.programs.files.read import read_contents
from argflux.programs.files.write import write_contents

INF = np.inf
SMALL = "ROWS\n N obj\n G r\nCOLUMNS\n x obj 1 r 1\nRHS\n RHS r 2\nENDATA\n"


def same(a: Contents, b: Contents) -> None:
    for field in dataclasses.fields(Contents):
        if field.name != "notes":
            np.testing.assert_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


@pytest.mark.parametrize("name", ["a.mps", "a.qps", "a.MPS", "a.mps.gz", "a.qps.GZ", "é b.mps"])
def test_endings_and_compression(name, tmp_path):
    content = SMALL.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith("gz") else content)
    assert read_contents(tmp_path / name, False).columns == ("x",)


def test_compression_is_told_by_the_content(tmp_path):
    (tmp_path / "a.mps").write_bytes(gzip.compress(SMALL.encode()))
    (tmp_path / "b.mps.gz").write_text(SMALL)
    same(read_contents(tmp_path / "a.mps", False), read_contents(tmp_path / "b.mps.gz", False))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
def test_names_in_any_encoding(encoding, tmp_path):
    (tmp_path / "a.mps").write_bytes(SMALL.replace("x", "Größe").replace("\n", "\r\n").encode(encoding))
    assert read_contents(tmp_path / "a.mps", False).columns == ("Größe",)


@pytest.mark.parametrize("name", ["a.txt", "a.sif", "a", "a.gz", "a.mps.bz2"])
def test_other_endings_are_named(name, tmp_path):
    with pytest.raises(ArgumentError, match=r"expected \.mps, \.qps or \.lp"):
        read_contents(tmp_path / name, False)


def test_files_that_are_missing_damaged_or_empty(tmp_path):
    with pytest.raises(DataError, match=r"none\.mps: got No such file"):
        read_contents(tmp_path / "none.mps", False)
    (tmp_path / "cut.mps.gz").write_bytes(gzip.compress(SMALL.encode())[:-9])
    with pytest.raises(DataError, match=r"damaged gzip"):
        read_contents(tmp_path / "cut.mps.gz", False)
    (tmp_path / "none.mps").write_text("ROWS\n N obj\nCOLUMNS\nENDATA\n")
    with pytest.raises(DataError, match=r"got no columns"):
        read_contents(tmp_path / "none.mps", False)
    (tmp_path / "noise.mps").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"noise\.mps:1"):
        read_contents(tmp_path / "noise.mps", False)


def test_integers_are_named_or_relaxed(tmp_path):
    path = tmp_path / "a.mps"
    path.write_text(SMALL.replace("ENDATA", "BOUNDS\n BV B x\nENDATA"))
    with pytest.raises(DataError, match=r"1 columns that are to be integers or semicontinuous: x; .*relax=True"):
        read_contents(path, False)
    relaxed = read_contents(path, True)
    assert (relaxed.integers, relaxed.upper[0]) == ((), 1)
    assert "real within their bounds" in relaxed.notes[-1]


NUMBERS = st.floats(-1e15, 1e15, allow_nan=False).map(lambda v: v + 0.0)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="$*'"), min_size=1)


@st.composite
def contents(draw) -> Contents:
    n, m = draw(st.integers(1, 4)), draw(st.integers(0, 4))
    names = draw(st.lists(NAMES, min_size=n + m + 1, max_size=n + m + 1, unique=True))
    vector = lambda size: draw(hnp.arrays(np.float64, size, elements=NUMBERS))
    spans = [draw(st.sampled_from([(-INF, 0.0), (0.0, INF), (0.0, 0.0), (-1 / 3, 0.0), (0.0, 1e-7)])) for _ in range(m)]
    ends = [(0.0, INF), (-INF, INF), (-INF, -0.3), (0.0, 1 / 3), (0.0, -2.0), (0.1, 0.1), (-2.5, INF), (0.0, 0.0)]
    box = [draw(st.sampled_from(ends)) for _ in range(n)]
    where = [(i, j) for i in range(m) for j in range(n) if draw(st.booleans())]
    square = [(i, j, draw(NUMBERS)) for i in range(n) for j in range(i + 1) if draw(st.booleans())]
    both = square + [(j, i, v) for i, j, v in square if i != j]
    return Contents(
        "t", names[0], draw(st.booleans()), draw(NUMBERS), tuple(names[1 : n + 1]), tuple(names[n + 1 :]), vector(n),
        Entries.of([(i, j, draw(NUMBERS)) for i, j in where]), vector(m), *np.array(spans, float).reshape(m, 2).T,
        *np.array(box).T, Entries.of(both),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(contents())
@pytest.mark.parametrize("name", ["a.mps", "a.qps.gz"])
def test_what_is_written_is_read_to_the_last_bit(name, tmp_path_factory, given):
    path = tmp_path_factory.mktemp("files") / name
    write_contents(given, path)
    same(read_contents(path, False), given)


def test_highs_reads_what_is_written(tmp_path):
    c = Contents(
        "t", "obj", True, 2.5, ("x", "y", "free"), ("a", "b", "c"), np.array([1.0, -0.25, 0.0]),
        Entries.of([(0, 0, 1.0), (0, 1, 3.0), (1, 1, -2.0), (2, 2, 0.5)]), np.array([4.0, -1.0, 2.0]),
        np.array([-INF, -3.0, 0.0]), np.zeros(3), np.array([0.0, -INF, 0.0]), np.array([8.0, INF, INF]),
        Entries.of([(0, 0, -2.0), (0, 1, 0.5), (1, 0, 0.5), (1, 1, -4.0)]),
    )  # fmt: skip
    write_contents(c, tmp_path / "t.mps")
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    assert model.readModel(str(tmp_path / "t.mps")) == highspy.HighsStatus.kOk
    lp, q = model.getLp(), model.getModel().hessian_
    assert (lp.sense_, lp.offset_) == (highspy.ObjSense.kMaximize, 2.5)
    assert (list(lp.col_names_), list(lp.row_names_)) == (list(c.columns), list(c.rows))
    np.testing.assert_array_equal([lp.col_cost_, lp.col_lower_, lp.col_upper_], [c.cost, c.lower, c.upper])
    np.testing.assert_array_equal([lp.row_lower_, lp.row_upper_], [c.rhs + c.below, c.rhs + c.above])
    np.testing.assert_array_equal(q.value_, [-2, 0.5, -4, 0])


def test_what_cannot_be_written(tmp_path):
    c = read_contents_of(tmp_path)
    with pytest.raises(ArgumentError, match=r"expected \.mps or \.qps"):
        write_contents(c, tmp_path / "b.lp")
    with pytest.raises(ArgumentError, match=r"the name 'a b'; expected names without spaces"):
        write_contents(dataclasses.replace(c, columns=("a b",)), tmp_path / "b.mps")
    (tmp_path / "folder.mps").mkdir()
    with pytest.raises(OutputError):
        write_contents(c, tmp_path / "folder.mps")


def read_contents_of(folder) -> Contents:
    (folder / "a.mps").write_text(SMALL)
    return read_contents(folder / "a.mps", False)
