"""Tell clients where to get a token: RFC 9728 metadata and the WWW-Authenticate header."""

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
    """This server as an OAuth protected resource.

    Attributes:
        public_url: the origin by which clients reach the server.
        issuer: the issuer of access tokens; empty if only tokens of this server are accepted, which clients cannot request.
        scopes: the scopes that an access token must have.
    """

    public_url: str
    issuer: str = ""
    scopes: tuple[str, ...] = ()

    def challenge_header(self, path: str, error: str = "", description: str = "") -> str:
        """Return the WWW-Authenticate header for a path (RFC 6750, RFC 9728)."""
        params = {
            "realm": RESOURCE_NAME,
            "error": error,
            "error_description": description,
            "scope": " ".join(self.scopes),
        }
        if self.issuer:
            params["resource_metadata"] = f"{self.public_url}{WELL_KNOWN_PATH}{quote(_resource_path(path))}"
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in params.items() if value)

    def metadata(self, path: str) -> dict[str, Any]:
        """Return the metadata of the resource at a path. Clients compare the issuer exactly, so it stays as configured."""
        return {
            "resource": f"{self.public_url}{quote(path)}",
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": RESOURCE_NAME,
            **({"scopes_supported": list(self.scopes)} if self.scopes else {}),
        }

    def routes(self) -> list[Route]:
        """Return the public routes of the metadata. They answer for any profile name, so they do not reveal which exist."""
        if not self.issuer:
            return []

        def metadata(request: Request) -> JSONResponse:
            path = request.url.path.removeprefix(WELL_KNOWN_PATH).rstrip("/")
            return JSONResponse(self.metadata(request_narrowing.strip_narrowing(path)))

        paths = ("/mcp", "/mcp/{profile}", "/sse", "/sse/{profile}")
        narrowed = (path for base in paths for path in request_narrowing.narrowed_paths(base))
        return [Route(WELL_KNOWN_PATH + path, metadata) for path in (*paths, *narrowed)]


def _resource_path(path: str) -> str:
    """Return the resource that a path belongs to.

    Messages belong to the SSE resource, a narrowed path to the resource without narrowing (one token is valid for all of
    them), and any other path to /mcp.
    """
    resource = request_narrowing.strip_narrowing(path.rstrip("/").replace("/messages/", "/sse/", 1))
    return resource if resource.startswith(("/mcp", "/sse")) else "/mcp"
