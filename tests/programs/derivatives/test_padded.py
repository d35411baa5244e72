"""Systems of several instances in one array: those of each alone, and which of them are singular."""

import numpy as np

from argflux.programs.derivatives.padded import Padded


def test_each_has_the_solution_of_its_own_system():
    r = np.random.default_rng(0)
    factor, rows = r.normal(size=(4, 6, 6)), r.normal(size=(4, 5, 6))
    P, active = factor @ factor.mT + np.eye(6), r.uniform(size=(4, 5)) < 0.6
    active[0] = False
    system = Padded.of(P, rows, active)
    assert system.regular().all()
    right = r.normal(size=(4, 6 + system.on.shape[1]))
    v = np.linalg.solve(system.K, right[:, :, None])[:, :, 0]
    for i in range(4):
        C, k = rows[i][active[i]], int(active[i].sum())
        K = np.block([[P[i], C.T], [C, np.zeros((k, k))]])
        expected = np.linalg.solve(K, np.concatenate([right[i, :6] / system.scale[i], right[i, 6 : 6 + k]]))
        np.testing.assert_allclose(v[i, :6] * system.scale[i], expected[:6], atol=1e-10)
        np.testing.assert_allclose(v[i, 6 : 6 + k], expected[6:], atol=1e-10)


def test_rows_that_depend_on_each_other_and_flat_unknowns_are_found():
    P = np.stack([np.eye(3), np.diag([1.0, 1.0, 0.0]), np.eye(3)])
    rows = np.array([[[1.0, 0, 0], [0, 1, 0]], [[1.0, 0, 0], [0, 1, 0]], [[1.0, 1, 0], [1, 1, 1e-12]]])
    found = [Padded.of(P[i : i + 1], rows[i : i + 1], np.ones((1, 2), bool)).regular()[0] for i in range(3)]
    assert found == [True, False, False]
