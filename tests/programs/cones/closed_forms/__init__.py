"""Programs over cones whose answers are known formulas, one list that one parametrised test walks."""

from tests.programs.cones.closed_forms.functions import FUNCTIONS
from tests.programs.cones.closed_forms.nearest import NEAREST
from tests.programs.cones.closed_forms.regions import REGIONS
from tests.programs.cones.closed_forms.row import Row
from tests.programs.cones.closed_forms.spectra import SPECTRA

ROWS: dict[str, Row] = {**NEAREST, **SPECTRA, **FUNCTIONS, **REGIONS}

__all__ = ["ROWS", "Row"]
