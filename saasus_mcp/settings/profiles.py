"""Profiles: named sets of SaaSus credentials, from the configuration file or, where it has none, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from saasus_mcp.settings.credentials import find_credential_flaw
from saasus_mcp.settings.environment import Settings, known_variables, used_variable, variable_name
from saasus_mcp.settings.errors import SettingsError
from saasus_mcp.settings.secret_sources import SecretSource
from saasus_mcp.settings.unknown_variables import find_similar_variables, printable_name

if TYPE_CHECKING:
    from saasus_mcp.settings.config import ProfileTable

DEFAULT = "default"
Language = Literal["en", "ja"]
EVERYONE = "*"
COPY_EN = "Copy the value again from the place where it was issued, with nothing before or after it."
COPY_JA = "発行元の画面から値だけをコピーし直してください。"
FAULTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "no_profile": ("SAASUS_MCP_PROFILE: {file} has no profile {name!r}.", "Profiles: {known}."),
        "reference": (
            "{names}: the client passed a reference without resolving it.",
            "Set the referenced variable in the client's environment and restart the client.",
        ),
        "space": ("{names}: begins or ends with a space or a line break.", COPY_EN),
        "quotes": ("{names}: is in quotation marks.", COPY_EN),
        "characters": (
            "{names}: contains characters that are not used in keys (space, line break, byte order mark, full-width letters), or is too long.",
            COPY_EN,
        ),
        "example": ("{names}: is an example value.", COPY_EN),
        "missing": (
            "Missing credentials: {names}.",
            "Copy them from the SaaSus console (API key settings), or use `--sandbox`, which needs no account.",
        ),
        "missing_near": (
            "Missing credentials: {names}.",
            "{near} is set but not used: correct its name, or use `--sandbox`, which needs no account.",
        ),
    },
    "ja": {
        "no_profile": (
            "SAASUS_MCP_PROFILE: {file} に {name!r} というプロファイルはありません。",
            "使えるプロファイル: {known}",
        ),
        "reference": (
            "{names}: クライアントが環境変数への参照を値に置き換えずに渡しました。",
            "参照先の環境変数をクライアントの動く環境に設定し、クライアントを起動し直してください。",
        ),
        "space": ("{names}: 前後に空白か改行が入っています。", COPY_JA),
        "quotes": ("{names}: 引用符で囲まれています。", COPY_JA),
        "characters": (
            "{names}: キーでは使われない文字(空白、改行、BOM、全角文字など)が入っているか、長すぎます。",
            COPY_JA,
        ),
        "example": ("{names}: 説明用の例がそのまま設定されています。", COPY_JA),
        "missing": (
            "認証情報がありません: {names} が設定されていません。",
            "SaaSusの管理画面(APIキー)に表示される値を設定してください。アカウントなしで試すには `--sandbox` を指定します。",
        ),
        "missing_near": (
            "認証情報がありません: {names} が設定されていません。",
            "{near} が設定されていますが、使われない名前です。名前を直してください。アカウントなしで試すには `--sandbox` を指定します。",
        ),
    },
}
"""What is wrong with what a profile needs, and how to mend it. Most people's first start ends in one of these."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One set of credentials.

    Attributes:
        groups: of callers who may use it over HTTP; "*" is everyone who is authenticated.
        secrets: where to find what `secret://NAME` stands for, by name.
    """

    name: str
    saas_id: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    api_url_base: str
    groups: frozenset[str] = frozenset()
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)

    def read_secret(self, name: str) -> str | None:
        """What `secret://NAME` stands for, read now; None where this profile does not list the name.

        Raises:
            SettingsError: it is listed, and cannot be read.
        """
        source = self.secrets.get(name)
        return source.read() if source is not None else None


def load_profiles(settings: Settings) -> dict[str, Profile]:
    """Every profile there is, by name: those of the configuration file, else the environment's one.

    Raises:
        SettingsError: the file is not sound, or credentials are missing.
    """
    tables: Mapping[str, ProfileTable | None] = _tables(settings) or {settings.profile: None}
    return {name: _profile(settings, name, table) for name, table in tables.items()}


def load_profile(settings: Settings) -> Profile:
    """The chosen profile.

    Raises:
        SettingsError: there is none of that name, or its credentials are missing.
    """
    return _profile(settings, settings.profile, _table(settings))


def credential_variables(settings: Settings) -> dict[str, str]:
    """The environment variables that a server needs for the chosen profile's secrets, and what they hold now.

    A variable that is not set holds nothing; what a profile keeps in files needs no variable.

    Raises:
        SettingsError: the file is not sound, or has no profile of this name.
    """
    table = _table(settings)
    if table is None or table.saas_id is None:
        pairs = {variable_name(name): getattr(settings, name) for name in ("saas_id", "api_key", "secret_key")}
        found = {name: value if isinstance(value, str) else value.get_secret_value() for name, value in pairs.items()}
    else:
        found = {}
    for source in (table.saas_id, table.api_key, table.secret_key, *table.secrets.values()) if table else ():
        if isinstance(source, SecretSource) and source.env:
            found[source.env] = source.current_value()
    return found


def _tables(settings: Settings) -> Mapping[str, ProfileTable]:
    """The profiles of the configuration file; none where there is no file, whose reader is then not even imported.

    Raises:
        SettingsError: the file is not sound.
    """
    try:
        settings.config_file.stat()
    except FileNotFoundError:
        return {}
    except OSError:
        pass  # reading it will say what is wrong
    from saasus_mcp.settings.config import load_config  # noqa: PLC0415 - see above

    return load_config(settings.config_file).profiles


def _table(settings: Settings) -> ProfileTable | None:
    """The table of the chosen profile; None where all is in the environment."""
    tables = _tables(settings)
    table = tables.get(settings.profile)
    if table is None and tables:
        known = ", ".join(tables)
        raise _fault(settings.lang, "no_profile", file=str(settings.config_file), name=settings.profile, known=known)
    return table


def _profile(settings: Settings, name: str, table: ProfileTable | None) -> Profile:
    if table is None:
        return _from_environment(settings, name)
    if table.saas_id is None or table.api_key is None or table.secret_key is None:
        return replace(_from_environment(settings, name), groups=table.groups, secrets=table.secrets)
    saas_id = table.saas_id if isinstance(table.saas_id, str) else table.saas_id.read()
    api_key, secret_key = table.api_key.read(), table.secret_key.read()
    place = f"profiles.{name}."
    given = {f"{place}saas_id": saas_id, f"{place}api_key": api_key, f"{place}secret_key": secret_key}
    require_valid_credentials(given, settings.lang)
    return Profile(
        name=name,
        saas_id=saas_id,
        api_key=api_key,
        secret_key=secret_key,
        api_url_base=table.api_url_base,
        groups=table.groups,
        secrets=table.secrets,
    )


def _from_environment(settings: Settings, name: str) -> Profile:
    api_key, secret_key = settings.api_key.get_secret_value(), settings.secret_key.get_secret_value()
    given = {
        used_variable("saas_id"): settings.saas_id,
        used_variable("api_key"): api_key,
        used_variable("secret_key"): secret_key,
    }
    require_valid_credentials(given, settings.lang)
    missing = [each for each, value in given.items() if not value]
    if missing:
        near = find_similar_variables(missing, known_variables())
        what = "missing_near" if near else "missing"
        raise _fault(settings.lang, what, names=", ".join(missing), near=", ".join(map(printable_name, near)))
    return Profile(name, settings.saas_id, api_key, secret_key, settings.api_url_base)


def require_valid_credentials(given: Mapping[str, str], lang: Language, *, spaces: bool = False) -> None:
    """See that credentials are what was copied and nothing else. None is shown; empty ones are passed over.

    Args:
        given: each credential by the name of its setting.
        spaces: whether they may hold spaces.

    Raises:
        SettingsError: one is a placeholder, an example, or has something around it.
    """
    flaws = {
        name: found
        for name, value in given.items()
        if (found := find_credential_flaw(value, spaces=spaces)) is not None
    }
    if flaws:
        worst = next((each for each in flaws.values() if each == "reference"), next(iter(flaws.values())))
        raise _fault(lang, worst, names=", ".join(name for name, found in flaws.items() if found == worst))


def _fault(lang: Language, what: str, **given: str) -> SettingsError:
    message, mend = FAULTS[lang][what]
    return SettingsError(message.format(**given), mend.format(**given))
