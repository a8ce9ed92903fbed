"""Whole jobs in one call: planned, agreed to once, run as durable workflows, every inner call through the pipeline."""
