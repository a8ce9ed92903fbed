"""Serve MCP, the console, health and metrics over HTTP."""
