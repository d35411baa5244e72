"""Programs that share their matrices, solved one after another in one workspace, beside each solved by itself."""

import daqp
import numpy as np
import pytest

from argflux.programs.solvers.workspace import SOLVED, Workspace

EQUALITY = 5


def program(r: np.random.Generator, dependent: bool, singular: bool):
    """Matrices, sides that some point meets, and kinds of rows."""
    n, m = (int(k) for k in r.integers(3, 9, 2))
    factor = r.normal(size=(n, 1 if singular else n))
    H, C = factor @ factor.T + (0.0 if singular else 0.1) * np.eye(n), r.integers(-2, 3, (m, n)).astype(float)
    if dependent:
        C[1] = C[0]
    count = 2 if dependent else int(r.integers(0, 2))
    low, high = np.full(n + m, -3.0), np.full(n + m, 3.0)
    low[n:], high[n:] = -1e30, C @ r.uniform(-1, 1, n) + 0.1
    low[n : n + count] = high[n : n + count]
    if dependent:
        low[n + 1] = high[n + 1] = high[n]
    sense = np.zeros(n + m, np.int32)
    sense[n : n + count] = EQUALITY
    return H, C, low, high, sense, count


@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize("dependent", [False, True])
def test_a_shared_workspace_answers_as_a_fresh_one(dependent, singular):
    r, flags = np.random.default_rng(0), set()
    for _ in range(20):
        H, C, low, high, sense, count = program(r, dependent, singular)
        n, together = H.shape[0], Workspace(True, 1000)
        for k in range(8):
            lo, hi, f = low.copy(), high.copy(), 5 * r.normal(size=n)
            if k == 2 and count:
                lo[n] = hi[n] = hi[n] + 0.5
            if k == 4:
                hi[0], lo[0] = -4.0, -4.5
                hi[n:] -= 40.0 * (sense[n:] == 0)
            given = H, f, C, hi, lo, sense
            x, dual, flag, _ = together.solve(*given)
            expected, _, its_flag, _ = Workspace(False, 1000).solve(*given)
            assert flag == its_flag, k
            flags.add(flag)
            if flag == SOLVED:
                np.testing.assert_allclose(x, expected, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(H @ x + f + dual[:n] + C.T @ dual[n:], 0, atol=1e-5 if singular else 1e-9)
    assert dependent or singular or {SOLVED} < flags, "DAQP 0.8 refuses the others; some have no point"


def test_what_programs_share_is_prepared_once(monkeypatch):
    calls = []

    class Counted(daqp.Model):
        def setup(self, *args, **kwargs):
            calls.append(args)
            return super().setup(*args, **kwargs)

    monkeypatch.setattr(daqp, "Model", Counted)
    workspace, no, few = Workspace(True, 100), np.zeros(0), np.zeros(0, np.int32)
    for f in np.random.default_rng(1).normal(size=(5, 3)):
        np.testing.assert_allclose(workspace.solve(np.eye(3), f, np.zeros((0, 3)), no, no, few)[0], -f)
    assert len(calls) == 1
