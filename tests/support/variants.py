"""The protocol era in which `make test` plays a test that exists in both. `make coverage` plays both."""

from __future__ import annotations

import zlib

from tests.support.pipeline import ERAS, Era


def choose_era(name: str) -> Era:
    """Return the era for a test of this name. The choice depends only on the name, and gives each era half of all names."""
    return ERAS[zlib.crc32(name.encode()) % len(ERAS)]
