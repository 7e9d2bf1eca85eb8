"""Downloads over HTTP: with progress, checked, and either complete or not there at all.

One that can be resumed keeps what has arrived in a hidden file beside its target until all of it is there.

An environment variable `EXPLORER_MIRROR_<NAME>` (the data set's name in capitals, `-` as `_`: for example
`EXPLORER_MIRROR_FASHION_MNIST=https://files.example.org/fashion/`) names a folder on a server that is used
instead of the addresses built in, for networks that reach only their own servers.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from explorer.errors import DatasetError
from explorer.files.locks import lock

CHUNK = 1 << 18
Progress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all or None when that is not known)."""

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
    resume: bool = False,
) -> None:
    """Put what the first working address of `urls` serves at `target`, making its folder.

    `check` gets the temporary file and raises DatasetError if it is not what was wanted; then the next
    address is tried. `limit` is the most bytes accepted. With `resume` an attempt that is cut off or cancelled is
    gone on with by the next one, if the server still has the same file. Raises DatasetError, naming each address
    with its reason, if none works, and OSError if it cannot be stored; `target` is then as it was before.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise DatasetError(f"{url} is not an address that can be downloaded: it needs http:// or https://.")
        try:
            (_resume_one if resume else _download_one)(url, target, check, limit, progress)
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


def _resume_one(url: str, target: Path, check: Callable[[Path], None], limit: int, progress: Progress | None) -> None:
    part, about = (target.with_name(f".{target.name}.{end}") for end in ("part", "part.json"))
    held = lock(part, wait=0)
    if held is None:
        raise DatasetError(f"{target.name} is being downloaded by another process; wait for it.")
    with held:
        with part.open("r+b") as file:
            start = file.seek(0, os.SEEK_END)
            validator = _validator(about, url) if start else ""
            try:
                response = _open_from(url, start, validator)
            except _Unwanted:  # there is no such part: another file by now, or all of it is here already
                response = _open_from(url, 0, "")
            with response:
                done, total = _begin(response, file)
                about.write_text(json.dumps({"url": url, "validator": _validator_of(response)}))
                for chunk in _read(response):
                    file.write(chunk)
                    done += len(chunk)
                    if done > limit:
                        file.truncate(0)
                        raise _Failed(f"it is larger than the {limit:,} bytes expected at most")
                    if progress:
                        progress(done, total)
        if total is not None and done != total:
            raise _Failed(f"the connection ended after {done:,} of {total:,} bytes")
        try:
            check(part)
        except DatasetError as error:
            part.unlink()
            raise _Failed(str(error)) from error
        os.replace(part, target)
        about.unlink()


class _Unwanted(Exception):
    """The server cannot serve from the byte that was asked for."""


def _validator(about: Path, url: str) -> str:
    """What the server called the version of the file that began to arrive from `url`; empty if it is not known."""
    try:
        known = json.loads(about.read_text())
        return str(known["validator"]) if known["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _validator_of(response: http.client.HTTPResponse) -> str:
    """RFC 9110, section 13.1.5: If-Range takes a strong entity tag, or a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _open_from(url: str, start: int, validator: str) -> http.client.HTTPResponse:
    """The response to a request for the bytes from `start` on, or for all of them without a validator."""
    headers = {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}
    try:
        response = urllib.request.urlopen(  # noqa: S310 - the caller checks the scheme
            urllib.request.Request(url, headers=headers),  # noqa: S310
            timeout=TIMEOUT,
        )
    except urllib.error.HTTPError as error:
        if headers and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _Unwanted from error
        raise _Failed(error.reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Failed(_reason(error)) from error
    if response.status == http.client.PARTIAL_CONTENT and not _range(response, start):
        response.close()
        raise _Unwanted
    return response


def _range(response: http.client.HTTPResponse, start: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _begin(response: http.client.HTTPResponse, file: BinaryIO) -> tuple[int, int | None]:
    """Set `file` to where the response goes on; the bytes that are there and the bytes in all, if that is known."""
    length = response.headers.get("Content-Length")
    if response.status != http.client.PARTIAL_CONTENT:
        file.seek(0)
        file.truncate()
    start = file.tell()
    return start, start + int(length) if length else None


def _chunks(url: str) -> Iterator[tuple[bytes, int | None]]:
    """The contents piece by piece, each with the total in bytes if the server tells it."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - the caller checks the scheme
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            for chunk in _read(response):
                yield chunk, total
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Failed(_reason(error)) from error


def _read(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What the server sends, piece by piece. Raises _Failed."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _Failed(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "")) or str(error) or type(error).__name__
