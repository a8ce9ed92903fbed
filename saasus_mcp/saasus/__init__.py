"""The API client: arguments checked, requests built, signed and sent, answers read. Knows nothing of MCP."""
