"""What a client is told of where to get a token: RFC 9728 metadata and the WWW-Authenticate header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from saasus_mcp.hosting import request_narrowing

WELL_KNOWN_PATH = "/.well-known/oauth-protected-resource"
RESOURCE_NAME = "SaaSus MCP"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What this resource server says of itself.

    Attributes:
        public_url: the origin by which clients reach it.
        issuer: of access tokens; empty where only this server's own tokens are accepted, which no client can fetch.
        scopes: what an access token must have.
    """

    public_url: str
    issuer: str = ""
    scopes: tuple[str, ...] = ()

    def challenge_header(self, path: str, error: str = "", description: str = "") -> str:
        """The WWW-Authenticate header for a path (RFC 6750, RFC 9728)."""
        said = {
            "realm": RESOURCE_NAME,
            "error": error,
            "error_description": description,
            "scope": " ".join(self.scopes),
        }
        if self.issuer:
            said["resource_metadata"] = f"{self.public_url}{WELL_KNOWN_PATH}{quote(_resource(path))}"
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in said.items() if value)

    def metadata(self, path: str) -> dict[str, Any]:
        """The metadata of the resource at a path. Issuers are written as configured: clients compare them letter by letter."""
        return {
            "resource": f"{self.public_url}{quote(path)}",
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": RESOURCE_NAME,
            **({"scopes_supported": list(self.scopes)} if self.scopes else {}),
        }

    def routes(self) -> list[Route]:
        """Where the metadata is served, to anybody. Any profile's name has it: which there are is not told here."""
        if not self.issuer:
            return []

        def metadata(request: Request) -> JSONResponse:
            path = request.url.path.removeprefix(WELL_KNOWN_PATH).rstrip("/")
            return JSONResponse(self.metadata(request_narrowing.strip_narrowing(path)))

        paths = ("/mcp", "/mcp/{profile}", "/sse", "/sse/{profile}")
        narrowed = (path for base in paths for path in request_narrowing.narrowed_paths(base))
        return [Route(WELL_KNOWN_PATH + path, metadata) for path in (*paths, *narrowed)]


def _resource(path: str) -> str:
    """The resource to which a path belongs: that of MCP over SSE for its messages, and /mcp for what is none itself.

    A narrowed path belongs to the resource without the narrowing: one token is for all of them.
    """
    named = request_narrowing.strip_narrowing(path.rstrip("/").replace("/messages/", "/sse/", 1))
    return named if named.startswith(("/mcp", "/sse")) else "/mcp"
