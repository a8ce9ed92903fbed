"""What hosting is set to: each field of the file, what flags and the environment say instead, and every wrong value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from saasus_mcp.hosting.auth.jwt_auth import accepted_audiences
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.validation import SettingsError

JWT = """
[auth.jwt]
issuer = "https://login.example.com/realms/main"
jwks_url = "https://login.example.com/keys"
"""


OIDC = """
[console.oidc]
issuer = "https://login.example.com/realms/main"
client_id = "console"
approver_group = "approvers"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def hosting(file: Path, text: str = "", **flags: str | int) -> HttpSettings:
    file.write_text(f"version = 1\n{text}", encoding="utf-8")
    return load_http_settings(read_settings(**flags))


def test_with_nothing_said_it_is_a_private_server_of_its_owner(file: Path) -> None:
    found = hosting(file)
    assert (found.host, found.port, found.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert not found.exposed
    assert not found.authenticated
    assert not found.tokens


def test_the_file_says_everything(file: Path) -> None:
    found = hosting(
        file,
        """
[http]
host = "0.0.0.0"
port = 9000
public_url = "https://MCP.example.com:443/"
allowed_hosts = ["internal.example.com"]
allowed_origins = ["https://app.example.com/"]
body_limit = 2048
connections = 10
connections_per_caller = 4
calls_per_caller = 5
metrics = true
"""
        + JWT
        + """
audience = "api://saasus"
algorithms = ["ES256"]
groups_claim = "realm_access.roles"
scopes = ["mcp:tools"]
leeway = 5
""",
    )
    assert (found.host, found.port, found.public_url) == ("0.0.0.0", 9000, "https://mcp.example.com")  # noqa: S104 - as set
    assert (found.table.allowed_hosts, found.table.allowed_origins) == (
        frozenset({"internal.example.com"}),
        frozenset({"https://app.example.com"}),
    )
    assert (found.table.body_limit, found.table.connections, found.table.metrics) == (2048, 10, True)
    assert (found.table.connections_per_caller, found.table.calls_per_caller) == (4, 5)
    assert found.jwt is not None
    assert (found.jwt.audience, found.jwt.algorithms) == (("api://saasus",), ("ES256",))
    assert (found.jwt.groups_claim, found.jwt.scopes, found.jwt.leeway) == ("realm_access.roles", ("mcp:tools",), 5)


def test_flags_go_before_the_environment_and_that_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[http]\nport = 1\npublic_url = "https://file.example.com"'
    assert hosting(file, text).port == 1
    monkeypatch.setenv("SAASUS_MCP_PORT", "2")
    monkeypatch.setenv("SAASUS_MCP_HOST", "::1")
    monkeypatch.setenv("SAASUS_MCP_PUBLIC_URL", "https://environment.example.com")
    found = hosting(file, text)
    assert (found.host, found.port, found.public_url) == ("::1", 2, "https://environment.example.com")
    assert hosting(file, text, port=3).port == 3
    assert hosting(file, text, port=0).port == 0


@pytest.mark.parametrize(
    ("host", "public_url", "exposed"),
    [
        ("127.0.0.1", None, False),
        ("127.0.0.2", None, False),
        ("localhost", None, False),
        ("::1", None, False),
        ("127.0.0.1", "http://localhost:8000", False),
        ("127.0.0.1", "https://mcp.example.com", True),
        ("::1", "https://mcp.example.com", True),
        ("0.0.0.0", "https://mcp.example.com", True),  # noqa: S104 - as set
        ("0.0.0.0", "http://localhost:8000", True),  # noqa: S104 - as set
        ("::", "http://127.0.0.1", True),
        ("192.0.2.1", "https://localhost", True),
        ("mcp.internal", "https://mcp.example.com", True),
    ],
)
def test_a_server_that_others_can_reach_requires_authentication(
    file: Path, host: str, public_url: str | None, exposed: bool
) -> None:
    flags = {"host": host} | ({"public_url": public_url} if public_url else {})
    found = hosting(file, "", **flags)
    assert (found.exposed, found.authenticated, found.tokens) == (exposed, exposed, exposed)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "127.1", "mcp.internal"])  # noqa: S104 - as set
def test_a_server_that_others_can_reach_requires_a_public_address(file: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="SAASUS_MCP_PUBLIC_URL"):
        hosting(file, "", host=host)


@pytest.mark.parametrize(
    ("text", "authenticated", "tokens"),
    [
        ("", False, False),
        (JWT, True, True),
        ("[auth]\ntokens = true", True, True),
        ("[auth]\ntokens = false" + JWT, True, False),
    ],
    ids=["nothing", "a provider", "tokens", "a provider and no tokens"],
)
def test_on_loopback_authentication_is_what_is_asked_for(
    file: Path, text: str, authenticated: bool, tokens: bool
) -> None:
    found = hosting(file, text)
    assert (found.authenticated, found.tokens) == (authenticated, tokens)


def test_a_token_is_for_this_server_or_for_one_of_its_profiles(file: Path) -> None:
    found = hosting(file, '[http]\npublic_url = "https://mcp.example.com"' + JWT)
    assert accepted_audiences(found, ["staging"]) == {
        "https://mcp.example.com/mcp": None,
        "https://mcp.example.com/sse": None,
        "https://mcp.example.com/mcp/staging": {"staging"},
        "https://mcp.example.com/sse/staging": {"staging"},
    }


def test_where_its_audience_is_set_a_token_is_for_that_only(file: Path) -> None:
    found = hosting(file, JWT + 'audience = ["api://a", "api://b"]')
    assert accepted_audiences(found, ["staging"]) == {"api://a": None, "api://b": None}


