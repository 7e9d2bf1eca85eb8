"""What the server answers for the URL of an asset."""

from __future__ import annotations

import gzip

from explorer.ui import assets


def blob(url: str) -> assets._Blob:
    """What the server answers for an asset."""
    future = assets._store.get(url.removeprefix("assets/"))
    assert future is not None
    return future.result(30)


def body(url: str) -> bytes:
    found = blob(url)
    return gzip.decompress(found.body) if found.gzipped else found.body
