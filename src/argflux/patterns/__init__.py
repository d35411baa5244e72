"""What ReLU networks do to data: activation patterns, zeros, linear regions, and weights chosen by linear programs."""

from argflux.patterns.design.design import design_weights
from argflux.patterns.design.designed import designed
from argflux.patterns.design.report import DesignReport, LayerReport
from argflux.patterns.regions.affine import local_affine_map, region_radius
from argflux.patterns.regions.gap import GapIdentity, gap_identity, generalisation_gap
from argflux.patterns.regions.line import LineRegions, line_regions
from argflux.patterns.regions.pattern import PatternCounts, activation_pattern, count_patterns
from argflux.patterns.regions.plane import PlaneRegions, plane_regions
from argflux.patterns.regions.zeros import ZeroCounts, count_zeros
from argflux.patterns.sites.sites import Site, Sites, find_sites, preactivations
from argflux.patterns.study.families import Family, redraw
from argflux.patterns.study.findings import Study
from argflux.patterns.study.relations import Comparison, Correlation
from argflux.patterns.study.study import load_study, study_initialisations
from argflux.patterns.study.verdict import verdict

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
