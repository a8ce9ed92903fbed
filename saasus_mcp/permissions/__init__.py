"""Decide which calls may happen: policy, questions, approvals, and secrets hidden from the model.

This package knows nothing of MCP or HTTP. Decisions are pure functions; records are in the store.
"""
