"""What ReLU networks do to data: activation patterns, zeros, linear regions, and weights chosen by linear programs."""

from argflux.patterns.affine import local_affine_map, region_radius
from argflux.patterns.design import design_weights
from argflux.patterns.designed import designed
from argflux.patterns.families import Family, redraw
from argflux.patterns.findings import Study
from argflux.patterns.gap import GapIdentity, gap_identity, generalisation_gap
from argflux.patterns.line import LineRegions, line_regions
from argflux.patterns.pattern import PatternCounts, activation_pattern, count_patterns
from argflux.patterns.plane import PlaneRegions, plane_regions
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
    "GapIdentity",
    "LayerReport",
    "LineRegions",
    "PatternCounts",
    "PlaneRegions",
    "Site",
    "Sites",
    "Study",
    "ZeroCounts",
    "activation_pattern",
    "count_patterns",
    "count_zeros",
    "design_weights",
    "designed",
    "find_sites",
    "gap_identity",
    "generalisation_gap",
    "line_regions",
    "load_study",
    "local_affine_map",
    "plane_regions",
    "preactivations",
    "redraw",
    "region_radius",
    "study_initialisations",
    "verdict",
]
