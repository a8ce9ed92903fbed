"""The working directory: clients start servers in a project's folder, to which a model may write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def outside_working_directory() -> Iterator[None]:
    """Work in the folder of the Python installation until the context ends.

    Some libraries read settings from the working directory: matplotlib reads `matplotlibrc`, libpq resolves relative paths. The
    previous working directory may have been deleted.
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
