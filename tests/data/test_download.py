import gzip
import hashlib
import http.client
import sys
import urllib.error
from pathlib import Path

import pytest

from argflux.data import download as module
from argflux.data.download import cache_folder, download, write_whole
from argflux.errors import DataError, OutputError

CONTENT = b"the right bytes"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MIRRORS = ("https://one.example/", "https://two.example/")


@pytest.fixture
def answers(monkeypatch):
    """Answer addresses from a list of bytes or errors each, in turn, and record what was asked for."""
    table: dict[str, list] = {}
    asked: list[str] = []

    def fetch(url):
        asked.append(url)
        answer = table[url].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "fetch", fetch)
    return table, asked


FAILURES = {
    "unreachable": urllib.error.URLError("name not known"),
    "timeout": TimeoutError("timed out"),
    "not found": urllib.error.HTTPError("https://one.example/f", 404, "Not Found", None, None),  # pyright: ignore
    "cut short": http.client.IncompleteRead(b"the"),
    "a login page": b"<html>please sign in</html>",
    "damaged gzip": gzip.compress(CONTENT)[:-6],
}
GOOD = {"plain": CONTENT, "gzip": gzip.compress(CONTENT), "fast gzip": gzip.compress(CONTENT, 1)}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("good", GOOD)
def test_the_next_mirror_helps(tmp_path, answers, failure, good):
    table, asked = answers
    good = GOOD[good]
    table |= {"https://one.example/f": [FAILURES[failure]], "https://two.example/f": [good]}
    assert download("f", MIRRORS, SHA256, tmp_path / "new").read_bytes() == good
    assert len(asked) == 2
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["f"]


def test_every_mirror_is_asked_twice(tmp_path, answers):
    table, asked = answers
    down = urllib.error.URLError("down")
    table |= {"https://one.example/f": [down, CONTENT], "https://two.example/f": [down]}
    assert download("f", MIRRORS, SHA256, tmp_path).read_bytes() == CONTENT
    assert asked == ["https://one.example/f", "https://two.example/f", "https://one.example/f"]


def test_when_all_fail_every_reason_is_told_and_nothing_is_left(tmp_path, answers):
    table, asked = answers
    table |= {
        "https://one.example/f": [TimeoutError("too slow")] * 2,
        "https://two.example/f": [b"wrong"] * 2,
    }
    with pytest.raises(DataError) as caught:
        download("f", MIRRORS, SHA256, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: got no f from any mirror (https://one.example/: too slow; https://two")
    assert "got 5 bytes with SHA-256 " in message
    assert "connect to the network, or put the files into a folder" in message
    assert "\n" not in message
    assert len(asked) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path, answers):
    table, _ = answers
    table["https://one.example/f"] = [CONTENT]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"file: got .*; expected a folder that can be written; name a folder"):
        download("f", MIRRORS, SHA256, tmp_path / "file")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_whole(tmp_path / "f", b"old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "f", b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("f", b"old")]


def test_fetch_gives_up_after_the_timeout(monkeypatch):
    seen = {}

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def read(self):
            return CONTENT

    def urlopen(request, timeout):
        seen.update(url=request.full_url, timeout=timeout)
        return Answer()

    monkeypatch.setattr(module.urllib.request, "urlopen", urlopen)
    assert module.fetch("https://one.example/f") == CONTENT
    assert seen == {"url": "https://one.example/f", "timeout": module.TIMEOUT}


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/argflux")),
        ("linux", {}, Path("/home/me/.cache/argflux")),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, Path("/home/me/Library/Caches/argflux")),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/argflux/Cache")),
        ("win32", {}, Path("/home/me/AppData/Local/argflux/Cache")),
    ],
)
def test_cache_folder_of_each_platform(monkeypatch, platform, environment, expected):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == expected
