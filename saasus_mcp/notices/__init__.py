"""Notices report what waits for a person and what ended, on the channels that people read."""
