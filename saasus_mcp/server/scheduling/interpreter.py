"""How the interpreter shares its time while a server runs: between threads, and between the program and the search for garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_INTERVAL_SECONDS = 0.001
"""How long a thread keeps the interpreter while the event loop waits. With Python's default of 5 ms, the dozens of waits of one
small read add up to a quarter of a second while threads do heavy work."""
COLLECTION_THRESHOLDS = (5_000, 20, 20)
"""New objects from which garbage is searched for, and searches of each generation before one of the next. By Python's defaults, an
answer of 10,000 users is searched as a whole several times while it is read, and everything else waits."""


@contextmanager
def tuned_for_serving() -> Iterator[None]:
    """Keep the event loop responsive beside large answers."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
