"""What hosting is set to: where the server listens, by which address clients know it, and whom it believes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from saasus_mcp.settings.addresses import (
    HIGHEST_PORT,
    Algorithm,
    HostName,
    ProviderUrl,
    PublicUrl,
    WebOrigin,
    is_loopback,
)
from saasus_mcp.settings.console import ConsoleTable
from saasus_mcp.settings.errors import SettingsError
from saasus_mcp.settings.strict import StrictModel

MEBIBYTE = 1024 * 1024


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class HttpTable(StrictModel):
    """`[http]`: where the server listens and what it lets in.

    Attributes:
        public_url: the origin by which clients reach it, through the reverse proxy.
        allowed_hosts: names in a request's Host header beside that of public_url and those of loopback.
        allowed_origins: of pages that may call it, beside public_url and loopback.
        body_limit: bytes of one request.
        connections: requests at once, open streams included.
        connections_per_caller: of these, for one principal; left out, a fifth, or all where nobody is asked who they are.
        calls_per_caller: calls of one principal that wait for the API at once. Further ones wait behind them.
        sessions_per_caller: sessions of older protocols that one principal may have open.
        metrics: whether /metrics answers anybody. Else it takes a token, where tokens are needed at all.
    """

    host: HostName = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=HIGHEST_PORT)
    public_url: PublicUrl | None = None
    allowed_hosts: frozenset[HostName] = frozenset()
    allowed_origins: frozenset[WebOrigin] = frozenset()
    body_limit: int = Field(default=4 * MEBIBYTE, ge=1024, le=64 * MEBIBYTE)
    connections: int = Field(default=1000, ge=1, le=100_000)
    connections_per_caller: int | None = Field(default=None, ge=1, le=100_000)
    calls_per_caller: int = Field(default=20, ge=1, le=100)
    sessions_per_caller: int = Field(default=100, ge=1, le=10_000)
    metrics: bool = False

    @field_validator("connections_per_caller")
    @classmethod
    def _within_all(cls, share: int | None, info: ValidationInfo) -> int | None:
        """A share that is larger than the whole was meant for something else."""
        if share is not None and share > info.data.get("connections", share):
            raise ValueError("must not exceed `connections`")
        return share


class JwtTable(StrictModel):
    """`[auth.jwt]`: the identity provider whose access tokens are accepted.

    Attributes:
        audience: what a token's `aud` must contain one of; left out, the URL of this server's /mcp.
        subject_claim: the claim that says who the caller is, the same whatever program they use.
        groups_claim: the claim with the caller's groups, by its name or a dotted path.
        scopes: what every token must have.
        leeway: seconds that the clocks may differ.
    """

    issuer: ProviderUrl
    jwks_url: ProviderUrl
    audience: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)] = ()
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    subject_claim: str = Field(default="sub", min_length=1, max_length=200)
    groups_claim: str = Field(default="groups", min_length=1, max_length=200)
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,100}$")], ...] = ()
    leeway: int = Field(default=30, ge=0, le=300)


class AuthTable(StrictModel):
    """`[auth]`: whom the server believes.

    Attributes:
        tokens: whether tokens of `saasus-mcp token` are accepted; left out, wherever authentication is needed.
    """

    tokens: bool | None = None
    jwt: JwtTable | None = None


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What hosting is set to, settled between flags, environment and file.

    Attributes:
        public_url: never empty; on a private loopback where the server listens.
        asked_tokens: whether the file says that tokens are accepted; None where it says nothing.
        table: the rest of `[http]`.
        console: `[console]`.
    """

    host: str
    port: int
    public_url: str
    configured_tokens: bool | None
    jwt: JwtTable | None
    table: HttpTable
    console: ConsoleTable

    @property
    def exposed(self) -> bool:
        """Whether others than this machine can reach the server, directly or through a proxy."""
        return not is_loopback(self.host) or not is_loopback(urlsplit(self.public_url).hostname or "")

    @property
    def authenticated(self) -> bool:
        """Whether a caller must show a token. Without, whoever reaches the port is the owner of the machine."""
        return self.exposed or self.jwt is not None or self.configured_tokens is True

    @property
    def tokens(self) -> bool:
        """Whether tokens of `saasus-mcp token` are accepted."""
        return self.authenticated and self.configured_tokens is not False

    @property
    def resources(self) -> tuple[str, ...]:
        """The URLs that access tokens are issued for (RFC 8707)."""
        return f"{self.public_url}/mcp", f"{self.public_url}/sse"


def resolve_http_settings(
    table: HttpTable,
    auth: AuthTable,
    host: str | None,
    port: int | None,
    public_url: str | None,
    *,
    console: ConsoleTable | None = None,
) -> HttpSettings:
    """What holds of a file's tables and of what flags or the environment say instead.

    Raises:
        SettingsError: others could reach the server, and it is not said by which address.
    """
    listens, at = host or table.host, table.port if port is None else port
    known_as = public_url or table.public_url
    if known_as is None and not is_loopback(listens):
        raise SettingsError(
            f"SAASUS_MCP_PUBLIC_URL is not set, and other machines can reach {listens}.",
            "Set it to the https address by which clients reach the server, which takes authentication too "
            "(docs/hosting.md), or listen on 127.0.0.1.",
        )
    private = f"http://{f'[{listens}]' if ':' in listens else listens}:{at}"
    return HttpSettings(listens, at, known_as or private, auth.tokens, auth.jwt, table, console or ConsoleTable())
