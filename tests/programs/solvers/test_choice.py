"""Which solver a dense program gets, by device: quadratic ones stay on an accelerator, linear ones go to the host."""

import jax
import pytest

from argflux.programs.forms.form import Form
from argflux.programs.solvers.choose import Settings


@pytest.mark.parametrize(
    ("form", "cpu", "elsewhere"),
    [
        (Form(3, 1, 0, "dense", True, False), "pivoting", "pivoting"),
        (Form(60, 1, 0, "dense", True, False), "daqp", "pivoting"),
        (Form(60, 1, 0, "none", True, False), "highs", "highs"),
        (Form(60, 1, 0, "diagonal", True, False), "separable", "separable"),
        (Form(60, 2, 0, "diagonal", True, False), "daqp", "pivoting"),
    ],
)
def test_choice(form, cpu, elsewhere, monkeypatch):
    for device, expected in (("cpu", cpu), ("gpu", elsewhere), ("tpu", elsewhere)):
        monkeypatch.setattr(jax, "default_backend", lambda device=device: device)
        assert Settings().method(form) == expected
        assert Settings(solver="daqp").method(form) == "daqp"
