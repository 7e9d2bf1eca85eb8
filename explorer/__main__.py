"""The command line: `python -m explorer VERB`. Errors are one line on stderr and a non-zero exit code."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from explorer.cli import data, models, ranking, screening, training
from explorer.errors import CheckpointError, DatasetError


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code: 0, 1 for an error that was said in one line, 130 for a run that was stopped."""
    try:
        args = _parser().parse_args(argv)
        return int(args.verb(args) or 0)
    except (CheckpointError, DatasetError, ValueError, OSError) as error:
        print(f"explorer: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("explorer: stopped", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m explorer", description="Train and use variational autoencoders.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    training.add_to(verbs)
    models.add_to(verbs)
    ranking.add_to(verbs)
    screening.add_to(verbs)
    data.add_to(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
