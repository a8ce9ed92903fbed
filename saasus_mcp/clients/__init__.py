"""MCP clients on this computer: where each keeps its servers, in which form, and how ours gets in and out of that file.

Knows none of the other rooms but errors: what to write is given, who is asked first is the command's affair.
"""
