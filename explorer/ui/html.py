"""Small pieces of HTML for what Streamlit has no element for: crisp images with their codes, a code as bars."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from html import escape

from PIL import Image
from torch import Tensor

from explorer.images import pictures
from explorer.latents import COLLAPSED_NATS


def image(picture: Image.Image, caption: str, *, alt: str, given: float | None = None, **data: str | int | None) -> str:
    """A picture at its own resolution (lossless), scaled up without blur; `data` become data attributes.

    A line ends the upper part that was `given`, a share of its height.
    """
    attributes = "".join(f' data-{k}="{escape(str(v))}"' for k, v in data.items() if v is not None)
    shown = f'<img src="{source(picture)}" alt="{escape(alt)}"{attributes}>'
    if given is not None:
        shown = f'<div class="lx-given" style="--lx-given:{given:.2%}">{shown}</div>'
    return f'<figure class="lx-figure">{shown}<figcaption>{escape(caption)}</figcaption></figure>'


def source(picture: Image.Image, format: str = "PNG") -> str:
    """A picture as the address of an image, lossless or as `WEBP`, in the page itself.

    What is somebody's own goes this way: an asset of the server outlives the session, and anybody could ask for it.
    """
    return f"data:image/{format.lower()};base64,{base64.b64encode(pictures.encode(picture, format)).decode()}"


def code_text(code: Tensor) -> str:
    """A code [D] as the page and the URL have it: six digits a number, separated by commas."""
    return ",".join(f"{v:.6g}" for v in code.tolist())


def difference(original: Tensor, other: Tensor, caption: str) -> str:
    """Where another image is brighter or darker than its original, and below it what the colours say."""
    words = {"brighter": pictures.BRIGHTER, "darker": pictures.DARKER}
    key = " ".join(f'<span><i style="background:rgb{colour}"></i> {word}</span>' for word, colour in words.items())
    alt = "difference of the two: orange where the reconstruction is brighter, blue where it is darker"
    return (
        f'<figure class="lx-figure"><img src="{source(pictures.difference(original, other))}" alt="{escape(alt)}">'
        f'<figcaption>{escape(caption)}<small class="lx-key">reconstruction is {key}</small></figcaption></figure>'
    )


def arrow(caption: str) -> str:
    """In place of a picture: a direction."""
    arrow_ = '<div aria-hidden="true">→</div>'
    return f'<figure class="lx-figure lx-arrow">{arrow_}<figcaption>{escape(caption)}</figcaption></figure>'


def row(*figures: str) -> str:
    return f'<div class="lx-row">{"".join(figures)}</div>'


def gallery(*figures: str) -> str:
    """Figures side by side, in as many rows as they take."""
    return f'<div class="lx-gallery">{"".join(figures)}</div>'


def stack(*parts: str) -> str:
    """Parts below one another, as far apart as elements of Streamlit's are."""
    return f'<div class="lx-stack">{"".join(parts)}</div>'


def title(text: str) -> str:
    """A panel's heading."""
    return f"<h5>{escape(text)}</h5>"


def caption(text: str) -> str:
    """A quiet sentence; what is between backticks is set as code."""
    marked = re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
    return f'<p class="lx-quiet">{marked}</p>'


def equation(parts: list[tuple[str, str]]) -> str:
    """Pictures in a line, each with the sign and the weight before it."""
    cells = "".join(f'<span class="lx-sign">{escape(sign)}</span>{figure}' for sign, figure in parts)
    return f'<div class="lx-row lx-equation">{cells}</div>'


def percent(share: float) -> str:
    """A share as a percentage: one digit after the point below 10%."""
    if not math.isfinite(share):
        return "–"
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def most(share: float) -> str:
    """A share of images in words: all, almost all, or a percentage."""
    return "every one" if share >= 1 else "almost all" if share > 0.99 else percent(share)


def facts(pairs: list[tuple[str, str, str]]) -> str:
    """Name, value and explanation of each: the name unfolds it, by pointer, touch and keyboard."""
    cells = "".join(
        f'<div><details><summary title="{escape(why)}"><span>{escape(name)}</span></summary><p>{escape(why)}</p>'
        f"</details><b>{escape(value)}</b></div>"
        for name, value, why in pairs
    )
    return f'<div class="lx-facts">{cells}</div>'


_BARS = "A bar a latent: how far from zero, up or down. Faint ones tell nothing."


def code_bars(code: Tensor, kl_by_latent: Tensor | None = None) -> str:
    """A code [D] as bars around zero; latents that carry less than COLLAPSED_NATS are faint."""
    values = code.tolist()
    reach = max(2.0, *(abs(v) for v in values))
    bars = []
    for i, v in enumerate(values):
        tall = abs(v) / reach * 50
        side = "bottom" if v > 0 else "top"
        faint = kl_by_latent is not None and float(kl_by_latent[i]) < COLLAPSED_NATS
        bars.append(
            f'<span title="latent {i}: {_signed(v, 3)}"><i{" data-faint" if faint else ""} '
            f'style="{side}:50%;height:{max(tall, 1):.1f}%"></i></span>'
        )
    numbers = ", ".join(_signed(v, 2) for v in values) if len(values) <= 4 else f"{len(values)} latents"
    return (
        f'<figure class="lx-code" role="img" aria-label="The code as bars from −{reach:.1f} to {reach:.1f}">'
        f"<div>{''.join(bars)}</div><figcaption><details><summary>code: {numbers}</summary>{_BARS}</details>"
        "</figcaption></figure>"
    )


def _signed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def swatch(colour: Sequence[float]) -> str:
    """A patch of an RGB colour in [0, 1], with its numbers; markup, for `table`."""
    if not all(math.isfinite(v) for v in colour):
        return "–"
    red, green, blue = (round(255 * v) for v in colour)
    return f'<i class="lx-swatch" style="background:rgb({red},{green},{blue})"></i> {red} {green} {blue}'


def table(head: list[str], rows: list[list[str]]) -> str:
    """A small table of markup that this module made, or of plain numbers: cells are not escaped."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="lx-table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
