"""What the console of a hosted server is set to: whether there is one, and who signs in to it by single sign-on."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from saasus_mcp.settings.addresses import Algorithm, ProviderUrl
from saasus_mcp.settings.secret_sources import SecretSourceField
from saasus_mcp.settings.strict import StrictModel


class OidcTable(StrictModel):
    """`[console.oidc]`: the identity provider through which approvers sign in.

    Attributes:
        client_id: the console's own at the provider, which sends people back to /console/sso/callback.
        client_secret: left out for a public client; PKCE is used either way.
        approver_group: whom of the provider's people it lets in. Their other groups say to which profiles.
        subject_claim: the claim that says who someone is: what [auth.jwt] has, or one person is two, who approves their own calls.
        groups_claim: the claim of the ID token with the groups, by its name or a dotted path.
        leeway: seconds that the clocks may differ.
    """

    issuer: ProviderUrl
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretSourceField | None = None
    approver_group: str = Field(min_length=1, max_length=200)
    subject_claim: str = Field(default="sub", min_length=1, max_length=200)
    groups_claim: str = Field(default="groups", min_length=1, max_length=200)
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,100}$")], ...] = ("openid",)
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    leeway: int = Field(default=30, ge=0, le=300)

    @model_validator(mode="after")
    def _is_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError('scopes: "openid" must be one of them')
        return self


class ConsoleTable(StrictModel):
    """`[console]`.

    Attributes:
        enabled: whether there is a console at /console.
    """

    enabled: bool = True
    oidc: OidcTable | None = None
