"""What the emulated API refuses, in the API's shape: a status, a `type` and a `message`."""

from __future__ import annotations


class Refusal(Exception):
    """A call that is not carried out. Nothing was changed."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def invalid(message: str) -> Refusal:
    """The request itself is wrong: the message names the field."""
    return Refusal(400, "invalid_parameter", message)


def not_now(message: str) -> Refusal:
    """The request is sound, but what must hold first does not."""
    return Refusal(400, "precondition_failed", message)


def unauthorized(message: str) -> Refusal:
    """The signature, or a token in the request, is not accepted."""
    return Refusal(401, "unauthorized", message)


def missing(noun: str) -> Refusal:
    """There is no such thing."""
    return Refusal(404, "not_found", f"The {noun} does not exist.")
