"""Downloads: complete or not there at all."""

import pytest

from explorer.datasets import DatasetError
from explorer.datasets.download import download, mirrors


def _take(urls, target, **options):
    download(urls, target, check=lambda path: None, **{"limit": 10_000_000, **options})


def test_a_file(tmp_path, server):
    server.files["/a"] = bytes(range(256)) * 4000
    calls = []
    _take([f"{server.url}/a"], tmp_path / "new" / "a", progress=lambda *call: calls.append(call))
    assert (tmp_path / "new" / "a").read_bytes() == server.files["/a"]
    assert calls[-1] == (1_024_000, 1_024_000)
    assert len(calls) > 2


def test_without_a_length(tmp_path, server):
    server.files["/a"] = b"abc"
    server.silent_length.add("/a")
    calls = []
    _take([f"{server.url}/a"], tmp_path / "a", progress=lambda *call: calls.append(call))
    assert calls == [(3, None)]


def test_the_next_address_is_tried(tmp_path, server):
    server.files["/b"] = b"abc"
    _take([f"{server.url}/a", "http://127.0.0.1:9/x", f"{server.url}/b"], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_every_reason_is_told_and_nothing_is_left(tmp_path, server):
    server.files["/cut"] = bytes(1_000_000)
    server.cut.add("/cut")
    server.files["/large"] = bytes(3_000_000)
    (tmp_path / "a").write_bytes(b"before")
    with pytest.raises(DatasetError) as caught:
        _take([f"{server.url}/{path}" for path in ("cut", "large", "nothing")], tmp_path / "a", limit=2_000_000)
    message = str(caught.value)
    assert "/cut: the connection ended after 500,000 of 1,000,000 bytes" in message
    assert "/large: it is larger than the 2,000,000 bytes" in message
    assert "/nothing: Not Found" in message
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


@pytest.mark.parametrize("error", [KeyboardInterrupt, DatasetError, OSError, RuntimeError])
def test_progress_can_cancel(tmp_path, server, error):
    server.files["/a"] = bytes(1_000_000)

    def cancel(done: int, total: int | None) -> None:
        raise error("stop")

    with pytest.raises(error, match="stop"):
        _take([f"{server.url}/a"] * 2, tmp_path / "a", progress=cancel)
    assert list(tmp_path.iterdir()) == []
    assert server.asked == ["/a"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "a"])
def test_only_http(tmp_path, url):
    with pytest.raises(DatasetError, match="http://"):
        _take([url], tmp_path / "a")


def test_mirrors(monkeypatch):
    assert mirrors("fashion-mnist", ["https://x/a", "https://y/"]) == ["https://x/a/", "https://y/"]
    monkeypatch.setenv("EXPLORER_MIRROR_FASHION_MNIST", " https://z/b ")
    assert mirrors("fashion-mnist", ["https://x/a"]) == ["https://z/b/"]
    assert mirrors("mnist", ["https://x/a"]) == ["https://x/a/"]
