"""The one sentence that answers what a study asks."""

from argflux.patterns.study.findings import Study
from argflux.patterns.study.relations import Comparison, Correlation

LIMIT = 0.05
OUTCOME = "test accuracy"


def answer(study: Study) -> str:
    """Say in one sentence whether designed starts, and starts with few zeros, end with a higher test accuracy.

    The numbers are those of the designed family that lies farthest from the reference, among those whose difference
    stands after Holm's correction if there are any, and of the zeros in the hidden layers, within families.

    Args:
        study: a study with records.

    Example:
        >>> from argflux.patterns import Study
        >>> from argflux.patterns.study.answer import answer
        >>> means = {"kaiming_normal": 0.5, "designed:1": 0.9}
        >>> starts = [
        ...     {"family": f, "start": i, "before": {}, "after": {"test accuracy": a + i / 99}, "test accuracy": [0, a]}
        ...     for f, a in means.items() for i in range(6)
        ... ]
        >>> answer(Study({"families": ["kaiming_normal", "designed:1"], "epochs": 1, "every": 1}, starts))[:87]
        'Yes: designed:1 is better than kaiming_normal by 40.00 points of test accuracy (95 % in'
    """
    compared = [each for each in study.comparisons() if each.outcome == OUTCOME]
    designed = [each for each in compared if each.family.startswith("designed")]
    zeros = _zeros(study)
    parts = [_on_families(designed or compared)] if compared else []
    parts += [_on_zeros(zeros)] if zeros else []
    if not parts:
        return ""
    return f"{_head(designed, zeros)}: {'; '.join(parts)}."


def _zeros(study: Study) -> Correlation | None:
    """Return the correlation of test accuracy with the zeros in the hidden layers, or else with the first of zeros."""
    found = [e for e in study.correlations(within=True) if e.outcome == OUTCOME and e.measure.startswith("zeros")]
    return next((e for e in found if e.measure == "zeros in hidden layers"), found[0] if found else None)


def _head(designed: list[Comparison], zeros: Correlation | None) -> str:
    signs = {each.difference > 0 for each in designed if each.adjusted < LIMIT}
    if not designed and zeros is not None and zeros.adjusted < LIMIT:
        signs = {zeros.spearman < 0}
    return {(): "No", (True,): "Yes", (False,): "No, they are worse"}.get(tuple(signs), "Some are, some are worse")


def _on_families(found: list[Comparison]) -> str:
    stands = [each for each in found if each.adjusted < LIMIT]
    if not stands:
        each = max(found, key=lambda each: abs(each.difference))
        numbers = f"{each.family}: {100 * each.difference:+.2f} points, {_interval(each)}"
        return f"no difference in test accuracy from {each.reference} could be shown ({numbers})"
    told = [max(stands, key=lambda each: each.difference)]
    if min(each.difference for each in stands) < 0 < told[0].difference:
        told.append(min(stands, key=lambda each: each.difference))
    elif told[0].difference < 0:
        told = [min(stands, key=lambda each: each.difference)]
    return " and ".join(map(_difference, told))


def _difference(each: Comparison) -> str:
    word = "better" if each.difference > 0 else "worse"
    size = f"{100 * abs(each.difference):.2f} points of test accuracy"
    return f"{each.family} is {word} than {each.reference} by {size} ({_interval(each)})"


def _interval(each: Comparison) -> str:
    low, high = each.interval
    return f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}"


def _on_zeros(each: Correlation) -> str:
    low, high = each.spearman_interval
    numbers = f"Spearman {each.spearman:+.2f}, 95 % interval {low:+.2f} to {high:+.2f}"
    if each.adjusted >= LIMIT:
        return f"{each.measure} could not be shown to go along with it within families ({numbers})"
    way = "higher" if each.spearman < 0 else "lower"
    return f"within families, fewer {each.measure} go along with a {way} test accuracy ({numbers})"
