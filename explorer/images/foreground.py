"""What a picture shows apart from its background: where it lies, and how it is cut out of uneven light.

SciPy is imported where it is needed: it would be a tenth of the time that importing the package takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce

import numpy as np
from PIL import Image

FRAME = 28 / 20  # MNIST's frame to the box of its digits

_SIDE = 192  # pixels of the longer side that the content is looked for in
_FITTED = 64  # pixels of a side, about, that the background is fitted to
_BAND = 0.06  # of a side: the rim that the first guess of the background is made from
_LEAST = 0.08  # of full brightness: what differs less from the background is none of the content
_NOISE = 4.0  # standard deviations of the background's noise, for the same purpose
_SPECK = 0.02  # of the largest part: smaller ones are specks of dust


@dataclass(frozen=True, eq=False)
class Foreground:
    """The part of a picture that differs from its background, its content.

    Attributes:
        size: of the picture, width and height.
        found: whether anything does.
        box: its bounding box in pixels of the picture: left, top, right, bottom.
        darker: whether it is darker than the background, by the median.
        strength: float32 [h, w] in [0, 1] of a reduced picture: how much each pixel is a part of it.
        mask: bool [h, w], the same picture's pixels that are content or close to it.
        coefficients: float64 [channels, 6] of the background, see `_surface`.
        floor, full: the difference in brightness from which on a pixel begins to be, and is wholly, content.
    """

    size: tuple[int, int]
    found: bool
    box: tuple[int, int, int, int]
    darker: bool
    strength: np.ndarray
    mask: np.ndarray
    coefficients: np.ndarray
    floor: float
    full: float

    @property
    def longest(self) -> int:
        """The longer side of the box, in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @cached_property
    def stroke(self) -> float:
        """The thickness of the content's strokes in pixels of the picture, if it is drawn in strokes."""
        return _stroke(self.strength) * self.size[0] / self.strength.shape[1]

    def mass(self, box: tuple[int, int, int, int]) -> tuple[float, float]:
        """Finds the centre of mass (x, y) of the content within a box, in pixels from the box's corner."""
        height, width = self.strength.shape
        x_scale, y_scale = self.size[0] / width, self.size[1] / height
        total = float(self.strength.sum())
        if total == 0:
            return (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
        x = float(self.strength.sum(0) @ (np.arange(width) + 0.5)) / total * x_scale
        y = float(self.strength.sum(1) @ (np.arange(height) + 0.5)) / total * y_scale
        return x - box[0], y - box[1]

    def cleaned(self, picture: Image.Image, fill: int | tuple[int, ...]) -> Image.Image:
        """Lays the content on a background of one colour; gray content is stretched to full contrast.

        The background's own brightness is taken out before (shading correction), so that ink in a shadow is as
        black as ink in the light.
        """
        keep = Image.fromarray(np.uint8(255 * self.mask)).resize(picture.size, Image.Resampling.BILINEAR)
        near = np.asarray(keep, np.float32) / 255
        values = np.asarray(picture, np.float32) / 255
        if picture.mode == "L":
            ground = _surface(self.coefficients.mean(0, keepdims=True), values.shape)[0]
            apart = (ground - values) if self.darker else (values - ground)
            density = np.clip((apart - self.floor) / (self.full - self.floor), 0, 1) * near
            level = float(fill if isinstance(fill, int) else fill[0]) / 255
            out = level + (float(level < 0.5) - level) * density
        else:
            colour = np.asarray(fill, np.float32) / 255
            out = colour + (values - colour) * near[..., None]
        return Image.fromarray(np.uint8(np.rint(255 * np.clip(out, 0, 1))))


def find_foreground(picture: Image.Image) -> Foreground:
    """Finds what differs from a picture's background, which is taken to be a smooth surface that reaches its rim.

    The surface is a polynomial of second order for each channel, which follows a lamp's or a window's light; fitted to
    the rim and then to all pixels that lie close to it. Differences from it are split by the threshold of Otsu 1979,
    "A threshold selection method from gray-level histograms". Specks are dropped, and parts that touch the rim if
    there are others: the edge of a table, the lines of ruled paper.
    """
    from scipy import ndimage

    width, height = picture.size
    small = picture
    if max(picture.size) > _SIDE:
        scale = _SIDE / max(picture.size)
        small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    values = np.asarray(small, np.float32) / 255
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)  # [C, h, w]
    coefficients, noise = _background(values)
    difference = values - _surface(coefficients, values.shape[1:])
    distance = np.abs(difference).max(0)
    floor = max(_LEAST, _NOISE * noise)
    threshold = max(floor, _otsu(distance))
    mask = _parts(distance > threshold, (distance > floor))
    found = bool(mask.any())
    if not found:
        return Foreground(
            picture.size, False, (0, 0, width, height), False, np.zeros_like(distance), mask, coefficients, 0, 1
        )
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    h, w = mask.shape
    box = (
        int(columns[0] * width / w),
        int(rows[0] * height / h),
        max(int(np.ceil((columns[-1] + 1) * width / w)), 1),
        max(int(np.ceil((rows[-1] + 1) * height / h)), 1),
    )
    inside = difference.mean(0)[mask]
    full = max(float(np.percentile(distance[mask], 75)), 2 * floor)
    near = ndimage.binary_dilation(mask, iterations=2)
    return Foreground(
        size=picture.size,
        found=True,
        box=box,
        darker=float(np.median(inside)) < 0,
        strength=np.clip(distance / full, 0, 1).astype(np.float32) * mask,
        mask=near,
        coefficients=coefficients,
        floor=floor / 2,
        full=full,
    )


