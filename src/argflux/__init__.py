"""Neural networks whose layers can be optimisation problems, and optimisation problems that design networks."""

from argflux.autodiff import *
