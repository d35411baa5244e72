import json
from dataclasses import fields

import pytest

from argflux import training
from argflux.cli.settings import DATASETS, DEFAULTS, RULES, Settings, load_settings
from argflux.errors import ArgumentError, LoadError, OutputError
from argflux.training import rules


def test_every_optimiser_can_be_named():
    known = {name for name, cls in vars(rules).items() if isinstance(cls, type) and issubclass(cls, rules.Rule)}
    assert known - {"Rule"} == set(RULES)
    assert all(hasattr(training, name) for name in RULES)


def test_every_data_set_has_defaults():
    assert tuple(DEFAULTS) == DATASETS == tuple(settings.dataset for settings in DEFAULTS.values())


@pytest.mark.parametrize(
    "settings", [*DEFAULTS.values(), Settings("mnist", (), "Lion", None, 3, 4, 5, "/data", "program")]
)
def test_file_round_trip(tmp_path, settings):
    settings.save(tmp_path / "settings.json")
    assert load_settings(tmp_path / "settings.json") == settings
    assert set(json.loads((tmp_path / "settings.json").read_text())) == {field.name for field in fields(Settings)}


def test_settings_from_before_relu_could_be_chosen_are_plain(tmp_path):
    (tmp_path / "settings.json").write_text('{"dataset": "moons", "hidden": [4]}')
    assert load_settings(tmp_path / "settings.json") == Settings("moons", (4,), relu="plain")


def test_another_rule_gets_its_own_rate():
    moons = DEFAULTS["moons"]
    assert moons.changed(rule="Adam", epochs=None).rate is None
    assert moons.changed(rule="Adam", rate=0.1).rate == 0.1
    assert moons.changed(rule="Descent").rate == moons.rate == 0.9


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (None, "got No such file or directory"),
        ("{", "got no JSON: "),
        ("[]", "got other settings, with nothing and without .*, dataset"),
        ("{}", "got other settings, with nothing and without .*, dataset"),
        ('{"hidden": [], "dataset": "moons", "colour": 1}', "got other settings, with colour and without batch"),
        ('{"hidden": [], "dataset": "irises"}', "got settings out of range: .*irises"),
        ('{"hidden": 5, "dataset": "moons"}', "got settings out of range"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path, content, got):
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LoadError, match=got) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    assert "--out" in str(caught.value)


def test_settings_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"got .*(File exists|Not a directory)"):
        DEFAULTS["moons"].save(tmp_path / "file" / "settings.json")


def test_data_folder_belongs_to_mnist():
    with pytest.raises(ArgumentError, match="got --data with moons"):
        Settings("moons", data="/data")
