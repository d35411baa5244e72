"""Programs over exponential, power and second-order cones that state entropies, means, norms and logarithms."""

import functools

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np

import argflux as af
from tests.programs.cones.closed_forms.row import Row, root, signs

WEIGHTS = np.array([0.2, 0.5, 0.3])

LOG_SUM_EXP = af.Program(
    lambda x, c: x["t"],
    variable={"t": (), "u": (4,)},
    inequality=lambda x, c: (af.cones.exponential(c - x["t"], 1.0, x["u"]), jnp.sum(x["u"]) - 1),
)


def by_log_sum_exp(c):
    s = LOG_SUM_EXP.solve(c)
    return s.objective, s.x["u"], s.z[0][0]


def log_sum_exp(c):
    """The dual of the first coordinates is minus the derivative of the value by c."""
    return jax.nn.logsumexp(c), jax.nn.softmax(c), -jax.nn.softmax(c)


@functools.cache
def entropy():
    x, c, total = cp.Variable(4), cp.Parameter(4), cp.Parameter()
    problem = cp.Problem(cp.Maximize(cp.sum(cp.entr(x)) + c @ x), [cp.sum(x) == total])
    return af.Program.from_cvxpy(problem, [c, total], [x])


def by_entropy(c, total):
    s = entropy().solve(c, total)
    return s.objective, s.x


DIVERGENCE = af.Program(
    lambda x, q, a, mean: jnp.sum(x["t"]),
    variable={"x": (4,), "t": (4,)},
    equality=lambda x, q, a, mean: (jnp.sum(x["x"]) - 1, jnp.vdot(a, x["x"]) - mean),
    inequality=lambda x, q, a, mean: af.cones.exponential(-x["t"], x["x"], q),
)


def by_divergence(q, a, mean):
    s = DIVERGENCE.solve(q, a, mean)
    return s.objective, s.x["x"], s.y[1]


def divergence(q, a, mean):
    """The shares q tilted by exp(λ a) until their mean is right; λ is minus the dual of the mean."""
    tilted = lambda tilt, q, a: jax.nn.softmax(jnp.log(q) + tilt * a)
    tilt = root(lambda tilt, q, a, mean: tilted(tilt, q, a) @ a - mean, -30.0, 30.0, q, a, mean)
    x = tilted(tilt, q, a)
    return jnp.sum(x * jnp.log(x / q)), x, -tilt


def tilted(r):
    shares, a = r.uniform(0.5, 1.5, 4), r.normal(size=4)
    return shares / shares.sum(), a, a @ r.dirichlet(np.full(4, 5.0))


BY_POWERS = af.Program(
    lambda x, prices, budget: -x["t"],
    variable={"x": (3,), "u": (), "t": ()},
    inequality=lambda x, prices, budget: (
        af.cones.power(x["x"][0], x["x"][1], x["u"], 2 / 7),
        af.cones.power(x["u"], x["x"][2], x["t"], 0.7),
        jnp.vdot(prices, x["x"]) - budget,
    ),
)


def demand_by_powers(prices, budget):
    s = BY_POWERS.solve(prices, budget)
    return -s.objective, s.x["x"]


def demand(prices, budget):
    x = WEIGHTS * budget / prices
    return jnp.prod(x**WEIGHTS), x


BY_LOGARITHMS = af.Program(
    lambda x, weights, prices: -jnp.vdot(weights, x["s"]),
    variable={"x": (3,), "s": (3,)},
    inequality=lambda x, weights, prices: (
        af.cones.exponential(x["s"], 1.0, x["x"]),
        jnp.vdot(prices, x["x"]) - 1,
    ),
)


def demand_by_logarithms(weights, prices):
    s = BY_LOGARITHMS.solve(weights, prices)
    return -s.objective, s.x["x"]


def weighted_demand(weights, prices):
    x = weights / jnp.sum(weights) / prices
    return weights @ jnp.log(x), x


