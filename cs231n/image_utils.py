"""Images from files and from the net, and the form in which SqueezeNet wants them.

Reading images needs Pillow: ``pip install "cs231n[data]"``.
"""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "SQUEEZENET_MEAN",
    "SQUEEZENET_STD",
    "deprocess_image",
    "image_from_url",
    "load_image",
    "preprocess_image",
    "resize_image",
]

#: Mean and standard deviation of each colour over ImageNet, for colours from 0 to 1.
SQUEEZENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
SQUEEZENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)

#: An image with more pixels than this is not decoded, since a few bytes can stand for gigabytes; nor are more bytes
#: than that fetched.
MAX_PIXELS, MAX_BYTES = 100_000_000, 50_000_000


def preprocess_image(img: np.ndarray) -> np.ndarray:
    """Take colours from 0 … 255 to mean 0 and standard deviation 1 over ImageNet.

    Args:
        img: (…, 3) colours from 0 to 255.

    Returns:
        normalized: (…, 3) float32.

    Raises:
        ValueError: the last axis does not hold three colours.
    """
    _require_colours(img)
    return (np.asarray(img, np.float32) / 255 - SQUEEZENET_MEAN) / SQUEEZENET_STD


def deprocess_image(img: np.ndarray, rescale: bool = False) -> np.ndarray:
    """Undo `preprocess_image`.

    Args:
        img: (…, 3) normalized colours.
        rescale: stretch the values, so that the least becomes 0 and the largest 255. An image of one value becomes 0.

    Returns:
        colours: (…, 3) uint8 from 0 to 255, rounded; what lies outside is cut off.

    Raises:
        ValueError: the last axis does not hold three colours.
    """
    _require_colours(img)
    colours = np.asarray(img) * SQUEEZENET_STD + SQUEEZENET_MEAN
    if rescale:
        least, most = colours.min(), colours.max()
        colours = (colours - least) / (most - least if most > least else 1)
    return np.rint(np.clip(255 * colours, 0, 255)).astype(np.uint8)


def image_from_url(url: str, *, timeout: float = 20) -> np.ndarray:
    """Fetch an image.

    Args:
        url: its address, http or https.
        timeout: after so many seconds without an answer it is given up.

    Returns:
        img: (H, W, 3) uint8 colours.

    Raises:
        ConnectionError: it was not to be had: no network, no such host, no such page, no answer in time.
        ImportError: Pillow is not installed.
        ValueError: the address is none, or what it leads to is no image or too large.
    """
    if not str(url).startswith(("http://", "https://")):
        raise ValueError(f"expected an address that begins with http:// or https://, got {url!r}")
    _pillow()  # before the download
    request = urllib.request.Request(url, headers={"User-Agent": "cs231n (course notebook)"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            content = answer.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:  # first: it is a URLError too
        raise ConnectionError(f"{url}: the server answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(f"{url}: not to be reached ({reason}); is there a network?") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{url}: expected at most {MAX_BYTES} bytes")
    return _decoded(io.BytesIO(content), url)


def load_image(filename: str | Path, size: int | None = None) -> np.ndarray:
    """Read an image from a file.

    Args:
        filename: the file, in any format that Pillow knows.
        size: resize it so that its shorter side has so many pixels; None: as it is.

    Returns:
        img: (H, W, 3) uint8 colours.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: Pillow is not installed.
        ValueError: the file is no image, or too large, or `size` is below 1.
    """
    with open(filename, "rb") as file:
        img = _decoded(file, str(filename))
    if size is None:
        return img
    if size < 1:
        raise ValueError(f"expected size >= 1, got {size}")
    H, W = img.shape[:2]
    scale = size / min(H, W)
    return resize_image(img, (max(round(H * scale), 1), max(round(W * scale), 1)))


def resize_image(img: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize an image, averaging over what becomes one pixel.

    Args:
        img: (H, W, 3) uint8 colours.
        shape: the new height and width.

    Returns:
        resized: (*shape, 3) uint8 colours.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: `img` is no such image, or a side would be shorter than 1.
    """
    if img.ndim != 3 or img.shape[2] != 3 or img.dtype != np.uint8:
        raise ValueError(f"expected uint8 colours of shape (H, W, 3), got dtype {img.dtype} and shape {img.shape}")
    if min(shape) < 1:
        raise ValueError(f"expected sides >= 1, got {shape}")
    image = _pillow()
    return np.asarray(image.fromarray(img).resize((shape[1], shape[0]), image.Resampling.BOX))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('images need Pillow: pip install "cs231n[data]"') from None
    return Image


def _decoded(file: Any, name: str) -> np.ndarray:
    image = _pillow()
    try:
        with image.open(file) as found:
            if found.width * found.height > MAX_PIXELS:
                raise ValueError(f"at most {MAX_PIXELS} pixels, got {found.width} × {found.height}")
            return np.asarray(found.convert("RGB"))
    except Exception as error:  # Pillow raises nearly anything for a file that is cut off or is something else
        raise ValueError(f"{name}: expected an image: {error}") from None


def _require_colours(img: np.ndarray) -> None:
    if img.ndim == 0 or img.shape[-1] != 3:
        raise ValueError(f"expected three colours on the last axis, got shape {img.shape}")
