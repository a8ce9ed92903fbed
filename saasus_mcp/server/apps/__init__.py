"""MCP Apps (`io.modelcontextprotocol/ui`): documents that a client shows beside the results of tools. They show, and decide nothing."""
