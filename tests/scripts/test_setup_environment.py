"""The first `make` shows how far it is from its first second."""

from __future__ import annotations

from scripts.setup_environment import PINNED, progress_texts

PIP = """\
Collecting anyio==4.12.0 (from -r requirements.lock (line 7))
  Downloading anyio-4.12.0-py3-none-any.whl (113 kB)
Requirement already satisfied: click==8.5.1 in ./.venv/lib (from -r requirements.lock (line 90)) (8.5.1)
Collecting anyio==4.12.0
Installing collected packages: anyio
Successfully installed anyio-4.12.0
"""


def test_each_package_is_counted_once() -> None:
    assert list(progress_texts(PIP.splitlines(), 150)) == [
        "1 of 150 packages: anyio",
        "2 of 150 packages: click",
        "2 packages downloaded, unpacking",
    ]


def test_the_packages_of_the_lock_are_counted() -> None:
    assert PINNED.findall("anyio==4.12.0 \\\n    --hash=sha256:0\n# via mcp\nclick==8.5.1 ; x\n") == ["anyio", "click"]
