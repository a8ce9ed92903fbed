"""Refusals of the emulated API, in the API's form: a status, a `type` and a `message`."""

from __future__ import annotations


class Refusal(Exception):
    """A refused call, which changed nothing."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Refusal:
    """Return the refusal of an invalid request. The message names the field."""
    return Refusal(400, "invalid_parameter", message)


def not_now(message: str) -> Refusal:
    """Return the refusal of a valid request whose preconditions are not met."""
    return Refusal(400, "precondition_failed", message)


def unauthorized(message: str) -> Refusal:
    """Return the refusal of a signature, or of a token in the request."""
    return Refusal(401, "unauthorized", message)


def missing(noun: str) -> Refusal:
    """Return the refusal for an unknown record."""
    return Refusal(404, "not_found", f"The {noun} does not exist.")
