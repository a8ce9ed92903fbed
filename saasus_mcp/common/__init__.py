"""Helpers that several rooms share. This package imports no other room."""
