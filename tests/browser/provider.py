"""A provider of OpenID Connect on this machine: whoever signs in picks a name, and no password is asked for."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "latent-explorer", "a secret of the client's"
AUTH = f"""[auth]
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{{}}/.well-known/openid-configuration"
"""
PEOPLE = {
    name: {"sub": f"id-of-{name}", "name": name.capitalize(), "email": f"{name}@example.org", "email_verified": True}
    for name in ("ada", "bob", "grace")
}


@contextmanager
def provider(port: int = 0) -> Iterator[str]:
    """Runs the provider; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}, auto_kid=False)
    granted: dict[str, dict[str, str]] = {}  # by code: what was asked for, and who agreed

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = dict(parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": self._me,
                    "authorization_endpoint": f"{self._me}/authorize",
                    "token_endpoint": f"{self._me}/token",
                    "jwks_uri": f"{self._me}/jwks",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif url.path == "/jwks":
            self._json({"keys": [self.key.as_dict(private=False)]})
        elif url.path == "/authorize" and asked.get("client_id") == CLIENT:
            self._authorize(asked)
        else:
            self.send_error(404)

    def _authorize(self, asked: dict[str, str]) -> None:
        if (who := asked.pop("who", "")) not in PEOPLE:
            links = (f'<a href="?{escape(urlencode({**asked, "who": name}))}">{name}</a>' for name in PEOPLE)
            self._answer(200, "text/html", " ".join(links).encode())
            return
        code = secrets.token_hex(8)
        self.granted[code] = {**asked, "who": who}
        self.send_response(302)
        back = urlencode({"code": code, "state": asked["state"]})
        self.send_header("Location", f"{asked['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        asked = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        client = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        grant = self.granted.pop(asked.get("code", ""), None)
        known = self.headers.get("Authorization") == f"Basic {client}"
        if self.path != "/token" or not known or grant is None or asked["redirect_uri"] != grant["redirect_uri"]:
            self._answer(400, "application/json", b'{"error": "invalid_grant"}')
            return
        now = int(time.time())
        claims = {"iss": self._me, "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": grant["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims | PEOPLE[grant["who"]], self.key)
        self._json({"access_token": "unused", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    @property
    def _me(self) -> str:
        return f"http://localhost:{self.server.server_port}"  # type: ignore[attr-defined]

    def _json(self, value: Any) -> None:
        self._answer(200, "application/json", json.dumps(value).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    with provider(8700) as address, suppress(KeyboardInterrupt):
        sys.stdout.write(f"{AUTH.format(address)}\nCtrl-C ends it.\n")
        sys.stdout.flush()
        Event().wait()
