"""Sessions of the protocols before 2026-07-28, which any replica serves."""
