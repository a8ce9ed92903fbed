"""MCP: the pipeline of one call, and the low-level server around it. Knows nothing of HTTP."""
