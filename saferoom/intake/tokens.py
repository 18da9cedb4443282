"""By which token does a service let us in, and until when?

OAuth2 client credentials (RFC 6749 §4.4): we name ourselves by HTTP Basic (§2.3.1) and get a bearer
token (RFC 6750). It is kept in this process until it ends, and nowhere else.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote_plus, urlencode

from saferoom.core.service import TokenClient, read_origin
from saferoom.errors import Unavailable
from saferoom.intake.https import Reply

EARLY_SECONDS = 30.0  # before its end a token is as good as ended
LONGEST_REPLY = 2**16
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{1,8000}=*")  # RFC 6750 §2.1
Send = Callable[[str, str, dict[str, str], bytes], Reply]


class Tokens:
    """The token in force."""

    def __init__(self, client: TokenClient, send: Send, clock: Callable[[], float]) -> None:
        self._client, self._send, self._clock = client, send, clock
        self._token, self._ends = "", 0.0

    def header(self) -> dict[str, str]:
        """Write the header that lets us in, with a new token if there is none."""
        if self._clock() >= self._ends:
            self._token, seconds = _read(self._ask())
            self._ends = self._clock() + seconds - EARLY_SECONDS
        return {"Authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """Use the token no more: the service did not know it."""
        self._ends = 0.0

    def _ask(self) -> Reply:
        client = self._client
        who = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
        form = {"grant_type": "client_credentials"}
        if client.scope is not None:
            form["scope"] = client.scope
        headers = {
            "Authorization": f"Basic {base64.b64encode(who.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        path = read_origin(client.address).path or "/"
        return self._send("POST", path, headers, urlencode(form).encode())


def _read(reply: Reply) -> tuple[str, float]:
    """Read a token and how many seconds it lives; whatever else is there is not looked at."""
    try:
        body = json.loads(reply.body if len(reply.body) <= LONGEST_REPLY else b"")
    except (ValueError, RecursionError):
        body = None
    match body:
        case {"access_token": str(token), "token_type": str(kind)} if (
            reply.status == 200 and kind.lower() == "bearer" and _BEARER.fullmatch(token)
        ):
            lives = body.get("expires_in")
            known = type(lives) is int and 0 < lives < 10**9
            return token, float(lives) if known else 0.0
    raise Unavailable("SOURCE_UNAVAILABLE", "no token")
