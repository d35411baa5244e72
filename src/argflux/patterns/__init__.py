"""What ReLU networks do to data: activation patterns, zeros, linear regions, and weights chosen by linear programs."""

from argflux.patterns.design import design_weights
from argflux.patterns.designed import designed
from argflux.patterns.families import Family, redraw
from argflux.patterns.findings import Study
from argflux.patterns.relations import Comparison, Correlation
from argflux.patterns.report import DesignReport, LayerReport
from argflux.patterns.sites import Site, Sites, find_sites, preactivations
from argflux.patterns.study import load_study, study_initialisations
from argflux.patterns.verdict import verdict
from argflux.patterns.zeros import ZeroCounts, count_zeros

__all__ = [
    "Comparison",
    "Correlation",
    "DesignReport",
    "Family",
    "LayerReport",
    "Site",
    "Sites",
    "Study",
    "ZeroCounts",
    "count_zeros",
    "design_weights",
    "designed",
    "find_sites",
    "load_study",
    "preactivations",
    "redraw",
    "study_initialisations",
    "verdict",
]
