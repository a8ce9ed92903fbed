"""Levels by what they have in common. Loads nothing else: a policy is needed before the catalogue is."""

from __future__ import annotations

READ_LEVELS: frozenset[str] = frozenset({"read", "read_sensitive"})
TYPED_LEVELS: frozenset[str] = frozenset({"destructive", "critical"})
"""Levels that a person confirms by typing the target's name."""
