"""Attacks by the environment, the working directory, and the files of the server and of its clients."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saasus_mcp.cli import state
from saasus_mcp.cli.destination import check_prerequisites
from saasus_mcp.cli.install.server_command import installed_command
from saasus_mcp.clients.detection import detect_servers
from saasus_mcp.clients.known_clients import CLIENTS, Machine
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.permissions.secrets.passphrase import PassphraseError
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.profiles import load_profiles
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store import folder_stores
from saasus_mcp.store.errors import StoreError
from tests.support import hostile_folder
from tests.support.attack_corpus import AttackContext, attack
from tests.support.commands import run_command
from tests.support.saas_store import open_saas_store

AREA = "Settings and files"
NAMES = ("SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY")
SECRET = "hush-4f1b9c"
ENTRY = (("sandbox", True), ("lang", "en"))


def assert_refused(ground: AttackContext, said: str, **variables: str) -> str:
    """Set variables. Assert that the server does not start and reports this without the value."""
    for name, value in variables.items():
        ground.monkeypatch.setenv(name, value)
    with pytest.raises(SaasusMcpError) as caught:
        check_prerequisites(read_settings())
    assert said in str(caught.value), str(caught.value)
    assert SECRET not in str(caught.value)
    return "the server does not start"


def assert_credentials_refused(ground: AttackContext, **wrong: str) -> None:
    for name in NAMES:
        ground.monkeypatch.setenv(name, wrong.get(name, SECRET))


def state_folder(ground: AttackContext) -> Path:
    """Return the state folder of a server that has run."""
    folder = ground.folder / "state"
    check_prerequisites(read_settings(**dict(ENTRY)))
    assert read_settings().state_folder == folder
    return folder


def assert_not_started(said: str) -> str:
    with pytest.raises(SaasusMcpError) as caught:
        check_prerequisites(read_settings(**dict(ENTRY)))
    assert said in str(caught.value), str(caught.value)
    return "the server does not start; the error has the command that fixes it"


@attack(AREA, "A misspelt safeguard: SAASUS_MCP_READONLY=1")
async def misspelt(ground: AttackContext) -> str:
    return (
        assert_refused(ground, "did you mean SAASUS_MCP_READ_ONLY?", SAASUS_MCP_READONLY="1")
        + "; the error names the nearest setting"
    )


@attack(AREA, "A misspelt prefix: SASUS_MPC_READ_ONLY=1")
async def misspelt_prefix(ground: AttackContext) -> str:
    return (
        assert_refused(ground, "did you mean SAASUS_MCP_READ_ONLY?", SASUS_MPC_READ_ONLY="1")
        + "; the error names the nearest setting"
    )


@attack(AREA, "An unknown variable whose name is long and holds control characters of a terminal")
async def escaping_name(ground: AttackContext) -> str:
    ground.monkeypatch.setenv("SAASUS_MCP_\x1b]0;x\x07" + "A" * 10_000, SECRET)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return "the server does not start; the name is cut and shown as text"


@attack(AREA, "One setting in two spellings that disagree: SAASUS_MCP_MODE=strict and saasus_mcp_mode=guarded")
async def two_spellings(ground: AttackContext) -> str:
    return assert_refused(ground, "set more than once", SAASUS_MCP_MODE="strict", saasus_mcp_mode="guarded")


@attack(AREA, "A misspelt key of config.toml: [profiles.a] group instead of groups")
async def misspelt_key(ground: AttackContext) -> str:
    (ground.folder / "config.toml").write_text("version = 1\n[profiles.a]\ngroup = ['x']\n", encoding="utf-8")
    return assert_refused(ground, "did you mean groups?") + "; the error names the nearest key"


@attack(AREA, "A relative state folder")
async def relative_state(ground: AttackContext) -> str:
    return assert_refused(ground, "write an absolute path", SAASUS_MCP_STATE_DIR="state")


@attack(AREA, "A state folder with a placeholder that no client replaced")
async def placeholder_state(ground: AttackContext) -> str:
    return assert_refused(ground, "write an absolute path", SAASUS_MCP_STATE_DIR="/home/${USER}/state")


@attack(AREA, "A database address whose password file is relative")
async def relative_passfile(ground: AttackContext) -> str:
    keys = {
        "SAASUS_MCP_SEALING_KEYS": "A" * 43 + "=",
        "SAASUS_MCP_DATABASE_URL": f"postgresql://u:{SECRET}@h/d?passfile=p",
    }
    return assert_refused(ground, "passfile: write an absolute path", **keys)


def credential(title: str, value: str) -> None:
    @attack(AREA, title)
    async def run_it(ground: AttackContext) -> str:
        assert_credentials_refused(ground, SAASUS_SECRET_KEY=value)
        return assert_refused(ground, "SAASUS_SECRET_KEY: ") + "; the error names the variable and not the value"


credential("A secret key with a line break at its end", f"{SECRET}\n")
credential("A secret key in quotation marks", f'"{SECRET}"')
credential("A secret key after a byte order mark", f"\ufeff{SECRET}")
credential("A secret key with a full-width letter", f"{SECRET}ｘ")
credential("A placeholder of Cursor as the secret key: `${env:NAME}`", "${env:SAASUS_SECRET_KEY}")
credential("A placeholder of a template as the secret key: `{{NAME}}`", "{{SAASUS_SECRET_KEY}}")
credential("A placeholder of Windows as the secret key: `%NAME%`", "%SAASUS_SECRET_KEY%")
credential("The documentation's example as the secret key: `<your key>`", "<your key>")
credential("The documentation's example as the secret key: `YOUR_SECRET_KEY`", "YOUR_SECRET_KEY")


@attack(AREA, "A placeholder in a secret's file of a hosted profile")
async def placeholder_file(ground: AttackContext) -> str:
    (ground.folder / "key").write_text("${SECRET_KEY}\n", encoding="utf-8")
    source = f"{{file = '{ground.folder}/key'}}"
    (ground.folder / "config.toml").write_text(
        f"version = 1\n[profiles.a]\nsaas_id = 's-1'\napi_key = {source}\nsecret_key = {source}\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError, match=r"profiles\.a\.api_key"):
        load_profiles(read_settings())
    return "the server does not start; the error names the profile and the field"


@attack(AREA, "A named pipe as config.toml, which never ends")
async def endless_config(ground: AttackContext) -> str:
    os.mkfifo(ground.folder / "config.toml")
    assert_credentials_refused(ground)
    return assert_refused(ground, "is not a regular file")


@attack(AREA, "A config.toml that everybody on the computer can write to")
async def open_config(ground: AttackContext) -> str:
    (ground.folder / "config.toml").write_text("version = 1\n", encoding="utf-8")
    (ground.folder / "config.toml").chmod(0o666)
    assert_credentials_refused(ground)
    return assert_refused(ground, "chmod 664")


@attack(AREA, "A state folder that everybody can write to")
async def open_state(ground: AttackContext) -> str:
    state_folder(ground).chmod(0o777)
    return assert_not_started("chmod 700")


def planted_key(title: str, plant: Callable[[Path, Path], None], said: str) -> None:
    @attack(AREA, title)
    async def run_it(ground: AttackContext) -> str:
        key, known = state_folder(ground) / state.KEY_FILE, ground.folder / "known"
        key.rename(ground.folder / "former")
        known.write_bytes(b"k" * 32)
        known.chmod(0o600)
        plant(key, known)
        return assert_not_started(said)


def assert_key_rejected(key: Path, known: Path) -> None:
    known.rename(key)
    key.chmod(0o644)


planted_key("A sealing key that is a link to a file of known bytes", lambda key, known: key.symlink_to(known), "rm ")
planted_key(
    "A sealing key that is a hard link to a file of known bytes", lambda key, known: key.hardlink_to(known), "cp -p "
)
planted_key("A named pipe as the sealing key", lambda key, _: os.mkfifo(key, 0o600), "not a regular file")
planted_key("A sealing key that others can read", assert_key_rejected, "chmod 600")


@attack(AREA, "A state folder that is a link to another user's")
async def linked_state(ground: AttackContext) -> str:
    (ground.folder / "elsewhere").mkdir()
    (ground.folder / "state").symlink_to(ground.folder / "elsewhere")
    return assert_not_started("symbolic link")


@attack(AREA, "A database file that is a link, and a write-ahead log that is one")
async def linked_database(ground: AttackContext) -> str:
    folder = state_folder(ground)
    (database,) = folder.glob("*.sqlite3")
    other = ground.folder / "other"
    other.write_bytes(b"")
    log = database.with_name(database.name + "-wal")
    log.unlink(missing_ok=True)
    log.symlink_to(other)
    with pytest.raises(StoreError, match="symbolic link"):
        open_saas_store(folder, "sandbox")
    log.unlink()
    database.unlink()
    database.symlink_to(other)
    with pytest.raises(StoreError, match="symbolic link"):
        open_saas_store(folder, "sandbox")
    assert other.read_bytes() == b""
    return "neither is opened, and what they lead to stays empty"


@attack(AREA, "A named pipe in the place of the note that says whether writes are frozen")
async def endless_freeze(ground: AttackContext) -> str:
    folder = state_folder(ground)
    os.mkfifo(folder / folder_stores.FREEZE_FILE)
    freeze = folder_stores.read_folder_freeze(folder)
    assert freeze is not None
    assert "cannot be read" in freeze.reason
    return "nothing waits for it, and every write is held back"


@attack(AREA, "A passphrase file that asks for terabytes of memory, and one that is a link")
async def dear_passphrase(ground: AttackContext) -> str:
    folder = state_folder(ground)
    passphrase.save_passphrase(folder, "correct horse battery")
    file = folder / passphrase.PASSPHRASE_FILE
    kept = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**kept, "n": 2**40}), encoding="utf-8")
    with pytest.raises(PassphraseError, match="cannot be read"):
        passphrase.verify_passphrase(folder, "correct horse battery")
    file.rename(ground.folder / "moved")
    file.symlink_to(ground.folder / "moved")
    with pytest.raises(PassphraseError, match="symbolic link"):
        passphrase.verify_passphrase(folder, "correct horse battery")
    return "nobody is let through, and the memory is not asked for"


@attack(AREA, "Modules and settings files in the working directory, for the command that install writes")
async def hostile_script(ground: AttackContext) -> str:
    folder = hostile_folder.create_folder(ground.folder / "project")
    done = hostile_folder.run_in_folder([*installed_command(), "--version"], folder)
    assert (done.returncode, hostile_folder.executed_file(folder).exists()) == (0, False), done.stderr
    return "none is run or read"


@attack(AREA, "The same for an entry of an earlier version: python -m saasus_mcp")
async def hostile_module(ground: AttackContext) -> str:
    folder = hostile_folder.create_folder(ground.folder / "project")
    done = hostile_folder.run_in_folder([sys.executable, "-m", "saasus_mcp", "--version"], folder)
    assert (done.returncode, hostile_folder.executed_file(folder).exists()) == (0, False), done.stderr
    entry = {"command": sys.executable, "args": ["-m", "saasus_mcp"]}
    file = CLIENTS["cursor"].file(Machine("Linux", ground.folder, {}))
    file.parent.mkdir()
    file.write_text(json.dumps({"mcpServers": {"saasus": entry}}), encoding="utf-8")
    assert [one.flaw for one in detect_servers(Machine("Linux", ground.folder, {}))] == ["working_directory"]
    return "none is run or read, and doctor reports the entry"


def install(ground: AttackContext, file: Path, *flags: str) -> int:
    ground.monkeypatch.setenv("HOME", str(ground.folder))
    return run_command("install", "claude-desktop", "--file", str(file), "--yes", *flags).status


@attack(AREA, "install --file with a named pipe, a folder, a device, and a link to each")
async def install_over(ground: AttackContext) -> str:
    pipe, link = ground.folder / "pipe", ground.folder / "link"
    os.mkfifo(pipe)
    for target in (pipe, ground.folder, Path("/dev/zero")):
        before = target.stat().st_mode
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        statuses = [] if target.is_char_device() else [install(ground, target, "--sandbox")]
        assert {*statuses, install(ground, link, "--sandbox")} <= {1, 2}
        assert (target.stat().st_mode, link.is_symlink()) == (before, True)
    return "refused; each is what it was"


@attack(AREA, "install --write-secrets into a file that others can read")
async def readable_secrets(ground: AttackContext) -> str:
    assert_credentials_refused(ground)
    file = ground.folder / "client.json"
    file.write_text("{}", encoding="utf-8")
    file.chmod(0o644)
    assert install(ground, file, "--write-secrets") == 0
    assert SECRET in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    return "the file becomes readable by its owner alone"


@attack(AREA, "Credentials left in the state folder after install --write-secrets and --uninstall")
async def left_secrets(ground: AttackContext) -> str:
    assert_credentials_refused(ground)
    file = ground.folder / "client.json"
    file.write_text("{}", encoding="utf-8")
    assert install(ground, file, "--write-secrets") == 0
    assert install(ground, file, "--uninstall") == 0
    kept = [
        path for path in (ground.folder / "state").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert (kept, file.read_text(encoding="utf-8")) == ([], "{}")
    return "no file holds one"
