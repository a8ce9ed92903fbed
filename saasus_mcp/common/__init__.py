"""Helpers that several packages share. This package imports none of the others."""
