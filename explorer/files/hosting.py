"""The settings of a server that several people share: a TOML file, which `$EXPLORER_HOSTING` names.

| key | what |
|---|---|
| `url` | the address that people type, such as `https://latent.example.org` |
| `address`, `port` | where the server listens, for a proxy or for everybody |
| `hosts` | who may see and stop everything: verified e-mail addresses, or the ids that the app shows to people |
| `embed_in` | the origins whose pages may show the app in a frame, such as `https://moodle.example.org` |
| `downloads` | whether everybody may have the server download the data sets that it knows; hosts always may |
| `monitor_token` | the password to `/monitor/health` and `/monitor/metrics`, which are not there without one |
| `[auth]` | the OpenID Connect provider, in the words of Streamlit's `secrets.toml`; without it nobody signs in |
| `[limits]` | what one person may use, in the words of `Limits`; a class of fifty is the default |
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from explorer.files.limits import CLASS, Limits, limits_from
from explorer.files.owner import Owner

VARIABLE = "EXPLORER_HOSTING"
_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
_TOKEN_LENGTH = 16  # characters
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d+)?")


@dataclass(frozen=True)
class Hosting:
    """The settings, checked."""

    url: str = ""
    address: str = "localhost"
    port: int = 8501
    hosts: frozenset[str] = frozenset()
    embed_in: tuple[str, ...] = ()
    monitor_token: str = ""
    downloads: bool = False
    auth: dict[str, Any] = field(default_factory=dict)
    limits: Limits = CLASS

    @property
    def providers(self) -> list[str]:
        """The names of the providers that people may sign in with, as `st.login` takes them."""
        return [name for name, value in self.auth.items() if name != "client_kwargs" and isinstance(value, dict)] or (
            ["default"] if self.auth else []
        )


def hosting() -> Hosting | None:
    """The settings of this server; None where no file is named. Raises ValueError, one sentence, or OSError."""
    named = os.environ.get(VARIABLE)
    return _read(Path(named)) if named else None


def limits(owner: Owner) -> Limits:
    """What a person may use here; for what is nobody's, the computer's own limits. Raises as `hosting` does."""
    settings = hosting()
    allowed = settings.limits if settings else Limits()
    return allowed if owner.ident else Limits(memory_share=allowed.memory_share, free_gb=allowed.free_gb)


def read(file: Path) -> Hosting:
    """Reads a settings file. Raises ValueError, one sentence, or OSError."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not TOML: {error}") from error
    for name, kind in _KINDS.items():
        if name in values and type(values[name]) is not kind:
            raise ValueError(f"“{name}” in {file} must be {_KIND_NAMES[kind]}")
    if unknown := sorted(set(values) - set(_KINDS)):
        raise ValueError(f"{file} has a setting “{unknown[0]}”, which does not exist; there are {', '.join(_KINDS)}")
    if not all(isinstance(host, str) for host in values.get("hosts", [])):
        raise ValueError(f"“hosts” in {file} must be a list of e-mail addresses or ids")
    for origin in values.get("embed_in", []):
        if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"“embed_in” in {file} must list origins such as https://moodle.example.org, not {origin!r}"
            )
    people = frozenset(host.strip().lower() for host in values.get("hosts", []))
    allowed = limits_from(values.get("limits", {}), f"[limits] in {file}")
    made = Hosting(**{**values, "hosts": people, "embed_in": tuple(values.get("embed_in", ())), "limits": allowed})
    if not 0 < made.port < 2**16:
        raise ValueError(f"“port” in {file} must be from 1 to {2**16 - 1}")
    if made.url and (urlsplit(made.url).scheme not in ("http", "https") or not urlsplit(made.url).hostname):
        raise ValueError(f"“url” in {file} must be an address such as https://latent.example.org")
    if made.monitor_token and len(made.monitor_token) < _TOKEN_LENGTH:
        raise ValueError(f"“monitor_token” in {file} must have {_TOKEN_LENGTH} characters or more")
    _check_auth(made, file)
    return made


_KINDS: dict[str, type] = {
    "url": str,
    "address": str,
    "port": int,
    "hosts": list,
    "embed_in": list,
    "monitor_token": str,
    "downloads": bool,
    "auth": dict,
    "limits": dict,
}
_KIND_NAMES = {bool: "true or false", str: "a text", int: "a whole number", list: "a list", dict: "a table"}
_read = lru_cache(maxsize=8)(read)


def _check_auth(made: Hosting, file: Path) -> None:
    if not made.auth:
        return
    if not made.url:
        raise ValueError(f"{file} needs “url”, the address that people type: the provider sends them back there")
    for name in made.providers:
        provider = made.auth if name == "default" else made.auth[name]
        where = "[auth]" if name == "default" else f"[auth.{name}]"
        if "_" in name:
            raise ValueError(f"{where} in {file} must have a name without an underscore")
        if missing := [key for key in _PROVIDER if not isinstance(provider.get(key), str)]:
            raise ValueError(f"{where} in {file} lacks {', '.join(missing)}")
