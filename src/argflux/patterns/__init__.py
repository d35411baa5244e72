"""What ReLU networks do to data: activation patterns, zeros, linear regions, and weights chosen by linear programs."""

from argflux.patterns.design import design_weights
from argflux.patterns.designed import designed
from argflux.patterns.report import DesignReport, LayerReport
from argflux.patterns.sites import Site, Sites, find_sites, preactivations
from argflux.patterns.zeros import ZeroCounts, count_zeros

__all__ = [
    "DesignReport",
    "LayerReport",
    "Site",
    "Sites",
    "ZeroCounts",
    "count_zeros",
    "design_weights",
    "designed",
    "find_sites",
    "preactivations",
]
