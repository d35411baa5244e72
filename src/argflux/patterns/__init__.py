"""What ReLU networks do to data: activation patterns, zeros, linear regions, and weights chosen by linear programs."""

from argflux.patterns.sites import Site, Sites, find_sites, preactivations
from argflux.patterns.zeros import ZeroCounts, count_zeros

__all__ = ["Site", "Sites", "ZeroCounts", "count_zeros", "find_sites", "preactivations"]
