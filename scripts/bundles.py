"""What clients install from, made from server.json and the version in saasus_mcp/__init__.py.

Writes the version into server.json, the bundle for Claude Desktop (bundles/mcpb), gemini-extension.json, and the buttons in both
READMEs. With --check it writes nothing and exits with 1 where one of them is stale.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from saasus_mcp import __version__
from saasus_mcp.clients.known_clients import CLIENTS
from saasus_mcp.clients.server_entry import LocalServer, ServerEntry, build_entry

ROOT = Path(__file__).resolve().parents[1]
NAME = "saasus"
READMES = {
    "README.md": ("Add to {client}", "Try in {client} (sandbox)", ()),
    "README.ja.md": ("{client}に追加", "{client}で試す(サンドボックス)", ("--lang", "ja")),
}
BEGIN, END = "<!-- buttons: made by scripts/bundles.py -->\n", "<!-- end of buttons -->\n"
TITLES = {
    "SAASUS_SAAS_ID": "SaaS ID",
    "SAASUS_API_KEY": "API key",
    "SAASUS_SECRET_KEY": "Secret key",
    "SAASUS_MCP_MODE": "Mode",
    "SAASUS_MCP_LANG": "Language",
    "SAASUS_MCP_SURFACE": "Surface",
}


def files() -> Iterator[tuple[Path, str]]:
    """Every file that is made here, and what belongs into it."""
    server = _server()
    yield ROOT / "server.json", _versioned((ROOT / "server.json").read_text(encoding="utf-8"))
    yield ROOT / "gemini-extension.json", _json(gemini(server))
    yield ROOT / "bundles" / "mcpb" / "manifest.json", _json(manifest(server))
    yield (
        ROOT / "bundles" / "mcpb" / "pyproject.toml",
        PROJECT.format(version=__version__, requires=_project("requires-python")),
    )
    for name, (add, attempt, flags) in READMES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        yield (
            ROOT / name,
            before + BEGIN + "\n".join(buttons(server, add, attempt, flags)) + "\n" + END + rest.partition(END)[2],
        )


PROJECT = """\
# Made by scripts/bundles.py: what uv installs when Claude Desktop starts the bundle.
[project]
name = "saasus-mcp-bundle"
version = "{version}"
requires-python = "{requires}"
dependencies = ["saasus-mcp=={version}"]

[tool.uv]
package = false
"""


def manifest(server: dict[str, Any]) -> dict[str, Any]:
    """Return the MCPB manifest, version 0.4: uv is the host's, credentials go to the system's keychain."""
    variables = server["packages"][0]["environmentVariables"]
    return {
        "manifest_version": "0.4",
        "name": server["packages"][0]["identifier"],
        "display_name": server["title"],
        "version": __version__,
        "description": server["description"],
        "author": {"name": "saasus-mcp"},
        "repository": {"type": "git", "url": server["repository"]["url"]},
        "documentation": f"{server['repository']['url']}/blob/main/docs/clients/claude-desktop.md",
        "server": {
            "type": "uv",
            "entry_point": "pyproject.toml",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "saasus-mcp"],
                "env": {each["name"]: f"${{user_config.{_key(each)}}}" for each in variables},
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "keywords": ["saasus", "saas", "tenants", "billing"],
        "license": _project("license"),
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": _project("requires-python")},
        },
        "user_config": {_key(each): _setting(each) for each in variables},
    }


def gemini(server: dict[str, Any]) -> dict[str, Any]:
    """Return the extension for Gemini CLI, which asks for the settings and keeps the secret ones in the keychain."""
    needed = [each for each in server["packages"][0]["environmentVariables"] if each.get("isRequired")]
    local = _local(server)
    return {
        "name": server["packages"][0]["identifier"],
        "version": __version__,
        "description": server["description"],
        "mcpServers": {NAME: dict(build_entry(CLIENTS["gemini"], local, NAME).value)},
        "settings": [
            {
                "name": TITLES[each["name"]],
                "description": each["description"],
                "envVar": each["name"],
                "sensitive": bool(each.get("isSecret")),
            }
            for each in needed
        ],
    }


def buttons(server: dict[str, Any], add: str, attempt: str, flags: tuple[str, ...]) -> Iterator[str]:
    """Yield one-click links with references instead of credentials, then the same for the sandbox.

    Args:
        flags: given to the server that a link starts.
    """
    for words, local in ((add, _local(server)), (attempt, LocalServer(("uvx", "saasus-mcp", "--sandbox")))):
        for key, link in (("cursor", _cursor), ("vscode", _vscode)):
            client = CLIENTS[key]
            held = LocalServer((*local.command, *flags, "--surface", "compact"), credentials=local.credentials)
            title = words.format(client=client.title)
            badge = f"https://img.shields.io/badge/{quote(title.replace('-', '--'))}-24292f?style=flat-square"
            yield f"[![{title}]({badge})]({link(build_entry(client, held, NAME))})"


def _cursor(made: ServerEntry) -> str:
    config = base64.b64encode(_compact(made.value).encode()).decode()
    return f"https://cursor.com/en/install-mcp?name={NAME}&config={quote(config)}"


def _vscode(made: ServerEntry) -> str:
    inputs = f"&inputs={quote(_compact(list(map(dict, made.inputs))))}" if made.inputs else ""
    return f"https://insiders.vscode.dev/redirect/mcp/install?name={NAME}{inputs}&config={quote(_compact(made.value))}"


def _local(server: dict[str, Any]) -> LocalServer:
    package = server["packages"][0]
    needed = tuple(each["name"] for each in package["environmentVariables"] if each.get("isRequired"))
    return LocalServer((package["runtimeHint"], package["identifier"]), credentials=needed)


def _setting(variable: dict[str, Any]) -> dict[str, Any]:
    setting = {
        "type": "string",
        "title": TITLES[variable["name"]],
        "description": variable["description"],
        "required": variable.get("isRequired", False),
        "sensitive": variable.get("isSecret", False),
    }
    return {**setting, "default": variable["default"]} if "default" in variable else setting


def _key(variable: dict[str, Any]) -> str:
    return str(variable["name"]).lower().removeprefix("saasus_").removeprefix("mcp_")


def _server() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    return found


def _versioned(text: str) -> str:
    return re.sub(r'"version": "[^"]*"', f'"version": "{__version__}"', text)


def _project(name: str) -> str:
    """Return a text of the project's metadata."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][name])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    for file, text in files():
        if "--check" not in sys.argv[1:]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{file.relative_to(ROOT)} is stale: run `make generated` and review its difference")


if __name__ == "__main__":
    main()
