"""The API's side of SAASUSSIGV1: compute the signature again over the raw bytes, and compare.

It does not share code with `saasus.signature`, so that a mistake there is found here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from saasus_mcp.saasus.signature import Credentials
from saasus_mcp.sandbox.incoming_request import IncomingRequest
from saasus_mcp.sandbox.refusals import unauthorized

TOLERANCE = 5
"""Minutes by which the caller's clock may be off. The API's own tolerance is not documented."""

HEADER = re.compile(r"SAASUSSIGV1 Sig=([0-9a-f]{64}), ?SaaSID=([^,\s]+), ?APIKey=([^,\s]+)")


def verify_signature(credentials: Credentials, incoming: IncomingRequest, now: datetime) -> None:
    """Accept a request that these credentials signed within the tolerance.

    Raises:
        Refusal: the signature does not fit (401).
    """
    found = HEADER.fullmatch(incoming.headers.get("authorization", ""))
    if found is None:
        raise unauthorized("The Authorization header is missing or is not a SAASUSSIGV1 signature.")
    signature, saas_id, api_key = found.groups()
    if (saas_id, api_key) != (credentials.saas_id, credentials.api_key):
        raise unauthorized("The SaaS id or the API key is not known.")
    offsets = sorted(range(-TOLERANCE, TOLERANCE + 1), key=abs)
    if not any(hmac.compare_digest(signature, _signature(credentials, incoming, now, offset)) for offset in offsets):
        raise unauthorized("The signature does not match, or its time is too far off.")


def _signature(credentials: Credentials, incoming: IncomingRequest, now: datetime, offset: int) -> str:
    timestamp = (now.astimezone(UTC) + timedelta(minutes=offset)).strftime("%Y%m%d%H%M")
    place = incoming.headers.get("host", "") + incoming.target
    message = (timestamp + credentials.api_key + incoming.method + place).encode("latin-1") + incoming.body
    return hmac.new(credentials.secret_key.encode(), message, hashlib.sha256).hexdigest()
