"""Leaving the working directory: clients start servers in a project's folder, in which a model may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def outside_working_directory() -> Iterator[None]:
    """While entered, the process works in the folder of the Python installation.

    Libraries look for settings of theirs in the working directory: matplotlib for `matplotlibrc`, libpq for what a relative
    path names. The former one need not exist any longer.
    """
    before = None
    with suppress(OSError):
        before = Path.cwd()
    os.chdir(sys.prefix)
    try:
        yield
    finally:
        if before is not None:
            with suppress(OSError):
                os.chdir(before)
