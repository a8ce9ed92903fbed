"""Clients' files as people have them: comments, other servers, odd indentation, byte order marks, every kind of line end."""

from __future__ import annotations

JSON = {
    "none": None,
    "empty": "",
    "only a newline": "\n",
    "empty object": "{}",
    "empty object on two lines": "{\n}\n",
    "no servers": '{\n    "theme": "dark",\n    "scale": 1.50\n}\n',
    "empty servers": '{\n  "SERVERS": {}\n}\n',
    "other servers": '{\n  "SERVERS": {\n    "files": {"command": "npx", "args": ["-y", "files"], "env": {"TOKEN": "other-secret"}}\n  }\n}\n',
    "tabs": '{\n\t"SERVERS": {\n\t\t"files": {\n\t\t\t"command": "npx"\n\t\t}\n\t}\n}\n',
    "indented by three, no last newline": '{\n   "SERVERS": {\n      "a": {"command": "a"},\n      "b": {"command": "b"}\n   }\n}',
    "one line": '{"SERVERS":{"a":{"command":"a"}},"n":1e3}',
    "odd": '{ "SERVERS" :\n      {\n  "a":\n {"command" : "a" }\n\n\n},\n "x":[ 1,2 , 3 ] }\n\n',
    "unicode and escapes": '{\n  "名前": "\\u3042\\/あ",\n  "SERVERS": {"日本": {"command": "a"}}\n}\n',
    "windows": '{\r\n  "SERVERS": {\r\n    "a": {\r\n      "command": "a"\r\n    }\r\n  }\r\n}\r\n',
    "byte order mark": '\ufeff{\r\n  "SERVERS": {\r\n    "a": {"command": "a"}\r\n  }\r\n}\r\n',
    "same key twice": '{\n  "SERVERS": {"old": {}},\n  "SERVERS": {"a": {"command": "a"}}\n}\n',
}
COMMENTED = {
    "comments": '// mine\n{\n  /* all */ "SERVERS": { // here\n    "a": {"command": "a"} // last\n    // "b": {}\n  } /* end */\n}\n// bye\n',
    "trailing commas": '{\n  "SERVERS": {\n    "a": {\n      "command": "a",\n    }, // a\n  },\n}\n',
    "only a comment": '{\n  "SERVERS": {\n    // none yet\n  }\n}\n',
    "inputs of others": '{\n  "inputs": [\n    {"type": "promptString", "id": "other-token", "password": true}\n  ],\n  "SERVERS": {}\n}\n',
    "comment that looks like one of ours": '{\n  // "saasus": {"command": "uvx"},\n  "SERVERS": {"a": {"command": "//"}}\n}\n',
}
TOML = {
    "none": None,
    "empty": "",
    "no servers": '# mine\nmodel = "x"   # the best\n',
    "no last newline": 'model = "x"',
    "other servers": 'model = "x"\n\n[mcp_servers.files]\ncommand = "npx" # files\nenv = { TOKEN = "other-secret" }\n\n[projects."/home/x"]\ntrust_level = "trusted"\n',
    "sub-tables": '[mcp_servers.files]\ncommand = "npx"\n[mcp_servers.files.env]\nTOKEN = "other-secret"\n\n\n[tui]\ntheme = \'a\'\n',
    "windows": '# mine\r\nmodel = "x"\r\n\r\n[mcp_servers.a]\r\ncommand = "b"\r\n\r\n[tools]\r\nweb = true\r\n',
    "odd": '   [mcp_servers.a]\n\tcommand="b"\nargs=[ "1",\n  "2", # two\n]\n\n\n[[things]]\nx=1\n[[things]]\nx=2\n',
    "byte order mark": '\ufeffmodel = "x"\n',
    "spread": '[mcp_servers.a]\ncommand = "a"\n[tools]\nweb = true\n[mcp_servers.b]\ncommand = "b"\n',
}


def sample_files(client: str) -> dict[str, str | None]:
    """Return files of a client by what is odd about each. None stands for no file."""
    if client == "codex":
        return dict(TOML)
    texts = {**JSON, **(COMMENTED if client in {"vscode", "cursor"} else {})}
    servers = "servers" if client == "vscode" else "mcpServers"
    return {name: None if text is None else text.replace("SERVERS", servers) for name, text in texts.items()}
