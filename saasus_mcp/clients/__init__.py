"""Configuration files of MCP clients: their locations and formats, and how to add and remove the entry of this server.

Imports only `common`. The caller decides what to write and asks the person first.
"""