def rim(image: Image.Image | np.ndarray) -> float:
    """Measures the median brightness of the outermost pixels, in [0, 1].

    Args:
        image: a picture of mode L or RGB, or one in [0, 1], float [H, W].
    """
    pixels = np.asarray(image.convert("L"), np.float32) / 255 if isinstance(image, Image.Image) else image
    return float(np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])))


def is_plain(picture: Image.Image, seen: Foreground, background: str) -> bool:
    """Tells whether nine in ten pixels off the content are black, or white, to within a twenty-fifth."""
    small = np.asarray(picture.convert("L").resize(seen.mask.shape[::-1], Image.Resampling.BOX), np.float32) / 255
    off = small[~seen.mask]
    level = 1.0 if background == "white" else 0.0
    return off.size == 0 or float((np.abs(off - level) < 0.04).mean()) > 0.9


def _surface(coefficients: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Gives the polynomials a + bx + cy + dx² + exy + fy² over a picture, x and y from -1 to 1: [channels, h, w]."""
    height, width = shape[:2]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    a, b, c, d, e, f = coefficients.T[..., None, None]
    return np.asarray(a + b * x + c * y + d * x**2 + e * x * y + f * y**2, np.float32)


def _background(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Fits the surface's coefficients [C, 6] to a picture [C, h, w]; returns the standard deviation about it, too."""
    step = max(1, max(values.shape[1:]) // _FITTED)
    values = values[:, ::step, ::step]
    channels = len(values)
    terms, rim_only = _terms(*values.shape[1:])
    flat = values.reshape(channels, -1).T.astype(np.float64)
    # The median first: a digit that touches the rim must not bend the surface.
    level = np.median(flat[rim_only], axis=0)
    kept = rim_only & (_largest(flat - level) < 0.25)
    coefficients = np.zeros((6, channels))
    coefficients[0] = level
    spread = 0.0
    for _ in range(4):
        if kept.sum() < 12:
            break
        coefficients = np.linalg.lstsq(terms[kept], flat[kept], rcond=None)[0]
        apart = _largest(flat - terms @ coefficients)
        spread = 1.4826 * float(np.median(apart[kept]))
        kept = apart < max(3 * spread, 0.03)
    return coefficients.T, spread


@lru_cache(maxsize=64)
def _terms(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives the polynomials' terms at all pixels, float64 [h w, 6]; and which pixels are of the rim, bool [h w]."""
    y, x = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"))
    band = 1 - 2 * max(_BAND, 1 / min(height, width))
    return np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], 1), (np.abs(x) > band) | (np.abs(y) > band)


def _largest(difference: np.ndarray) -> np.ndarray:
    """Gives the largest of a pixel's differences [n, C], whatever their sign: `max(1)`, in a tenth of its time."""
    return reduce(np.maximum, np.abs(difference).T)


def _otsu(values: np.ndarray) -> float:
    """Finds the threshold that parts values into classes with the largest variance between them (Otsu 1979, eq. 18)."""
    if np.ptp(values) < 1e-4:  # of full brightness: nothing to part
        return float(values.max()) / 2
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[1:] + edges[:-1]) / 2
    weight = np.cumsum(counts).astype(np.float64)
    total = weight[-1]
    sums = np.cumsum(counts * middles)
    below, above = weight[:-1], total - weight[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below - total * sums[:-1]) ** 2 / (below * above)
    return float(edges[1:-1][np.nan_to_num(between).argmax()])


def _stroke(weights: np.ndarray) -> float:
    """Measures how thick strokes are, in pixels, from how much [h, w] each pixel is covered, 0 to 1.

    Across a stroke of width w the distance to its nearer edge grows from 0 to w / 2: it is w / 4 on average.
    """
    from scipy import ndimage

    fine = ndimage.zoom(weights, 3, order=1) > 0.5
    if not fine.any():
        return 0.0
    inward = ndimage.distance_transform_edt(fine)[fine] - 0.5  # to the edge of the nearest other pixel
    return 4 * float(inward.mean()) / 3


def _parts(mask: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Clears a mask of specks and, if anything else is there, without what touches the rim.

    Grown within `wide`, a mask of a lower threshold (hysteresis, Canny 1986), so that faint strokes belong to it.
    """
    from scipy import ndimage

    labels, count = ndimage.label(wide, np.ones((3, 3)))
    if count == 0:
        return mask
    strong = np.bincount(labels.ravel(), mask.ravel(), count + 1)
    strong[0] = 0
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    inner = strong.copy()
    inner[touching] = 0
    if inner.max() >= max(4, 0.002 * mask.size):
        strong = inner
    kept = (strong > 0) & (areas >= max(1, _SPECK * areas[strong.argmax()]))
    return np.asarray(kept[labels] & wide)
