"""Limits of requests, connections and open files."""
