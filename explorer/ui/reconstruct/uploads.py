"""The pictures that a person has uploaded, pasted or photographed for the Reconstruct screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from explorer.errors import DatasetError
from explorer.images.decoding import read_picture
from explorer.images.processes import Effort
from explorer.images.stacks import FIRST, Planes
from explorer.ui.reconstruct.thumbnails import tile
from explorer.ui.uploads.intake import Intake, Read
from explorer.ui.uploads.store import Item, Store, Uploads

MOST_BYTES = 96 << 20  # of all of them together, decoded: some thirty large photos
_MOST_SIDE = 1024  # pixels: no model sees more, and a session keeps its pictures


@dataclass(frozen=True, eq=False)
class UploadedPicture(Item):
    """A decoded picture, of mode L or RGB, shrunk where the file's is large; `small` is one to choose it by."""

    picture: Image.Image
    small: Image.Image

    @property
    def bytes(self) -> int:
        """Of memory that the picture takes, and its file where that is kept."""
        return self.picture.width * self.picture.height * len(self.picture.getbands()) + len(self.data)


class PictureIntake(Intake[UploadedPicture]):
    """How files become pictures of the Reconstruct screen."""

    store = Store[UploadedPicture]("reconstruct_uploads", "picture")
    key = "upload"
    label = "Pictures of any common format, size and depth, zips of them, or a folder dropped here"
    most = 100
    most_megabytes = 20
    instead = "Rank a zip of them instead."

    def reader(self, before: Uploads[UploadedPicture], planes: Planes = FIRST) -> Read[UploadedPicture]:
        """Makes what decodes files, as long as there is room for their pictures."""
        effort = Effort("This upload")
        room = MOST_BYTES - sum(item.bytes for item in before.items)

        def read(name: str, data: bytes, digest: str) -> UploadedPicture:
            nonlocal room
            found = read_picture(data, name, at_most=_MOST_SIDE, planes=planes, effort=effort)
            several: dict[str, Any] = {"frames": found.frames, "channels": found.channels, "planes": planes}
            item = UploadedPicture(
                0, name, digest, found.image, tile(found.image), size=found.size, notes=found.notes, **several
            )
            if (found.frames, found.channels) != (1, 1) and item.bytes + len(data) <= room:
                item = replace(item, data=data)
            if item.bytes > room:
                raise DatasetError(
                    f"{name} was not added: the pictures here fill the {MOST_BYTES >> 20} MB that a visitor has. "
                    "Remove some first, or rank a zip of them instead."
                )
            room -= item.bytes
            return item

        return read


intake = PictureIntake()