@functools.cache
def geometric_mean():
    x, prices, budget = cp.Variable(3), cp.Parameter(3), cp.Parameter()
    problem = cp.Problem(cp.Maximize(cp.geo_mean(x)), [prices @ x <= budget])
    return af.Program.from_cvxpy(problem, [prices, budget], [x])


def by_geometric_mean(prices, budget):
    s = geometric_mean().solve(prices, budget)
    return s.objective, s.x


def equal_demand(prices, budget):
    x = budget / 3 / prices
    return jnp.prod(x) ** (1 / 3), x


KELLY = af.Program(
    lambda x, p, odds: -p * x["s"][0] - (1 - p) * x["s"][1],
    variable={"bet": (), "s": (2,)},
    inequality=lambda x, p, odds: af.cones.exponential(
        x["s"], 1.0, jnp.stack([1 + odds * x["bet"], 1 - x["bet"]])
    ),
)  # fmt: skip


def by_kelly(p, odds):
    s = KELLY.solve(p, odds)
    return -s.objective, s.x["bet"]


def kelly(p, odds):
    bet = p - (1 - p) / odds
    return p * jnp.log(1 + odds * bet) + (1 - p) * jnp.log(1 - bet), bet


IN_THIRD_NORM = af.Program(
    lambda x, c, radius: -jnp.vdot(c, x["x"]),
    variable={"x": (4,), "r": (4,)},
    inequality=lambda x, c, radius: (
        af.cones.power(x["r"], radius, x["x"], 1 / 3),
        jnp.sum(x["r"]) - radius,
    ),
)


def by_third_norm(c, radius):
    s = IN_THIRD_NORM.solve(c, radius)
    return -s.objective, s.x["x"]


def dual_of_third_norm(c, radius):
    """Hölder: the norm of exponent 3/2 and where it is attained."""
    size = jnp.sum(jnp.abs(c) ** 1.5)
    return radius * size ** (2 / 3), radius * jnp.sign(c) * jnp.sqrt(jnp.abs(c)) / size ** (1 / 3)


@functools.cache
def quotients():
    y, p = cp.Variable(3), cp.Parameter(3)
    total = sum(cp.quad_over_lin(p[i], y[i]) for i in range(3))
    return af.Program.from_cvxpy(cp.Problem(cp.Minimize(total), [cp.sum(y) == 1]), [p], [y])


def by_quotients(p):
    s = quotients().solve(p)
    return s.objective, s.x


FUNCTIONS = {
    "log-sum-exp": Row(by_log_sum_exp, log_sum_exp, lambda r: (r.normal(size=4),)),
    "largest entropy": Row(
        by_entropy,
        lambda c, total: (total * (jax.nn.logsumexp(c) - jnp.log(total)), total * jax.nn.softmax(c)),
        lambda r: (r.normal(size=4), r.uniform(0.5, 1.5)),
    ),
    "least divergence": Row(by_divergence, divergence, tilted),
    "demand through power cones": Row(
        demand_by_powers, demand, lambda r: (r.uniform(0.5, 2.0, 3), r.uniform(1.0, 2.0))
    ),
    "demand through exponential cones": Row(
        demand_by_logarithms, weighted_demand, lambda r: (r.uniform(0.5, 2.0, 3), r.uniform(0.5, 2.0, 3))
    ),
    "geometric mean": Row(
        by_geometric_mean, equal_demand, lambda r: (r.uniform(0.5, 2.0, 3), r.uniform(1.0, 2.0))
    ),
    "Kelly's bet": Row(by_kelly, kelly, lambda r: (r.uniform(0.5, 0.7), r.uniform(1.2, 2.0))),
    "norms of exponents 3 and 3/2": Row(
        by_third_norm, dual_of_third_norm, lambda r: (signs(r, 4), r.uniform(0.5, 1.5))
    ),
    "sum of quotients": Row(
        by_quotients,
        lambda p: (jnp.sum(jnp.abs(p)) ** 2, jnp.abs(p) / jnp.sum(jnp.abs(p))),
        lambda r: (signs(r, 3),),
    ),
}  # fmt: skip
