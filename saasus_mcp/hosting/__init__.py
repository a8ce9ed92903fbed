"""HTTP: one Starlette app for MCP in both protocol eras, identity, profiles, the console, health and metrics."""
