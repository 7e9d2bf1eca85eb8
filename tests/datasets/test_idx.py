"""The IDX reader: what it reads, and that nothing else comes out of bad files than a DatasetError."""

import gzip
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explorer import datasets
from explorer.datasets.idx import read_idx
from explorer.errors import DatasetError

ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


def _read(data: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "some-idx-file")
        path.write_bytes(data)
        return read_idx(path)


@given(array=ARRAYS, packed=st.booleans())
def test_round_trip(array, packed, idx_bytes):
    data = idx_bytes(array)
    read = _read(gzip.compress(data) if packed else data)
    assert read.dtype == np.uint8
    assert read.shape == array.shape
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


@given(data=st.binary(max_size=200))
def test_random_bytes_are_never_a_traceback(data):
    for prefix in (b"", b"\x1f\x8b", b"\0\0\x08", b"\x1f\x8b\x08\0\0\0\0\0\0\xff"):
        message = ""
        try:
            array = _read(prefix + data)
        except DatasetError as error:
            message = str(error)
        assert "some-idx-file" in message or array.dtype == np.uint8


@given(data=st.data(), packed=st.booleans())
def test_every_truncation_is_noticed(data, packed, idx_bytes):
    array = data.draw(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)))
    whole = idx_bytes(array)
    whole = gzip.compress(whole) if packed else whole
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DatasetError, match="some-idx-file"):
        _read(whole[:length])


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_gzipped_file_never_changes_the_data(position, bit, idx_bytes):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    damaged = bytearray(gzip.compress(idx_bytes(array)))
    damaged[position % len(damaged)] ^= 1 << bit
    try:
        read = _read(bytes(damaged))
    except DatasetError:
        return
    np.testing.assert_array_equal(read, array)  # the bit was in a part of the gzip header that says nothing


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack(">HBBI", 0, 0x0D, 1, 1) + b"\0\0\0\0", "type 0x0d"),
        (struct.pack(">HBB", 0, 8, 0), "0 dimensions"),
        (struct.pack(">HBB5I", 0, 8, 5, 1, 1, 1, 1, 1) + b"x", "5 dimensions"),
        (struct.pack(">HBBI", 0, 8, 1, 3) + b"1234", "more data than the 3 bytes"),
        (struct.pack(">HBBI", 0, 8, 1, 3) + b"12", "2 of 3 bytes"),
        (struct.pack(">HBB2I", 0, 8, 2, 3, 4)[:-1], "within its header"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (b"", "not an IDX file"),
        (struct.pack(">HBB4I", 0, 8, 4, *[2**32 - 1] * 4), "more than the limit"),
    ],
)
def test_what_is_wrong_is_said(data, message):
    with pytest.raises(DatasetError, match=message):
        _read(data)
    with pytest.raises(DatasetError, match=message):
        _read(gzip.compress(data))


def test_a_header_that_claims_gigabytes_takes_no_memory():
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="10 of 2,000,000,000 bytes"):
            _read(struct.pack(">HBB2I", 0, 8, 2, 2_000_000, 1000) + b"0123456789")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(DatasetError, match="No such file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="Is a directory"):
        read_idx(tmp_path)


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 1, 8, 8), (5, 3, 8, 8)])
def test_images_from_a_file(tmp_path, shape, idx_bytes):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = tmp_path / "mine.idx"
    path.write_bytes(idx_bytes(array))
    dataset = datasets.load_idx(path)
    assert (dataset.split, dataset.labels, dataset.classes) == ("all", None, [])
    np.testing.assert_array_equal(dataset.images.numpy(), array.reshape(5, -1, 8, 8))
    assert datasets.load_idx(path, size=16, channels=1).images.shape == (5, 1, 16, 16)


@pytest.mark.parametrize("shape", [(5,), (5, 8), (5, 2, 8, 8), (5, 0, 8)])
def test_arrays_that_are_no_images(tmp_path, shape, idx_bytes):
    path = tmp_path / "mine.idx"
    path.write_bytes(idx_bytes(np.zeros(shape, np.uint8)))
    with pytest.raises(DatasetError):
        datasets.load_idx(path)
