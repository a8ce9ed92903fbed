"""Counts of Python function calls: other work on the machine does not change them."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Self


class FunctionCalls:
    """Counts the Python functions that this thread calls meanwhile. No garbage of earlier tests is collected, which may call some."""

    def __init__(self) -> None:
        self.number = 0
        self._collects = gc.isenabled()

    def __enter__(self) -> Self:
        gc.disable()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        if self._collects:
            gc.enable()

    def _count(self, _: FrameType, event: str, __: object) -> None:
        self.number += event == "call"
