"""What a study found, in plain words."""

from argflux.keywords import explained
from argflux.patterns.study.answer import LIMIT, answer
from argflux.patterns.study.findings import OUTCOMES, Study
from argflux.patterns.study.relations import Comparison, Correlation

_BETTER = {"test accuracy": 1, "gap": -1, "epochs to level": -1}
_WORDS = {
    "test accuracy": ("a higher test accuracy", "a lower test accuracy", "test accuracy"),
    "gap": ("a larger gap", "a smaller gap", "the gap"),
    "epochs to level": ("slower learning", "faster learning", "the speed of learning"),
}


@explained
def verdict(study: Study) -> list[str]:
    """Return sentences that say what a study found: the first answers what it asks, the others give the details.

    Correlations are those within families; whatever does not stand after Holm's correction is called no difference
    that could be shown.

    Args:
        study: a study with records.

    Example:
        >>> from argflux.patterns import Study, verdict
        >>> after = {"test accuracy": 0.5, "gap": 0.0}
        >>> starts = [
        ...     {"family": "f", "start": i, "before": {"L_gen": i}, "after": after, "test accuracy": [0, 1 / (i + 1)]}
        ...     for i in range(6)
        ... ]
        >>> verdict(Study({"families": ["f"], "epochs": 1, "every": 1}, starts))[0]
        'L_gen before training goes along with slower learning (Spearman +1.00, 95 % interval +1.00 to +1.00, ...).'
    """
    correlations = study.correlations(within=True)
    first = answer(study)
    sentences = [first] if first else []
    sentences += [s for measure in study.measures for s in _on_measure(measure, correlations)]
    comparisons = study.comparisons()
    for family in study.families:
        sentences += _on_family([each for each in comparisons if each.family == family], study)
    return sentences or ["Too few starts, or starts too much alike, to say anything."]


def _on_measure(measure: str, correlations: list[Correlation]) -> list[str]:
    own = [each for each in correlations if each.measure == measure]
    stands = [each for each in own if each.adjusted < LIMIT]
    said = []
    for each in stands:
        low, high = each.spearman_interval
        numbers = f"Spearman {each.spearman:+.2f}, 95 % interval {low:+.2f} to {high:+.2f}, {each.n} starts"
        said.append(f"{_upper(measure)} before training goes along with {_direction(each)} ({numbers}).")
    rest = [each for each in own if each not in stands]
    if rest:
        listed = ", ".join(f"{_WORDS[e.outcome][2]} {e.spearman:+.2f}" for e in rest)
        said.append(f"No correlation of {measure} could be shown with: {listed}.")
    return said


def _direction(each: Correlation) -> str:
    more, less, _ = _WORDS[each.outcome]
    return more if each.spearman > 0 else less


def _on_family(found: list[Comparison], study: Study) -> list[str]:
    said = []
    for outcome in OUTCOMES:
        for each in found:
            if each.outcome == outcome:
                said.append(_compared(each, study))
    return said


def _compared(each: Comparison, study: Study) -> str:
    percent = each.outcome != "epochs to level"
    scale, unit = (100, " points") if percent else (1, " epochs")
    low, high = (f"{scale * end:+.2f}" for end in each.interval)
    numbers = f"{scale * each.difference:+.2f}{unit}, 95 % interval {low} to {high}"
    what = _WORDS[each.outcome][2] if percent else f"epochs to {100 * study.level:.1f} %"
    if each.adjusted >= LIMIT:
        return f"{each.family} against {each.reference}, {what}: no difference could be shown ({numbers})."
    better = each.difference * _BETTER[each.outcome] > 0
    return f"{each.family} is {'better' if better else 'worse'} than {each.reference} in {what} ({numbers})."


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
