"""An emulator of the SaaSus API, in process or on a local port, for use without an account."""

from saasus_mcp.sandbox.app import CREDENTIALS, SAAS_NAME, ReceivedRequest, Sandbox
from saasus_mcp.sandbox.faults import FaultInjector, InjectedFault
from saasus_mcp.sandbox.server import serve_sandbox

__all__ = ["CREDENTIALS", "SAAS_NAME", "FaultInjector", "InjectedFault", "ReceivedRequest", "Sandbox", "serve_sandbox"]
