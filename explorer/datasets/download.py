"""Downloads over HTTP: with progress, checked, and either complete or not there at all.

An environment variable `EXPLORER_MIRROR_<NAME>` (the data set's name in capitals, `-` as `_`: for example
`EXPLORER_MIRROR_FASHION_MNIST=https://files.example.org/fashion/`) names a folder on a server that is used
instead of the addresses built in, for networks that reach only their own servers.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from explorer.datasets.base import DatasetError, Progress

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a single byte, not for the whole download


def mirrors(name: str, built_in: Sequence[str]) -> list[str]:
    """The addresses of folders to try in turn for data set `name`, each with a slash at its end."""
    chosen = os.environ.get(f"EXPLORER_MIRROR_{name.upper().replace('-', '_')}", "").strip()
    return [url.rstrip("/") + "/" for url in ([chosen] if chosen else built_in)]


def md5_of_file(path: Path) -> str:
    """MD5 of a file's bytes in hex. It guards against damage; the publishers give no stronger sum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def download(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    limit: int,
    progress: Progress | None = None,
) -> None:
    """Put what the first working address of `urls` serves at `target`, making its folder.

    `check` gets the temporary file and raises DatasetError if it is not what was wanted; then the next
    address is tried. `limit` is the most bytes accepted. Raises DatasetError, naming each address with its
    reason, if none works, and OSError if it cannot be stored; `target` is then as it was before.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise DatasetError(f"{url} is not an address that can be downloaded: it needs http:// or https://.")
        try:
            _download_one(url, target, check, limit, progress)
            return
        except _Failed as error:
            reasons.append(f"{url}: {error}")
    raise DatasetError(f"{target.name} could not be downloaded ({'; '.join(reasons)}).")


class _Failed(Exception):
    """One address did not work; the next may. What `progress` raises is never mistaken for this."""


def _download_one(url: str, target: Path, check: Callable[[Path], None], limit: int, progress: Progress | None) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            done, total = 0, None
            for chunk, total in _chunks(url):
                file.write(chunk)
                done += len(chunk)
                if done > limit:
                    raise _Failed(f"it is larger than the {limit:,} bytes expected at most")
                if progress:
                    progress(done, total)
        # A connection that drops ends the stream without an error.
        if total is not None and done != total:
            raise _Failed(f"the connection ended after {done:,} of {total:,} bytes")
        try:
            check(Path(temporary))
        except DatasetError as error:
            raise _Failed(str(error)) from error
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would lock others out of a shared data folder
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _chunks(url: str) -> Iterator[tuple[bytes, int | None]]:
    """The contents piece by piece, each with the total in bytes if the server tells it."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - the caller checks the scheme
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            while chunk := response.read(CHUNK):
                yield chunk, total
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
        raise _Failed(reason) from error
