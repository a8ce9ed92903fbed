"""An emulator of the SaaSus API, in process or on a local port, for use without an account."""

from saasus_mcp.sandbox.app import CREDENTIALS, SAAS_NAME, Received, Sandbox
from saasus_mcp.sandbox.faults import Fault, Faults
from saasus_mcp.sandbox.serving import serve

__all__ = ["CREDENTIALS", "SAAS_NAME", "Fault", "Faults", "Received", "Sandbox", "serve"]
