"""The refusal of a JSON-RPC message that holds more than is parsed (saasus.json_bounds)."""

from __future__ import annotations

import json
import re

from saasus_mcp.saasus.json_bounds import DEEPEST, MOST_NESTED, excess

__all__ = ["DEEPEST", "MOST_NESTED", "excess", "refusal"]

LONGEST_ID = 160
"""Bytes in which the id of a message is looked for, at its beginning and at its end."""
INVALID_REQUEST = -32600
_ID = rb"""(-?[0-9]{1,16}|"[A-Za-z0-9._:-]{1,64}")"""
HEAD = re.compile(rb"""\{ ?(?:"jsonrpc": ?"2\.0", ?)?"id": ?""" + _ID + rb"[,}]")
TAIL = re.compile(rb""","id": ?""" + _ID + rb""" ?\}[\r\n]{0,2}\Z""")


def refusal(message: bytes, why: str) -> str:
    """The line that refuses a message of stdio, under the message's id where that is its first or last member."""
    found = HEAD.match(message[:LONGEST_ID]) or TAIL.search(message[-LONGEST_ID:])
    identifier = found[1].decode("ascii") if found else "null"
    error = json.dumps({"code": INVALID_REQUEST, "message": why})
    return f'{{"jsonrpc":"2.0","id":{identifier},"error":{error}}}\n'
