"""Downloads: complete or not there at all."""

import pytest

from explorer.errors import DatasetError
from explorer.files.download import Remote, addresses, download
from explorer.files.locks import lock


def _take(urls, target, **options):
    download(urls, target, check=lambda path: None, **{"limit": 10_000_000, **options})


def test_a_file(tmp_path, server):
    server.files["/a"] = bytes(range(256)) * 4000
    calls = []
    _take([f"{server.url}/a"], tmp_path / "new" / "a", progress=lambda *call: calls.append(call))
    assert (tmp_path / "new" / "a").read_bytes() == server.files["/a"]
    assert calls[-1] == (1_024_000, 1_024_000)
    assert len(calls) > 2


def test_what_is_there_is_not_fetched_again(tmp_path, server):
    (tmp_path / "a").write_bytes(b"abc")
    _take([f"{server.url}/a"], tmp_path / "a")
    assert server.asked == []


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

    def damaged(path):
        raise DatasetError("no")

    urls = [f"{server.url}/{path}" for path in ("cut", "large", "nothing")]
    with pytest.raises(DatasetError) as caught:
        download(urls, tmp_path / "a", check=damaged, limit=2_000_000)
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
    file = Remote("raw/file.gz", ["https://x/file.gz", "https://y/file.gz"], 1, lambda path: None)
    assert addresses("torchvision:A-b", file) == ["https://x/file.gz", "https://y/file.gz"]
    monkeypatch.setenv("EXPLORER_MIRROR", "https://all/data")
    assert addresses("torchvision:A-b", file) == ["https://all/data/raw/file.gz"]
    monkeypatch.setenv("EXPLORER_MIRROR_TORCHVISION_A_B", " https://z/b/ ")
    assert addresses("torchvision:A-b", file) == ["https://z/b/file.gz"]


DATA = bytes(range(256)) * 4000  # 1,024,000 bytes
PART, ABOUT = ".a.part", ".a.part.json"


@pytest.fixture
def cut_off(tmp_path, server):
    """Half of a file has arrived at `tmp_path / "a"`, and the server has all of it by now."""
    server.files["/a"], server.tags["/a"] = DATA, '"one"'
    server.cut.add("/a")
    with pytest.raises(DatasetError, match="the connection ended after 512,000 of 1,024,000 bytes"):
        _take([f"{server.url}/a"], tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [PART, ABOUT]
    server.cut.clear()
    return tmp_path / "a"


def test_a_download_that_was_cut_off_goes_on(cut_off, server):
    calls = []
    _take([f"{server.url}/a"], cut_off, progress=lambda *call: calls.append(call))
    assert cut_off.read_bytes() == DATA
    assert server.ranges == ["bytes=512000-"]
    assert calls[0][0] > 512_000
    assert calls[-1] == (len(DATA), len(DATA))
    assert [path.name for path in cut_off.parent.iterdir()] == ["a"]


def test_a_download_that_was_cancelled_goes_on(tmp_path, server):
    server.files["/a"], server.tags["/a"] = DATA, '"one"'

    def cancel(done: int, total: int | None) -> None:
        if done > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _take([f"{server.url}/a"], tmp_path / "a", progress=cancel)
    _take([f"{server.url}/a"], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    (asked,) = server.ranges
    assert int(asked.removeprefix("bytes=").removesuffix("-")) > 500_000


def test_another_file_by_now_is_fetched_from_its_beginning(cut_off, server):
    server.files["/a"], server.tags["/a"] = DATA[::-1] * 2, '"two"'
    _take([f"{server.url}/a"], cut_off)
    assert cut_off.read_bytes() == DATA[::-1] * 2


def test_another_server_is_asked_for_all_of_it(cut_off, server):
    server.files["/b/a"] = DATA[::-1]
    _take([f"{server.url}/b/a"], cut_off)
    assert cut_off.read_bytes() == DATA[::-1]
    assert server.ranges == []


def test_a_part_that_is_all_of_it_is_no_trap(cut_off, server):
    cut_off.with_name(PART).write_bytes(DATA)
    _take([f"{server.url}/a"], cut_off)
    assert cut_off.read_bytes() == DATA


def test_a_server_without_tags_is_asked_for_all_of_it(cut_off, server):
    cut_off.with_name(ABOUT).write_text("{")
    _take([f"{server.url}/a"], cut_off)
    assert cut_off.read_bytes() == DATA
    assert server.ranges == []


def test_what_is_not_what_was_wanted_is_not_gone_on_with(tmp_path, server):
    server.files["/a"], server.tags["/a"] = DATA, '"one"'

    def refuse(path):
        raise DatasetError("no")

    with pytest.raises(DatasetError, match=r"a could not be downloaded \(.*: no\)"):
        download([f"{server.url}/a"], tmp_path / "a", check=refuse, limit=10**7)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DatasetError, match="larger than the 1,000 bytes"):
        _take([f"{server.url}/a"], tmp_path / "a", limit=1000)
    _take([f"{server.url}/a"], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_two_at_once_do_not_write_one_part(tmp_path, server):
    (tmp_path / PART).touch()
    held = lock(tmp_path / PART)
    assert held is not None
    with held, pytest.raises(DatasetError, match="a is being downloaded by another process; wait for it"):
        _take([f"{server.url}/a"], tmp_path / "a")
