"""`serve`: the app in the browser."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from explorer.cli.common import add_verb
from explorer.files import hosting
from explorer.files.shipped import shipped


def add_to(verbs: Any) -> None:
    """Add the verb to the command line."""
    parser = add_verb(verbs, "serve", serve, "Serve the app. Runs go to ./runs, or to $EXPLORER_RUNS.")
    parser.add_argument("--port", type=_port, help="default: 8501, or the next that is free")
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="address to listen on (default: localhost; 0.0.0.0 lets every machine that reaches this one use the app)",
    )
    parser.add_argument(
        "--name",
        metavar="HOST",
        type=_name,
        help="name under which a proxy on this machine passes the app on, such as hub.example.org (docs/remote.md)",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        help="settings of a server that several people share: who hosts it, how they sign in, what each may use "
        "(docs/hosting.md)",
    )


def serve(args: argparse.Namespace) -> int:
    """Becomes the server: this process is replaced, so that signals and the exit code are the server's own."""
    options: dict[str, Any] = {}
    if args.settings is not None:
        options = _shared(hosting.read(args.settings))
        os.environ[hosting.VARIABLE] = str(args.settings.absolute())
    options |= {
        name: value for name, value in (("server.port", args.port), ("server.address", args.host)) if value is not None
    }
    if args.name is not None:
        options |= {"browser.serverAddress": args.name, "server.headless": "true"}
    given = [f"--{name}={value}" for name, value in options.items()]
    # -P: what lies in the working directory is no part of the program. Streamlit reads its settings beside app.py.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(shipped("app.py")), *given]
    os.execv(command[0], command)  # noqa: S606 - our own script


def _shared(settings: hosting.Hosting) -> dict[str, Any]:
    """Streamlit's options for a server that people reach at the address in its settings."""
    options: dict[str, Any] = {
        "server.port": settings.port,
        "server.address": settings.address,
        "server.headless": "true",
    }
    if settings.url:
        url = urlsplit(settings.url)
        options["browser.serverAddress"] = url.hostname
        options["browser.serverPort"] = url.port or {"http": 80, "https": 443}[url.scheme]
        if url.path.strip("/"):
            options["server.baseUrlPath"] = url.path.strip("/")
    return options


def _name(text: str) -> str:
    name = urlsplit(text if "://" in text else f"//{text}").hostname
    if not name:
        raise argparse.ArgumentTypeError(f"a name is like hub.example.org, not {text!r}")
    return name


def _port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to {2**16 - 1}, not {text!r}")
    return int(text)
