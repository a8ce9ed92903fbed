"""Settings of a hosted server: where it listens, its public URL, its callers' identity providers, and the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from saasus_mcp.common.messages import message
from saasus_mcp.settings.addresses import HIGHEST_PORT, MAX_WORKERS, Algorithm, is_loopback
from saasus_mcp.settings.models import HostName, ProviderUrl, PublicUrl, SecretSourceField, StrictModel, WebOrigin
from saasus_mcp.settings.validation import InvalidValue, SettingsError

MEBIBYTE = 1024 * 1024
_ScopeName = Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,100}$")]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class HttpTable(StrictModel):
    """`[http]`: where the server listens and which requests it accepts.

    Attributes:
        public_url: origin by which clients reach the server through the reverse proxy.
        allowed_hosts: accepted Host headers, in addition to the host of public_url and loopback.
        allowed_origins: origins of pages that may call the server, in addition to public_url and loopback.
        workers: processes that serve the port.
        body_limit: maximum size of a request in bytes.
        connections: maximum number of concurrent requests, open streams included.
        connections_per_caller: maximum for one principal; by default a fifth, or all without authentication.
        calls_per_caller: calls of one principal that wait for the API at the same time. Further calls queue.
        leave_seconds: time after SIGTERM in which the server takes requests and /readyz is 503, so that balancers turn away.
        metrics: /metrics needs no token. Otherwise it needs one wherever authentication is on.
    """

    host: HostName = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=HIGHEST_PORT)
    public_url: PublicUrl | None = None
    allowed_hosts: frozenset[HostName] = frozenset()
    allowed_origins: frozenset[WebOrigin] = frozenset()
    workers: int = Field(default=1, ge=1, le=MAX_WORKERS)
    body_limit: int = Field(default=4 * MEBIBYTE, ge=1024, le=64 * MEBIBYTE)
    connections: int = Field(default=1000, ge=1, le=100_000)
    connections_per_caller: int | None = Field(default=None, ge=1, le=100_000)
    calls_per_caller: int = Field(default=20, ge=1, le=100)
    leave_seconds: float = Field(default=5.0, ge=0, le=300)
    metrics: bool = False

    @field_validator("connections_per_caller")
    @classmethod
    def _within_connections(cls, share: int | None, info: ValidationInfo) -> int | None:
        if share is not None and share > info.data.get("connections", share):
            raise InvalidValue(message("settings.more_than_connections"))
        return share


class ProviderTable(StrictModel):
    """What every identity provider has.

    Attributes:
        subject_claim: claim with the user id, the same in every client. It must be equal in both tables; otherwise one person
            counts as two and could approve their own calls.
        groups_claim: claim with the groups, a name or a dotted path.
        name_claim, email_claim: claims with the display name and the address, for people.
        leeway: accepted clock difference in seconds.
    """

    issuer: ProviderUrl
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    subject_claim: str = Field(default="sub", min_length=1, max_length=200)
    groups_claim: str = Field(default="groups", min_length=1, max_length=200)
    name_claim: str = Field(default="name", min_length=1, max_length=200)
    email_claim: str = Field(default="email", min_length=1, max_length=200)
    leeway: int = Field(default=30, ge=0, le=300)


class JwtTable(ProviderTable):
    """`[auth.jwt]`: the identity provider whose access tokens are accepted.

    Attributes:
        audience: accepted values of `aud`; by default the URL of this server's /mcp.
    """

    jwks_url: ProviderUrl
    audience: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_tuple)] = ()
    scopes: tuple[_ScopeName, ...] = ()


class AuthTable(StrictModel):
    """`[auth]`: how callers authenticate.

    Attributes:
        tokens: tokens of `saasus-mcp token` are accepted; by default wherever authentication is needed.
    """

    tokens: bool | None = None
    jwt: JwtTable | None = None


class OidcTable(ProviderTable):
    """`[console.oidc]`: the identity provider through which approvers sign in.

    Attributes:
        client_id: the console's client id. The provider redirects to /console/sso/callback.
        client_secret: omitted for a public client. PKCE is always used.
        approver_group: group of the provider whose members may sign in. Their other groups decide on profiles.
    """

    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretSourceField | None = None
    approver_group: str = Field(min_length=1, max_length=200)
    scopes: tuple[_ScopeName, ...] = ("openid",)

    @model_validator(mode="after")
    def _require_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise InvalidValue(message("settings.openid_scope"))
        return self


class ConsoleTable(StrictModel):
    """`[console]`: the web pages at /console."""

    enabled: bool = True
    oidc: OidcTable | None = None


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The settings of hosting, resolved from options, environment and file.

    Attributes:
        public_url: never empty; the listening address on a private loopback.
        configured_tokens: `[auth].tokens`; None if the file does not set it.
        table: the rest of `[http]`.
        console: `[console]`.
        workers: processes that serve the port.
    """

    host: str
    port: int
    public_url: str
    configured_tokens: bool | None
    jwt: JwtTable | None
    table: HttpTable
    console: ConsoleTable
    workers: int = 1

    @property
    def exposed(self) -> bool:
        """True if other machines can reach the server, directly or through a proxy."""
        return not is_loopback(self.host) or not is_loopback(urlsplit(self.public_url).hostname or "")

    @property
    def leave_seconds(self) -> float:
        """Seconds in which a stopping server still takes requests. Only a hosted server has a balancer before it."""
        return self.table.leave_seconds if self.authenticated else 0.0

    @property
    def authenticated(self) -> bool:
        """True if a caller needs a token. Otherwise everyone who reaches the port acts as the owner of the machine."""
        return self.exposed or self.jwt is not None or self.configured_tokens is True

    @property
    def tokens(self) -> bool:
        """True if tokens of `saasus-mcp token` are accepted."""
        return self.authenticated and self.configured_tokens is not False

    @property
    def resources(self) -> tuple[str, ...]:
        """The URLs for which access tokens are issued (RFC 8707)."""
        return f"{self.public_url}/mcp", f"{self.public_url}/sse"


def resolve_http_settings(
    table: HttpTable,
    auth: AuthTable,
    *,
    console: ConsoleTable | None = None,
    host: str | None = None,
    port: int | None = None,
    public_url: str | None = None,
    workers: int | None = None,
) -> HttpSettings:
    """Return the settings of hosting. `host`, `port`, `public_url` and `workers` of options or the environment precede the file.

    Raises:
        SettingsError: other machines can reach the server, and it has no public URL.
    """
    host, port = host or table.host, table.port if port is None else port
    public_url = public_url or table.public_url
    if public_url is None and not is_loopback(host):
        raise SettingsError.of("settings.public_url_required", host=host)
    private = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return HttpSettings(
        host,
        port,
        public_url or private,
        auth.tokens,
        auth.jwt,
        table,
        console or ConsoleTable(),
        workers or table.workers,
    )
