"""The command line: `latent-explorer VERB` or `python -m explorer VERB`.

Errors are one line on stderr and a non-zero exit code.
"""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from explorer.cli import data, models, ranking, screening, serving, training
from explorer.errors import CheckpointError, DatasetError


def main(argv: list[str] | None = None, prog: str = "python -m explorer") -> int:
    """Run one verb; the exit code: 0, 1 for an error that was said in one line, 130 for a run that was stopped."""
    try:
        args = _parser(prog).parse_args(argv)
        return int(args.verb(args) or 0)
    except (CheckpointError, DatasetError, ValueError, OSError) as error:
        print(f"explorer: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("explorer: stopped", file=sys.stderr)
        return 130


def installed() -> int:
    """Runs the command `latent-explorer`, which serves the app where it is given no verb."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["serve", *arguments]
    return main(arguments, prog="latent-explorer")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=prog, description="Train and use variational autoencoders.", allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    serving.add_to(verbs)
    training.add_to(verbs)
    models.add_to(verbs)
    ranking.add_to(verbs)
    screening.add_to(verbs)
    data.add_to(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
