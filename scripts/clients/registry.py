"""Every client and framework that is tried. One more is one more line here and a module in `probes/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Client:
    """A client or framework.

    Attributes:
        key: its module in `probes/`.
        name: what the table calls it.
        source: the registry that has it.
        packages: what is installed. The first is the one whose version the table has.
        notes: keys of `wording.NOTES`.
    """

    key: str
    name: str
    source: Literal["PyPI", "npm"]
    packages: tuple[str, ...]
    notes: tuple[str, ...] = ()


def npm(key: str, name: str, package: str, *notes: str) -> Client:
    """Return a client that npm has."""
    return Client(key, name, "npm", (package,), notes)


def pypi(key: str, name: str, *packages: str, notes: tuple[str, ...] = ()) -> Client:
    """Return a client or framework that PyPI has."""
    return Client(key, name, "PyPI", packages, notes)


CLIENTS = (
    npm("inspector", "MCP Inspector CLI", "@modelcontextprotocol/inspector", "strict"),
    npm("claude_code", "Claude Code, `claude -p`", "@anthropic-ai/claude-code", "stand_in"),
    npm("gemini_cli", "Gemini CLI, `--yolo`", "@google/gemini-cli", "stand_in"),
    npm("codex", "Codex, `codex exec`, `approve`", "@openai/codex", "stand_in", "codex_approve"),
    npm("codex_default", "Codex, `codex exec`", "@openai/codex", "stand_in"),
    npm("mcporter", "mcporter", "mcporter"),
    npm("mcp_cli", "@wong2/mcp-cli", "@wong2/mcp-cli", "lists_for_a_person"),
    pypi("python_sdk", "MCP Python SDK", "mcp"),
    pypi("fastmcp", "FastMCP", "fastmcp"),
    pypi("langchain", "LangChain MCP adapters", "langchain-mcp-adapters", notes=("langchain",)),
    pypi("openai_agents", "OpenAI Agents SDK", "openai-agents"),
    pypi("pydantic_ai", "Pydantic AI", "pydantic-ai-slim[mcp,openai,google]", notes=("pydantic_ai",)),
    pypi("mcp_use", "mcp-use", "mcp-use", notes=("to_langchain",)),
    pypi("smolagents", "smolagents", "smolagents[mcp]", "mcp<2", notes=("mcp_1",)),
    pypi("google_genai", "Google Gen AI SDK", "google-genai", "mcp", notes=("conversion",)),
    pypi("anthropic", "Anthropic SDK", "anthropic[mcp]", notes=("conversion",)),
    pypi("google_adk", "Google ADK", "google-adk[mcp]"),
    pypi("llama_index", "LlamaIndex", "llama-index-tools-mcp"),
    pypi("strands", "Strands Agents", "strands-agents"),
    pypi("agno", "Agno", "agno", "fastmcp", "openai"),
    pypi("autogen", "AutoGen", "autogen-ext[mcp]", "autogen-agentchat", "mcp<2", notes=("mcp_1",)),
)
