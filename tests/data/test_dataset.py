import jax
import numpy as np

from argflux.data import DataLoader, Dataset, splitobs

POINTS = Dataset(np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1]), ("no", "yes"), "points")


def test_unpacks_into_inputs_and_labels():
    x, y = POINTS
    assert x is POINTS.x
    assert y is POINTS.y


def test_is_a_tree_of_its_two_arrays():
    leaves, structure = jax.tree.flatten(POINTS)
    assert [leaf.shape for leaf in leaves] == [(4, 2), (4,)]
    again = jax.tree.unflatten(structure, leaves)
    assert (again.classes, again.name) == (("no", "yes"), "points")


def test_goes_whole_through_jit_loader_and_split():
    assert jax.jit(lambda data: data.x.sum())(POINTS) == 28.0
    batch = next(iter(DataLoader(POINTS, batchsize=3)))
    assert isinstance(batch, Dataset)
    assert batch.y.tolist() == [0, 1, 0]
    first, rest = splitobs(POINTS, at=0.25)
    assert (first.y.tolist(), rest.y.tolist(), rest.classes) == ([0], [1, 0, 1], ("no", "yes"))


def test_repr_names_shapes_and_classes():
    assert repr(POINTS) == "Dataset(points: x=(4, 2), y=(4,), 2 classes)"
