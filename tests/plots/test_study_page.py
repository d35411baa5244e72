import base64
import html.parser
import re

import pytest

from argflux.errors import DataError, OutputError
from argflux.patterns import Study, verdict
from argflux.plots import study_page
from tests.patterns.studies import made_up


class Outline(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.pictures, self.rows, self.open = [], [], 0, []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "src") if name in values and tag != "img"]
        self.pictures += [values["src"]] if tag == "img" else []
        self.rows += tag == "tr"


def page_of(tmp_path, studies, **options):
    path = study_page(studies, tmp_path / "study.html", **{"verdict": {}, **options})
    outline = Outline()
    outline.feed(path.read_text())
    return path.read_text(), outline


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    text, outline = page_of(tmp_path, made_up(6))
    assert not outline.links
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)
    assert len(outline.pictures) == 4
    for picture in outline.pictures:
        kind, _, code = picture.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(code).startswith(b"\x89PNG")


def test_it_holds_question_method_tables_verdict_and_command(tmp_path):
    studies = {"plain": made_up(), "relu": made_up(seed=1)}
    sentences = {name: verdict(study) for name, study in studies.items()}
    text, outline = page_of(tmp_path, studies, verdict=sentences, command="argflux study <digits>")
    for part in (
        "Question",
        "Method",
        "Verdict",
        "To repeat it",
        "argflux study &lt;digits&gt;",
        "80 starts: 40 of each",
    ):
        assert part in text
    assert f'<p class="answer">{sentences["relu"][0]}</p>' in text
    assert f"<li>{sentences['relu'][1]}</li>" in text
    correlations = 2 * sum(len(s.correlations(within=w)) for s in studies.values() for w in (True, False)) // 2
    comparisons = sum(len(s.comparisons()) for s in studies.values())
    assert outline.rows == correlations + comparisons + 2 * 2 + 4 * 2


def test_names_are_text_and_no_markup(tmp_path):
    study = made_up(6)
    study.settings["families"][0] = "<script>"
    for record in study.records[:6]:
        record["family"] = "<script>"
    assert "<script>" not in page_of(tmp_path, study)[0]


def test_a_page_of_nothing(tmp_path):
    with pytest.raises(DataError, match="without records"):
        study_page(Study({"families": ["a"]}, []), tmp_path / "x.html", verdict={})


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="expected a folder that can be written to"):
        study_page(made_up(4), tmp_path / "none" / "x.html", verdict={})
