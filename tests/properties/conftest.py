"""Properties are tried on the same examples everywhere: a failure on one machine is a failure on each."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", derandomize=True, database=None, deadline=None, max_examples=150)
settings.load_profile("house")
