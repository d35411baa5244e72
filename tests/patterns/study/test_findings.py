import numpy as np
import pytest

from argflux.errors import ArgumentError
from argflux.patterns import Study, verdict
from tests.patterns.studies import made_up, record


def test_columns_are_in_the_order_of_the_records():
    study = made_up(3)
    assert study.family.tolist() == ["a"] * 3 + ["b"] * 3
    assert study.measure("zeros").tolist() == [each["before"]["zeros"] for each in study.records]
    assert study.curves.shape == (6, 3)
    assert study.measures == ["zeros", "L_gen"]
    assert repr(study) == "Study(6 starts of a, b)"


def test_epochs_to_the_level_are_interpolated():
    settings = {"families": ["a"], "epochs": 4, "every": 2}
    records = [record("a", i, 0.1, 0.0) for i in range(4)]
    curves = [[0.0, 0.4, 0.8], [0.1, 0.2, 0.3], [0.4, 0.5, 0.9], [0.0, 0.4, 0.5]]
    for each, curve in zip(records, curves, strict=True):
        each["test accuracy"] = curve
    study = Study(settings, records)
    assert study.level == 0.4
    np.testing.assert_allclose(study.outcome("epochs to level"), [2.0, 4.0, 0.0, 2.0])
    assert study.epochs.tolist() == [0, 2, 4]


def test_the_correlation_within_families_is_found_and_the_one_over_all_is_the_other_way():
    study = made_up()
    within, over = ({(e.measure, e.outcome): e for e in study.correlations(within=w)} for w in (True, False))
    assert within["zeros", "test accuracy"].spearman < -0.7
    assert within["zeros", "test accuracy"].adjusted < 1e-6
    assert over["zeros", "test accuracy"].spearman > 0.5
    assert within["L_gen", "gap"].adjusted > 0.05


def test_families_are_compared_with_kaiming_or_the_first():
    study = made_up()
    (accuracy, *rest) = study.comparisons()
    assert (accuracy.family, accuracy.reference, accuracy.outcome) == ("b", "a", "test accuracy")
    assert accuracy.difference == pytest.approx(0.2, abs=0.02)
    assert accuracy.interval[0] < accuracy.difference < accuracy.interval[1]
    assert accuracy.adjusted < 1e-3
    assert [each.outcome for each in rest] == ["gap", "epochs to level"]
    assert {each.reference for each in study.comparisons("b")} == {"b"}
    assert Study({"families": ["uniform", "kaiming_normal"]}, []).reference == "kaiming_normal"


def test_losses_that_were_not_finite_are_left_out():
    study = made_up(4)
    study.records[0]["after"]["test loss"] = None
    assert np.isnan(study.outcome("test loss")[0])
    assert np.isfinite(study.outcome("test loss")[1:]).all()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.measure("ones"), "Study: got 'ones'; expected one of zeros, L_gen"),
        (lambda s: s.outcome("speed"), "got 'speed'; expected one of train loss, .*, epochs to level"),
        (lambda s: s.comparisons("c"), "got 'c'; expected one of a, b"),
    ],
)
def test_unknown_names(ask, message):
    with pytest.raises(ArgumentError, match=message):
        ask(made_up(3))


def test_the_verdict_says_what_stands_and_what_does_not():
    said = verdict(made_up())
    assert any(s.startswith("Zeros before training goes along with a lower test accuracy (Spearman -0.") for s in said)
    assert any(s.startswith("b is better than a in test accuracy (+19.") for s in said)
    assert any(s.startswith("No correlation of L_gen could be shown with: test accuracy") for s in said)
    assert any("the gap: no difference could be shown" in s for s in said)


@pytest.mark.parametrize(
    ("gains", "start"),
    [
        ({"designed:1": 0.2}, "Yes: designed:1 is better than kaiming_normal by 2"),
        ({"designed:1": -0.2}, "No, they are worse: designed:1 is worse than kaiming_normal by "),
        ({"designed:1": 0.0}, "No: no difference in test accuracy from kaiming_normal could be shown (designed:1: "),
        (
            {"designed:0": -0.3, "designed:1": 0.2, "designed:2": 0.1},
            "Some are, some are worse: designed:1 is better than kaiming_normal by 1",
        ),
        ({"uniform": 0.2, "designed:1": 0.0}, "No: no difference in test accuracy from kaiming_normal could be shown"),
    ],
)
def test_the_verdict_begins_with_the_answer(gains, start):
    rng = np.random.default_rng(0)
    means = {"kaiming_normal": 0.5} | {name: 0.5 + gain for name, gain in gains.items()}
    records = [
        record(family, i, rng.normal(), mean + 0.02 * rng.normal(), other=rng.normal())
        for family, mean in means.items()
        for i in range(30)
    ]
    first = verdict(Study({"families": list(means), "epochs": 2, "every": 1}, records))[0]
    assert first.startswith(start)
    assert "zeros could not be shown to go along with it within families (Spearman" in first
    assert first.endswith(").")


def test_the_answer_on_zeros_alone():
    alone = Study({"families": ["a"], "epochs": 2, "every": 1}, made_up().records[:40])
    assert verdict(alone)[0].startswith("Yes: within families, fewer zeros go along with a higher test accuracy (Spear")


def test_the_verdict_of_nothing():
    assert verdict(Study({"families": ["a"], "epochs": 2, "every": 1}, [record("a", 0, 0.1, 0.5)])) == [
        "Too few starts, or starts too much alike, to say anything."
    ]
