import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argflux.data import onecold, onehot, onehotbatch
from argflux.errors import ArgumentError, DataError, DtypeError, ShapeError

INTEGERS = st.integers(-(2**31), 2**31 - 1)
WORDS = st.text(max_size=4)
MIXED = st.one_of(st.integers(), WORDS, st.tuples(st.integers(), st.booleans()), st.none())


@st.composite
def labelled(draw, label):
    classes = draw(st.lists(label, min_size=1, max_size=6, unique=True))
    return draw(st.lists(st.sampled_from(classes), max_size=8)), classes


@settings(deadline=None, max_examples=40)
@given(st.one_of(labelled(INTEGERS), labelled(WORDS), labelled(MIXED)))
def test_onecold_undoes_onehotbatch(case):
    labels, classes = case
    rows = onehotbatch(labels, classes)
    assert rows.shape == (len(labels), len(classes))
    assert np.asarray(rows).sum(axis=-1).tolist() == [1.0] * len(labels)
    assert onecold(rows, classes).tolist() == labels
    assert onecold(rows).tolist() == [classes.index(label) for label in labels]


@pytest.mark.parametrize("label", [3, "dog", (1, 2), None, np.int32(3), np.array(3), jnp.array(3)])
def test_onehot_is_one_row_and_onecold_gives_the_label_back(label):
    classes = [None, (1, 2), 3, "dog"]
    row = onehot(label, classes)
    assert row.shape == (4,)
    assert float(row.sum()) == 1.0
    assert onecold(row, classes) == label


@pytest.mark.parametrize("array", [np.array, jnp.array])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3)])
def test_arrays_keep_their_shape(array, shape):
    labels = array([2, 0, 1, 1, 0, 2]).reshape(shape)
    rows = onehotbatch(labels, range(3))
    assert rows.shape == (*shape, 3)
    np.testing.assert_array_equal(rows, np.eye(3)[np.asarray(labels)])
    np.testing.assert_array_equal(onecold(rows), labels)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32, bool])
def test_dtype_of_the_rows(dtype):
    assert onehotbatch([0, 1], range(2)).dtype == jnp.float32
    assert onehotbatch([0, 1], range(2), dtype).dtype == dtype
    assert onehot(1, range(2), dtype).dtype == dtype
    assert jax.jit(lambda y: onehotbatch(y, range(2), dtype))(jnp.array([0, 1])).dtype == dtype


def test_float32_stays_under_x64(x64):
    assert onehotbatch([0, 1], range(2)).dtype == jnp.float32
    assert onecold(jnp.eye(2)).dtype == jnp.int32


@pytest.mark.parametrize("classes", [range(3), [7, -1, 2], np.array([0, 1, 2]), jnp.array([2, 1, 0])])
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.int8])
def test_jit_agrees_with_eager(classes, dtype):
    listed = np.asarray(classes)
    labels = jnp.array([abs(int(listed[0])), abs(int(listed[2]))], dtype)
    labels = labels[:1] if int(listed[0]) < 0 else labels
    eager = onehotbatch(labels, classes)
    np.testing.assert_array_equal(jax.jit(lambda y: onehotbatch(y, classes))(labels), eager)
    np.testing.assert_array_equal(jax.jit(lambda r: onecold(r, classes))(eager), onecold(eager, classes))


def test_jit_gives_zeros_for_an_unknown_label_and_vmap_works():
    rows = jax.jit(lambda y: onehotbatch(y, range(2)))(jnp.array([1, 2]))
    assert rows.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert jax.vmap(lambda y: onehot(y, range(2)))(jnp.array([1, 0])).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_onecold_takes_the_first_of_a_tie():
    assert onecold(jnp.array([[1.0, 1.0, 0.0]])).tolist() == [0]
    assert onecold(np.array([[0, 2, 2]]), "abc").tolist() == ["b"]


def test_many_classes_cost_no_square_matrix():
    assert onehotbatch([99_999], range(100_000), bool).shape == (1, 100_000)


BAD = [
    (
        lambda: onehotbatch([0, 1, 10], range(10)),
        DataError,
        "label 10 at index 2; expected one of the 10 classes 0, 1",
    ),
    (lambda: onehotbatch(jnp.array([[0, 1], [3, 0]]), range(2)), DataError, "label 3 at index [1, 0]"),
    (lambda: onehotbatch(["cat", "cow"], ["cat", "dog"]), DataError, "label 'cow' at index 1"),
    (lambda: onehotbatch(np.array([0.0, np.nan]), range(2)), DataError, "label nan at index 1"),
    (lambda: onehotbatch([50], range(40)), DataError, "8, 9, …; correct the label or add it"),
    (
        lambda: onehotbatch([[0], [1]], range(2)),
        DataError,
        "[0] at index 0; expected labels that can be hashed",
    ),
    (lambda: onehot("cow", ["cat"]), DataError, "label 'cow' at index 0"),
    (lambda: onehot(np.array(4), range(3)), DataError, "label 4 at index []"),
    (lambda: onehot(np.array([1, 2]), range(3)), ShapeError, "an array of shape (2,); expected one label"),
    (lambda: onehotbatch(3, range(10)), DtypeError, "labels=3; expected an array or a sequence"),
    (lambda: onehotbatch([0], 10), ArgumentError, "classes=10; expected a sequence of hashable labels; pass"),
    (lambda: onehotbatch([0], [[0]]), ArgumentError, "classes=[[0]]; expected a sequence of hashable labels"),
    (lambda: onehotbatch([0], []), ArgumentError, "no classes; expected at least one"),
    (lambda: onehotbatch([0], [0, 1, 0]), ArgumentError, "class 0 more than once; expected distinct classes"),
    (
        lambda: onecold(jnp.ones((2, 3)), range(4)),
        ShapeError,
        "4 classes; expected 3, the last axis of shape (2, 3)",
    ),
    (lambda: onecold(jnp.array(1.0)), ShapeError, "shape (); expected shape (..., k)"),
    (lambda: onecold(jnp.ones((2, 0))), ShapeError, "shape (2, 0)"),
    (
        lambda: jax.jit(lambda y: onehotbatch(y, ["a", "b"]))(jnp.array([0])),
        DtypeError,
        "classes such as 'a' under jit; expected 32-bit integers; translate",
    ),
    (
        lambda: jax.jit(lambda r: onecold(r, ["a", "b"]))(jnp.eye(2)),
        DtypeError,
        "classes such as 'a' under jit",
    ),
    (
        lambda: jax.jit(lambda y: onehotbatch(y, range(2)))(jnp.array([0.5])),
        DtypeError,
        "float32 labels; expected integer labels under jit; convert",
    ),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_input(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert str(caught.value).startswith(("onehot", "onecold"))


def test_integers_beyond_32_bits_come_back_whole():
    classes = [2**31, -(2**40), 2**70, 2**31 - 1]
    assert onecold(onehotbatch(classes, classes), classes).tolist() == classes
    assert onecold(jnp.eye(2), [2**31 - 1, -(2**31)]).dtype == jnp.int32
