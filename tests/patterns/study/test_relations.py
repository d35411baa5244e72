import numpy as np
import pytest
from scipy import stats

from argflux.patterns.study.relations import Comparison, adjusted, compare, correlate


def pairs(n=50, slope=0.5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, slope * x + rng.normal(size=n)


def test_correlations_are_those_of_scipy():
    x, y = pairs()
    found = correlate("x", "y", x, y, ["f"] * 50, within=False)
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.p == pytest.approx(stats.spearmanr(x, y).pvalue)
    assert found.n == 50


def test_intervals_are_those_of_scipys_bootstrap():
    x, y = pairs()
    found = correlate("x", "y", x, y, ["f"] * 50, within=False)
    pearson = lambda x, y, axis: stats.pearsonr(x, y, axis=axis).statistic
    options = {"paired": True, "method": "percentile", "n_resamples": 2000, "rng": np.random.default_rng(1)}
    low, high = stats.bootstrap((x, y), pearson, **options).confidence_interval
    assert found.pearson_interval == pytest.approx((low, high), abs=0.05)
    assert found.spearman_interval[0] < found.spearman < found.spearman_interval[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    truth = 0.5 / np.sqrt(1.25)
    held = sum(low <= truth <= high for low, high in (self_interval(seed) for seed in range(60)))
    assert held >= 50


def self_interval(seed):
    return correlate("x", "y", *pairs(40, seed=seed), ["f"] * 40, within=False).pearson_interval


def test_families_that_differ_make_no_correlation_within():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    shift = np.repeat([0.0, 10.0], 30)
    families = ["a"] * 30 + ["b"] * 30
    over, within = (correlate("x", "y", x + shift, y + shift, families, within=w) for w in (False, True))
    assert over.spearman > 0.7
    assert over.pearson > 0.9
    assert abs(within.spearman) < 0.3
    assert within.spearman_interval[0] < 0 < within.spearman_interval[1]


def test_a_correlation_hidden_by_families_is_found_within():
    x, y = pairs(60, slope=1.0)
    shift = np.repeat([0.0, 10.0], 30)
    families = ["a"] * 30 + ["b"] * 30
    assert correlate("x", "y", x + shift, y - shift, families, within=False).spearman < 0
    found = correlate("x", "y", x + shift, y - shift, families, within=True)
    assert found.spearman_interval[0] > 0
    assert found.p < 1e-4


@pytest.mark.parametrize(
    ("x", "y", "families", "within"),
    [
        ([1, 1, 1, 1], [1, 2, 3, 4], "aaaa", False),
        ([1, 2, 3, 4], [0, 0, 0, 0], "aaaa", False),
        ([1, 1, 2, 2], [1, 2, 3, 4], "aabb", True),
        ([1, 2], [3, 4], "aa", False),
        ([], [], "", False),
    ],
)
def test_what_does_not_vary_has_no_correlation(x, y, families, within):
    assert correlate("x", "y", x, y, families, within) is None


def test_resamples_that_happen_to_be_constant_do_no_harm():
    found = correlate("x", "y", [0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6], "aaaaaa", within=False)
    assert np.isfinite([*found.pearson_interval, *found.spearman_interval, found.p]).all()


def test_a_comparison_is_the_difference_of_means():
    rng = np.random.default_rng(0)
    one, other = rng.normal(1.0, 1.0, 40), rng.normal(0.0, 1.0, 30)
    found = compare("f", "g", "y", one, other)
    assert found.difference == pytest.approx(one.mean() - other.mean())
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert found.interval == pytest.approx((welch.low, welch.high), abs=0.12)


def test_the_p_of_a_comparison_is_that_of_a_permutation_test():
    rng = np.random.default_rng(3)
    one, other = rng.normal(0.4, 1.0, 30), rng.normal(0.0, 1.0, 30)
    expected = stats.permutation_test((one, other), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=9999)
    assert compare("f", "g", "y", one, other).p == pytest.approx(expected.pvalue, abs=0.015)


def test_equal_samples_do_not_differ():
    found = compare("f", "g", "y", [0.5, 0.5], [0.5, 0.5])
    assert (found.difference, found.p) == (0.0, 1.0)


def test_holm_corrects_as_in_the_paper():
    ps = [0.01, 0.04, 0.03, 0.005]
    found = [Comparison("f", "g", "y", (0.0, 0.0), 0.0, (0.0, 0.0), p) for p in ps]
    assert [each.adjusted for each in adjusted(found)] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [each.adjusted for each in adjusted([found[1]])] == [0.04]
    assert adjusted([]) == []
