"""From a picture file to the tensor that a network was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tinycnn.errors import OptionError, PictureError
from tinycnn.models.mnist import centre_digit, frame

MAX_PIXELS = 1 << 26
"""Greatest width times height that is decoded, 67 million: 200 MB of RGB."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of the formats accepted: raster pictures only, none that starts an interpreter."""

Colour = Literal["grey", "rgb", "bgr"]
Fit = Literal["stretch", "crop", "digit"]
Layout = Literal["nchw", "nhwc"]


def load_picture(path: str | Path) -> Image.Image:
    """Read a picture as it is meant to be seen: mode RGB, upright, 8 bits a sample.

    The EXIF orientation is applied, transparency composited on white, 16-bit grey scaled to 8 bits; palettes, CMYK
    and grey become RGB. Of an animation, the first frame.

    Raises
    ------
    PictureError
        The file cannot be read, is no picture of a format in FORMATS, is truncated or damaged, has float samples (their
        range is unknown), or announces more than MAX_PIXELS. The message begins with the file's name.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} is more than {MAX_PIXELS} pixels")
            return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture; accepted are {', '.join(FORMATS)}") from None
    except Exception as error:  # decoders meet hostile bytes with every kind of exception
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(f"{path}: not a readable picture: {reason}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("float samples")
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes a network's input: (pixel * scale - mean) / std, pixels 0..255.

    Parameters
    ----------
    size : height and width of the input in pixels.
    colour : "grey" (ITU-R 601 luma), "rgb" or "bgr": the channels and their order.
    fit : "stretch" resizes to `size`; "crop" resizes the short side to `short_side` and takes the centre; "digit"
        prepares a single digit like those of MNIST (`tinycnn.models.mnist.centre_digit`), grey only.
    short_side : pixels, for "crop"; at least the larger of `size`, which is the default.
    scale, mean, std : mean and std are one number for all channels, or one per channel in the order of `colour`.
    layout : "nchw" or "nhwc".
    invert : whether to swap black and white first; "auto" does so if the picture's border is bright (ink on paper).

    Raises
    ------
    OptionError
        A value that does not exist, or one that contradicts another.
    """

    size: tuple[int, int]
    colour: Colour = "rgb"
    fit: Fit = "crop"
    short_side: int | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: Layout = "nchw"
    invert: bool | Literal["auto"] = False

    def __post_init__(self) -> None:
        for name, known in (("colour", Colour), ("fit", Fit), ("layout", Layout)):
            if getattr(self, name) not in get_args(known):
                raise OptionError(f"preprocess: {name} is {getattr(self, name)!r}, not one of {get_args(known)}")
        channels = 1 if self.colour == "grey" else 3
        contradictions = {
            "size is not a height and a width": len(self.size) != 2 or min(self.size) < 1,
            "short_side is smaller than size": self.short_side is not None and self.short_side < max(self.size),
            "fit 'digit' needs colour 'grey'": self.fit == "digit" and channels != 1,
            "mean and std need one number, or one per channel": not {len(self.mean), len(self.std)} <= {1, channels},
            "std holds a zero": 0 in self.std,
            "invert is neither a bool nor 'auto'": self.invert not in (True, False, "auto"),
        }
        for reason, holds in contradictions.items():
            if holds:
                raise OptionError(f"preprocess: {reason}")

    @classmethod
    def from_card(cls, table: Mapping[str, Any]) -> "Preprocess":
        """The [preprocess] table of a card: the same names, arrays for tuples. Raises OptionError as the class does."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise OptionError(f"preprocess: {error}") from error

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the input for one picture, without the batch: (c, h, w) or (h, w, c)."""
        channels = 1 if self.colour == "grey" else 3
        return (channels, *self.size) if self.layout == "nchw" else (*self.size, channels)

    def apply(self, image: Image.Image) -> NDArray[np.float32]:
        """The network's input for one picture of any size: float32, [1, c, h, w] ("nchw") or [1, h, w, c] ("nhwc")."""
        image = self._prepared(image)
        if self.fit == "digit":
            image.thumbnail((1024, 1024))
            return self._tensor([centre_digit(np.asarray(image), self.size)])
        box = self._crop(image, 0.5, 0.5) if self.fit == "crop" else (0.0, 0.0, float(image.width), float(image.height))
        return self._tensor([self._resized(image, box)])

    def ten_crop(self, image: Image.Image) -> NDArray[np.float32]:
        """Ten views of a picture, to average what a network says of them: float32, [10, c, h, w] or [10, h, w, c].

        The corners upper left, upper right, lower left, lower right, the centre, then the mirror images of these five.

        Raises OptionError when `fit` is not "crop".
        Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 4.1.
        """
        if self.fit != "crop":
            raise OptionError(f"preprocess: ten crops need fit 'crop', not {self.fit!r}")
        image = self._prepared(image)
        places = ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5))
        views = [self._resized(image, self._crop(image, across, down)) for across, down in places]
        return self._tensor([*views, *(view[:, ::-1] for view in views)])

    def pixels(self, x: NDArray[Any]) -> NDArray[np.uint8]:
        """The pixels that an input [c, h, w] or [h, w, c] was made of: uint8 [h, w, 3], RGB."""
        x = x.transpose(1, 2, 0) if self.layout == "nchw" else x
        pixels = (x * np.array(self.std) + np.array(self.mean)) / self.scale
        pixels = pixels[..., :: -1 if self.colour == "bgr" else 1]
        return np.broadcast_to(pixels.round().clip(0, 255).astype(np.uint8), (*self.size, 3))

    def _prepared(self, image: Image.Image) -> Image.Image:
        """In the channels of `colour`, RGB for "bgr", inverted where wished."""
        image = image.convert("L" if self.colour == "grey" else "RGB")
        if self.invert is True or (self.invert == "auto" and _has_bright_border(image)):
            image = ImageOps.invert(image)
        return image

    def _crop(self, image: Image.Image, across: float, down: float) -> tuple[float, float, float, float]:
        """The part that becomes `size` when the short side becomes `short_side`: left, top, right, bottom.

        across, down : 0 for the left and upper edge, 0.5 for the centre, 1 for the right and lower edge.
        """
        ratio = min(image.size) / (self.short_side or max(self.size))
        height, width = (
            min(side * ratio, full) for side, full in zip(self.size, (image.height, image.width), strict=True)
        )
        left, top = (image.width - width) * across, (image.height - height) * down
        return left, top, left + width, top + height

    def _resized(self, image: Image.Image, box: tuple[float, float, float, float]) -> NDArray[Any]:
        height, width = self.size
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))

    def _tensor(self, views: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Views [h, w] or [h, w, 3] of pixels as one input."""
        pixels = np.stack([np.atleast_3d(view) for view in views])[..., :: -1 if self.colour == "bgr" else 1]
        tensor = (pixels * self.scale - np.array(self.mean)) / np.array(self.std)
        if self.layout == "nchw":
            tensor = tensor.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(tensor, np.float32)


def _has_bright_border(image: Image.Image) -> bool:
    """Whether the median of the outermost pixels lies in the upper half of the picture's range."""
    grey = np.asarray(image.convert("L"))
    return bool(np.median(frame(grey)) > (float(grey.min()) + float(grey.max())) / 2)