WRONG = {
    '[http]\nhost = ""': "http.host",
    '[http]\nhost = "a b"': "http.host",
    '[http]\nhost = "mcp.example.com:80"': "http.host",
    "[http]\nport = 65536": "http.port",
    "[http]\nport = -1": "http.port",
    '[http]\npublic_url = "http://mcp.example.com"': "http.public_url: only https",
    '[http]\npublic_url = "https://mcp.example.com/sub"': "http.public_url: write an origin without a path",
    '[http]\npublic_url = "https://user@mcp.example.com"': "http.public_url",
    '[http]\npublic_url = "mcp.example.com"': "http.public_url",
    '[http]\nallowed_hosts = ["*"]': "http.allowed_hosts",
    '[http]\nallowed_hosts = ["https://a.example.com"]': "http.allowed_hosts",
    '[http]\nallowed_origins = ["*"]': "http.allowed_origins",
    '[http]\nallowed_origins = ["null"]': "http.allowed_origins",
    "[http]\nbody_limit = 1": "http.body_limit",
    "[http]\nconnections = 0": "http.connections",
    "[http]\nconnections = 10\nconnections_per_caller = 11": "http.connections_per_caller",
    "[http]\nconnections_per_caller = 0": "http.connections_per_caller",
    "[http]\ncalls_per_caller = 101": "http.calls_per_caller",
    "[http]\nports = 1": "http.ports",
    "[auth]\ntoken = true": "auth.token",
    '[auth.jwt]\nissuer = "https://a.example.com"': "auth.jwt.jwks_url",
    JWT.replace("https://login.example.com/keys", "http://login.example.com/keys"): "auth.jwt.jwks_url: only https",
    JWT.replace("https://login.example.com/keys", "file:///etc/keys"): "auth.jwt.jwks_url",
    JWT.replace("https://login.example.com/realms", "https://login.example.com/a|b"): "auth.jwt.issuer",
    JWT + 'algorithms = ["none"]': "auth.jwt.algorithms",
    JWT + 'algorithms = ["RS256", "HS256"]': "auth.jwt.algorithms",
    JWT + "algorithms = []": "auth.jwt.algorithms",
    JWT + 'audience = ""': "auth.jwt.audience",
    JWT + 'scopes = ["a b"]': "auth.jwt.scopes",
    JWT + "scopes = ['\"']": "auth.jwt.scopes",
    JWT + "leeway = 3600": "auth.jwt.leeway",
    JWT + 'groups_claim = ""': "auth.jwt.groups_claim",
    '[console]\nenabled = "maybe"': "console.enabled",
    OIDC + 'client_secret = "hush"': "console.oidc.client_secret: secrets must not be written here",
    OIDC + 'scopes = ["profile"]': 'console.oidc: scopes: "openid" must be one of them',
    OIDC + 'algorithms = ["HS256"]': "console.oidc.algorithms",
    OIDC.replace("https://login", "http://login"): "console.oidc.issuer: only https",
    OIDC.replace('approver_group = "approvers"', ""): "console.oidc.approver_group",
}


@pytest.mark.parametrize(("text", "place"), WRONG.items(), ids=[f"{number}" for number in range(len(WRONG))])
def test_a_wrong_value_stops_the_server_and_is_named(file: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        hosting(file, text)
    assert place in str(caught.value.message)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SAASUS_MCP_TRANSPORT", "sse"),
        ("SAASUS_MCP_HOST", "a b"),
        ("SAASUS_MCP_PORT", "http"),
        ("SAASUS_MCP_PORT", "70000"),
        ("SAASUS_MCP_PUBLIC_URL", "http://mcp.example.com"),
    ],
)
def test_a_wrong_value_in_the_environment_is_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        read_settings()


@pytest.mark.parametrize("page", ["hosting.md", "hosting.ja.md"])
@pytest.mark.parametrize("uncommented", [False, True], ids=["as it is", "with everything it leaves out"])
def test_the_example_of_the_documentation_is_sound(file: Path, uncommented: bool, page: str) -> None:
    documentation = Path(__file__).parents[2] / "docs" / page
    [example] = re.findall(r"```toml\n(.*?)```", documentation.read_text(encoding="utf-8"), re.DOTALL)
    text = re.sub(r"^# (?=[a-z_]+ = )", "", example, flags=re.MULTILINE) if uncommented else example
    file.write_text(text, encoding="utf-8")
    found = load_http_settings(read_settings())
    assert found.exposed
    assert found.jwt is not None
    assert found.table.allowed_hosts == (frozenset({"mcp.internal"}) if uncommented else frozenset())
    assert found.configured_tokens is (True if uncommented else None)


@pytest.mark.parametrize("page", ["console.md", "console.ja.md"])
@pytest.mark.parametrize("uncommented", [False, True], ids=["as it is", "with everything it leaves out"])
def test_the_example_of_the_consoles_documentation_is_sound(file: Path, uncommented: bool, page: str) -> None:
    documentation = Path(__file__).parents[2] / "docs" / page
    [example] = re.findall(r"```toml\n(.*?)```", documentation.read_text(encoding="utf-8"), re.DOTALL)
    text = re.sub(r"^# (?=[a-z_]+ = )", "", example, flags=re.MULTILINE) if uncommented else example
    oidc = hosting(file, text).console.oidc
    assert oidc is not None
    assert (oidc.approver_group, oidc.groups_claim, oidc.scopes) == ("saasus-approvers", "groups", ("openid",))
