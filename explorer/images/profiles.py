"""Colour profiles: a picture that has one is converted to sRGB, the colours of screens and of pictures without one."""

from __future__ import annotations

import io

from PIL import Image

CONVERTED = "Its colours were converted to sRGB by the profile in the file."

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Converts a decoded picture of mode L, RGB or CMYK to sRGB, one of RGB in place.

    Args:
        image: the picture.
        profile: its ICC profile.

    Returns:
        The picture, of mode L or RGB; None where there is nothing to convert: without a profile, with one that is
        damaged, of other colours than the picture's, or sRGB itself.
    """
    if not profile or image.mode not in _SPACES:
        return None
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[image.mode]:
            return None
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        in_place = image.mode == "RGB"
        converted = ImageCms.applyTransform(image, transform, inPlace=in_place) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return converted.getchannel(0) if image.mode == "L" else converted
