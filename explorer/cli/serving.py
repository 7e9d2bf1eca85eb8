"""`serve`: the app in the browser."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from explorer.cli.common import add_verb
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


def serve(args: argparse.Namespace) -> int:
    """Becomes the server: this process is replaced, so that signals and the exit code are the server's own."""
    options = {"server.port": args.port, "server.address": args.host}
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    # -P: what lies in the working directory is no part of the program. Streamlit reads its settings beside app.py.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(shipped("app.py")), *given]
    os.execv(command[0], command)  # noqa: S606 - our own script


def _port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to {2**16 - 1}, not {text!r}")
    return int(text)
