"""Limits of requests, connections, sessions and open files."""
