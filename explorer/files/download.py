"""Downloads over HTTP: with progress, checked, and either complete or not there at all.

What has arrived of a download that was cut off or cancelled stays in a hidden file beside its target, and the next
attempt goes on from there if the server still has the same file.

For networks that reach only their own servers, environment variables name others in place of those built in:
`EXPLORER_MIRROR` a copy of a folder of data sets, such as one's own that somebody serves, and `EXPLORER_MIRROR_<NAME>`
a folder with the files of one of them (its name in capitals and `_`, such as
`EXPLORER_MIRROR_FASHION_MNIST=https://files.example.org/fashion/`).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import DatasetError, DownloadFailed
from explorer.files.locks import lock

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a single byte, not for the whole download

ByteProgress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all or None when that is not known); an exception that it raises cancels."""


@dataclass(frozen=True)
class Remote:
    """A file on servers."""

    path: str
    """Its place in the folder of data sets, and in a mirror of that."""
    urls: Sequence[str]
    """Where it is, to be tried in turn."""
    nbytes: int
    """Its size, about."""
    check: Callable[[Path], None]
    """Raises DatasetError for a file that is another."""


def mirror_variable(name: str) -> str:
    """Names the environment variable that names a mirror of data set `name`."""
    return f"EXPLORER_MIRROR_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


def addresses(name: str, file: Remote) -> Sequence[str]:
    """Lists where to ask for a file of data set `name`, in turn."""
    if own := os.environ.get(mirror_variable(name), "").strip():
        return [f"{own.rstrip('/')}/{Path(file.path).name}"]
    if every := os.environ.get("EXPLORER_MIRROR", "").strip():
        return [f"{every.rstrip('/')}/{file.path}"]
    return file.urls


def download_all(name: str, files: Sequence[Remote], root: Path, progress: ByteProgress | None) -> None:
    """Puts files of data set `name` where they belong below `root`, each as `download` does; raises as that does."""
    before, left = 0, sum(file.nbytes for file in files)
    for file in files:
        left -= file.nbytes

        def report(done: int, of: int | None, before: int = before, rest: int = left, file: Remote = file) -> None:
            if progress:
                progress(before + done, before + max(of or file.nbytes, done) + rest)

        urls = addresses(name, file)
        download(urls, root / file.path, check=file.check, limit=2 * file.nbytes + (1 << 20), progress=report)
        before += (root / file.path).stat().st_size
    if progress:
        progress(before, before)


def check_md5(path: Path, md5: str) -> None:
    """Raises DatasetError unless a file has this MD5, in hex. It guards against damage; publishers give no better."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != md5:
            raise DatasetError(WRONG_MD5)


WRONG_MD5 = "what arrived is not the file that was published (its MD5 differs)"


def download(
    urls: Sequence[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    limit: int,
    progress: ByteProgress | None = None,
) -> None:
    """Puts what the first working address of `urls` serves at `target`, making its folder, unless it is there.

    Args:
        check: raises DatasetError for a file that is not what was wanted; then the next address is tried.
        limit: the most bytes accepted.

    Raises:
        DownloadFailed: no address works, and why. `target` is as it was.
        DatasetError: another process is downloading it.
        OSError: it cannot be stored.
    """
    if target.is_file():
        with contextlib.suppress(DatasetError):  # damaged: fetched again
            check(target)
            return
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise DatasetError(f"{url} is not an address that can be downloaded: it needs http:// or https://.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.touch()
    held = lock(part, wait=0)
    if held is None:
        raise DatasetError(f"{target.name} is being downloaded by another process; wait for it.")
    with held:
        reasons = []
        for url in urls:
            try:
                _fetch(url, part, limit, progress)
                _check(part, check)
                os.replace(part, target)
                return
            except _Failed as error:
                reasons.append(f"{url}: {error}")
            finally:
                if not _validator(part, url):  # it is done with, or could not be gone on with
                    part.unlink(missing_ok=True)
                    _about(part).unlink(missing_ok=True)
        raise DownloadFailed(f"{target.name} could not be downloaded ({'; '.join(reasons)}).")


class _Failed(Exception):
    """One address did not work; the next may. What `progress` raises is never mistaken for this."""


class _Unwanted(Exception):
    """The server cannot serve from the byte that was asked for."""


def _fetch(url: str, part: Path, limit: int, progress: ByteProgress | None) -> None:
    """Completes a part by what an address serves. Raises _Failed."""
    with part.open("a+b") as file:
        start = file.tell()
        try:
            response = _open_from(url, start, _validator(part, url))
        except _Unwanted:  # there is no such part: another file by now, or all of it is here already
            response = _open_from(url, 0, "")
        with response:
            if response.status != http.client.PARTIAL_CONTENT:
                file.truncate(0)
                start = 0
            length = response.headers.get("Content-Length")
            done, total = start, start + int(length) if length else None
            _about(part).write_text(json.dumps({"url": url, "validator": _validator_of(response)}))
            for chunk in _read(response):
                file.write(chunk)
                done += len(chunk)
                if done > limit:
                    file.truncate(0)
                    raise _Failed(f"it is larger than the {limit:,} bytes expected at most")
                if progress:
                    progress(done, total)
    if total is not None and done != total:  # a connection that drops ends the stream without an error
        raise _Failed(f"the connection ended after {done:,} of {total:,} bytes")


def _check(part: Path, check: Callable[[Path], None]) -> None:
    try:
        check(part)
    except DatasetError as error:
        part.unlink()  # the next attempt must not go on with it
        raise _Failed(str(error)) from error


def _about(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _validator(part: Path, url: str) -> str:
    """What the server called the version of the file that began to arrive from `url`; empty if none has."""
    try:
        known = json.loads(_about(part).read_text())
        return str(known["validator"]) if known["url"] == url and part.stat().st_size else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _validator_of(response: http.client.HTTPResponse) -> str:
    """RFC 9110, section 13.1.5: If-Range takes a strong entity tag, or a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _open_from(url: str, start: int, validator: str) -> http.client.HTTPResponse:
    """Requests the bytes from `start` on, or for all of them without a validator."""
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
    served = response.headers.get("Content-Range", "")
    if response.status == http.client.PARTIAL_CONTENT and not served.startswith(f"bytes {start}-"):
        response.close()
        raise _Unwanted
    return response


def _read(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Reads what the server sends, piece by piece. Raises _Failed."""
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
