"""Films are what they are made of: decoded again, frame by frame."""

import io

import av
import numpy as np
import pytest
import torch
from PIL import Image

from explorer.images import films


def images(n=6, c=1, h=14, w=10, seed=0):
    """Smooth random images, each unlike the others."""
    small = torch.rand(n, c, 3, 3, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(small, (h, w), mode="bilinear", align_corners=True)


def expected(batch, factor):
    """uint8 [N, H, W, 3], every pixel a square."""
    frames = (255 * batch).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.broadcast_to(frames, (*frames.shape[:3], 3)).repeat(factor, 1).repeat(factor, 2)


def read_gif(data):
    with Image.open(io.BytesIO(data)) as film:
        frames, durations = [], []
        for i in range(film.n_frames):
            film.seek(i)
            frames.append(np.array(film.convert("RGB")))
            durations.append(film.info["duration"])
        return np.stack(frames), durations, film.info.get("loop")


def read_mp4(data):
    with av.open(io.BytesIO(data)) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        return np.stack(frames), stream


@pytest.mark.parametrize(("channels", "error"), [(1, 0), (3, 12)])
def test_a_gif_holds_every_image(channels, error):
    batch = images(c=channels)
    frames, durations, loop = read_gif(films.gif(batch, size=40))
    assert frames.shape == (6, 42, 30, 3)  # 40 / 14, rounded up, is 3
    assert np.abs(frames.astype(int) - expected(batch, 3)).max() <= error
    assert loop == 0  # for ever
    assert sum(durations) == 500
    assert set(durations) <= {80, 90}


@pytest.mark.parametrize("n", [1, 2])
def test_films_of_very_few_images(n):
    assert len(read_gif(films.gif(images(n)))[0]) == n
    assert len(read_mp4(films.mp4(images(n)))[0]) == n


def test_equal_images_in_a_row_last_as_long_as_all_of_them():
    batch = images(3)[[0, 1, 1, 1, 2]]
    frames, durations, _ = read_gif(films.gif(batch, size=1))
    np.testing.assert_array_equal(frames, expected(batch, 1)[[0, 1, 4]])
    assert durations == [80, 250, 90]


def test_a_gif_lasts_as_long_as_it_should():
    _, durations, _ = read_gif(films.gif(images(40), size=1))
    assert sum(durations) == pytest.approx(1000 * 40 / 12, abs=5)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_mp4_holds_every_image(channels):
    batch = images(c=channels)
    frames, stream = read_mp4(films.mp4(batch, size=100))
    context = stream.codec_context
    assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    assert stream.average_rate == 12
    assert float(stream.duration * stream.time_base) == pytest.approx(0.5)
    assert frames.shape == (6, 112, 80, 3)
    assert np.abs(frames.astype(int) - expected(batch, 8)).mean() < 3


@pytest.mark.parametrize(("h", "w", "size", "sides"), [(7, 9, 9, (14, 18)), (7, 9, 20, (28, 36)), (8, 6, 24, (24, 18))])
def test_the_sides_of_an_mp4_are_even(h, w, size, sides):
    assert read_mp4(films.mp4(images(2, h=h, w=w), size=size))[0].shape[1:3] == sides


def test_images_larger_than_the_size_keep_theirs():
    assert read_gif(films.gif(images(2, h=40, w=30), size=20))[0].shape[1:3] == (40, 30)


@pytest.mark.parametrize(("columns", "shape"), [(None, (14, 60)), (4, (28, 40))])
def test_a_strip_is_pixel_by_pixel(columns, shape):
    batch = images()
    with Image.open(io.BytesIO(films.strip(batch, columns=columns))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        found = np.array(picture)
    assert found.shape == shape
    np.testing.assert_array_equal(found[:14, 10:20], (255 * batch[1, 0]).round().numpy())


def test_a_strip_in_colour():
    with Image.open(io.BytesIO(films.strip(images(3, c=3)))) as picture:
        assert (picture.mode, picture.size) == ("RGB", (30, 14))


@pytest.mark.parametrize("make", [films.gif, films.mp4, films.strip])
def test_a_film_of_nothing(make):
    with pytest.raises(ValueError, match="at least one image"):
        make(images()[:0])
