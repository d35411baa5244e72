"""A study as one HTML page that opens without a network: question, method, verdict, tables, figures, command."""

import base64
from collections.abc import Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from argflux.errors import DataError, OutputError
from argflux.keywords import explained
from argflux.plots.checks import Studies
from argflux.plots.starts import families_compared, forest_of_correlations, learning_curves, scatter_starts

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, td:nth-child(2), th:nth-child(2) { text-align: left } tr.stands td { font-weight: 600 }
img { max-width: 100%; height: auto } pre { background: #f4f4f4; padding: 0.8rem; overflow-x: auto }
.answer { font-size: 1.15rem; font-weight: 600 }
"""
QUESTION = (
    "A ReLU network that has few zeros, or few activation patterns, on its training data before training is said to "
    "generalise better, because its L_gen = (f(x, P) − f(x, P*)) − (f(x*, P) − f(x*, P*)) is smaller. Do such starts "
    "train better, and do starts that linear programs choose to have few zeros?"
)


@explained
def study_page(studies: Studies, path: str | Path, *, verdict: Mapping[str, list[str]], command: str = "") -> Path:
    """Write one study or several into an HTML page with its figures inside.

    Args:
        studies: a Study, or a dict of several by name, such as one network with and one without ReLU on its output.
        path: the file to write.
        verdict: sentences for each study, by its name ("" for a single study); the first one is the answer.
        command: what repeats the study.

    Returns:
        The path.

    Raises:
        DataError: for a study without records.
        OutputError: when the file cannot be written.

    Example:
        >>> import tempfile
        >>> from argflux.patterns import Study
        >>> from argflux.plots import study_page
        >>> after = {"test accuracy": 0.5, "gap": 0.0, "train accuracy": 0.5}
        >>> starts = [
        ...     {"family": "f", "start": i, "before": {"zeros": i}, "after": after, "test accuracy": [0, 1 / (i + 1)]}
        ...     for i in range(6)
        ... ]
        >>> study = Study({"families": ["f"], "epochs": 1, "every": 1, "starts": 6}, starts)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = study_page(study, f"{folder}/study.html", verdict={"": ["Nothing to see."]})
        ...     "Nothing to see." in page.read_text()
        True
    """
    named = dict(studies) if isinstance(studies, Mapping) else {"": studies}
    if not named or not all(study.records for study in named.values()):
        raise DataError("a study without records", "at least one start", "run the study first", where="study_page")
    parts = [f"<h1>Starts of a ReLU network</h1><h2>Question</h2><p>{escape(QUESTION)}</p><h2>Verdict</h2>"]
    for name in named:
        parts.append((f"<h3>{escape(name)}</h3>" if name else "") + _verdict(verdict.get(name, [])))
    if len(named) > 1 and any(study.correlations(within=True) for study in named.values()):
        parts.append(_image(forest_of_correlations(named), "Correlations within families, all studies"))
    parts += [_section(name, study) for name, study in named.items()]
    if command:
        parts.append(f"<h2>To repeat it</h2><pre>{escape(command)}</pre>")
    html = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Starts of a ReLU network</title>'
    html += f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    return _write(Path(path), html)


def _section(name: str, study: Any) -> str:
    title = f"<h2>{escape(name)}</h2>" if name else ""
    figures = [
        _image(families_compared(study), "Outcomes by family; bar: mean and its 95 % interval"),
        _image(learning_curves(study), "Median test accuracy by family, and the middle half"),
        _image(scatter_starts(study), "Measures before training against the test accuracy after it"),
    ]
    if study.correlations(within=True):
        figures.append(_image(forest_of_correlations(study), "Correlations of ranks within families"))
    tables = [
        "<h3>Families</h3>" + _families(study),
        "<h3>Differences from the reference</h3>" + _comparisons(study),
        "<h3>Correlations within families</h3>" + _correlations(study, within=True),
        "<h3>Correlations over all starts</h3>"
        "<p>Families also differ in what is not listed, the size of their weights above all.</p>"
        + _correlations(study, within=False),
    ]
    return title + "<h3>Method</h3>" + _method(study) + tables[0] + "".join(figures) + "".join(tables[1:])


def _method(study: Any) -> str:
    settings = study.settings
    data = settings.get("data", {})
    value = lambda name: settings.get(name, "?")
    lines = [
        f"{len(study.records)} starts: {value('starts')} of each of {', '.join(study.families)}.",
        f"Data: {data.get('name', '?')}, {data.get('train', '?')} to train and {data.get('test', '?')} to test on.",
        f"Training: {value('rule')}, {value('epochs')} epochs in batches of {value('batchsize')}, {value('loss')}; "
        f"every start sees the same batches in the same order. Seed {value('seed')}.",
        "Before training, on at most 1000 training rows: the part of zeros behind each layer's ReLU, dead units, the "
        "part of rows with a pattern of their own, and L_gen for random changes of inputs (10 %) and weights (1 %).",
        "After training: accuracy on test data, the gap (training minus test accuracy), and the epochs until "
        f"{100 * study.level:.1f} % of the test data were right.",
        "Intervals hold 95 % of 2000 bootstrap resamples; p is corrected by Holm's method within each table.",
    ]
    network = f"<pre>{escape(str(settings['network']))}</pre>" if "network" in settings else ""
    return network + _list(lines)


def _families(study: Any) -> str:
    names = ["test accuracy", "train accuracy", "gap", "epochs to level"]
    rows = []
    for family in study.families:
        own = study.family == family
        cells = [_mean(study.outcome(name)[own]) for name in names]
        rows.append(
            [family, str(int(own.sum())), *cells, *(_mean(study.measure(name)[own]) for name in study.measures)]
        )
    return _table(["family", "starts", *names, *study.measures], rows)


def _comparisons(study: Any) -> str:
    found = study.comparisons()
    rows = [[e.family, e.outcome, f"{e.difference:+.4f}", _span(e.interval, 4), _p(e.adjusted)] for e in found]
    header = ["family", "outcome", f"minus {study.reference}", "95 % interval", "p"]
    return _table(header, rows, [e.adjusted < 0.05 for e in found])


def _correlations(study: Any, within: bool) -> str:
    found = study.correlations(within=within)
    rows = [
        [
            *(e.measure, e.outcome, str(e.n), f"{e.spearman:+.2f}", _span(e.spearman_interval, 2)),
            *(f"{e.pearson:+.2f}", _span(e.pearson_interval, 2), _p(e.adjusted)),
        ]
        for e in found
    ]
    header = ["measure", "outcome", "starts", "Spearman", "95 % interval", "Pearson", "95 % interval", "p"]
    return _table(header, rows, [e.adjusted < 0.05 for e in found])


def _mean(values: Any) -> str:
    values = values[values == values]
    return f"{values.mean():.4g}" if len(values) else "–"


def _span(interval: tuple[float, float], digits: int) -> str:
    return f"{interval[0]:+.{digits}f} to {interval[1]:+.{digits}f}"


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def _table(header: list[str], rows: list[list[str]], stands: list[bool] | None = None) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    marks = stands or [False] * len(rows)
    body = "".join(
        f"<tr{' class=stands' if mark else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for mark, row in zip(marks, rows, strict=True)
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _verdict(sentences: list[str]) -> str:
    """Write the sentence that answers above the details."""
    if not sentences:
        return ""
    return f'<p class="answer">{escape(sentences[0])}</p>' + (_list(sentences[1:]) if len(sentences) > 1 else "")


def _list(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _image(figure: Figure, text: str) -> str:
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    code = base64.b64encode(drawn.getvalue()).decode()
    picture = f'<img alt="{escape(text)}" src="data:image/png;base64,{code}">'
    return f"<figure>{picture}<figcaption>{escape(text)}</figcaption></figure>"


def _write(path: Path, html: str) -> Path:
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        got, todo = error.strerror or str(error), "pass another path, or make room"
        raise OutputError(got, "a folder that can be written to", todo, where=str(path)) from error
    return path
