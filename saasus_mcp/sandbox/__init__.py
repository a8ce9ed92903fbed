"""An emulator of the SaaSus API, in process or on a local port, for use without an account."""

from saasus_mcp.sandbox.app import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.server import serve_sandbox

__all__ = ["CREDENTIALS", "Sandbox", "serve_sandbox"]
