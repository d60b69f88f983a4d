"""Features of images for linear classifiers: a histogram of gradients for the texture, a histogram of hues for colour.

An image is an array (H, W) of grey values, or (H, W, C) with one channel (grey), three (red, green, blue) or four (the
fourth, opacity, is not looked at). Whole numbers and floating-point numbers are both fine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["color_histogram_hsv", "extract_features", "hog_feature", "rgb2gray"]

#: What red, green and blue contribute to brightness (Rec. ITU-R BT.601). They sum to 1, so white stays white.
LUMA = np.array([0.299, 0.587, 0.114])
CELL, ORIENTATIONS = 8, 9


def extract_features(
    imgs: np.ndarray, feature_fns: Sequence[Callable[[np.ndarray], np.ndarray]], verbose: bool = False
) -> np.ndarray:
    """Compute all features of all images, and put those of each image in one row.

    Args:
        imgs: (N, H, W, C) or (N, H, W): N images.
        feature_fns: functions that take one image and return a 1-d array of F_k numbers, the same F_k for each image.
        verbose: tell on standard error how far it is, every thousand images.

    Returns:
        features: (N, F_1 + … + F_k) the features of each image, in the order of the functions.

    Raises:
        ValueError: no image, no function, or a feature that is no 1-d array of the same length for all images.

    >>> images = np.arange(24.0).reshape(2, 2, 2, 3)
    >>> extract_features(images, [lambda im: im[0, 0], lambda im: [im.max()]])
    array([[ 0.,  1.,  2., 11.],
           [12., 13., 14., 23.]])
    """
    if len(imgs) == 0:
        raise ValueError(f"expected at least one image, got {np.shape(imgs)}")
    if len(feature_fns) == 0:
        raise ValueError("expected at least one feature function, got none")
    first = _features(imgs[0], feature_fns)
    sizes = [part.size for part in first]
    features = np.empty((len(imgs), sum(sizes)), np.result_type(np.float32, *first))
    for n, image in enumerate(imgs):
        parts = _features(image, feature_fns) if n else first
        if (found := [part.size for part in parts]) != sizes:
            raise ValueError(f"image {n}: expected {sizes} features, as many as image 0 has, got {found}")
        features[n] = np.concatenate(parts)
        if verbose and (n + 1) % 1000 == 0:
            sys.stderr.write(f"features of {n + 1} of {len(imgs)} images\n")
    return features


def _features(image: np.ndarray, feature_fns: Sequence[Callable[[np.ndarray], np.ndarray]]) -> list[np.ndarray]:
    parts = [np.asarray(function(image)) for function in feature_fns]
    for number, part in enumerate(parts):
        if part.ndim != 1:
            raise ValueError(f"feature function {number}: expected a 1-d array, got shape {part.shape}")
    return parts


def rgb2gray(rgb: np.ndarray) -> np.ndarray:
    """The brightness of each pixel: a weighted mean of red, green and blue, most of it green, as the eye has it.

    Source: Rec. ITU-R BT.601, item 2.5.1.

    Args:
        rgb: (…, 3), or (…, 4) with opacity, which is not looked at.

    Returns:
        gray: (…) in the scale of `rgb`: white stays white. Whole numbers become float64.

    Raises:
        ValueError: the last axis has not 3 or 4 entries, or the array does not hold real numbers.

    >>> rgb2gray(np.array([[255, 255, 255], [255, 0, 0]])).round(3)
    array([255.   ,  76.245])
    """
    rgb = _real(rgb, "rgb")
    if rgb.ndim == 0 or rgb.shape[-1] not in (3, 4):
        raise ValueError(f"expected rgb of shape (..., 3) or (..., 4), got {rgb.shape}")
    return rgb[..., :3] @ LUMA.astype(rgb.dtype)


def hog_feature(im: np.ndarray) -> np.ndarray:
    """Histogram of oriented gradients: how much edge of which direction each cell of 8 × 8 pixels holds.

    A gradient and its opposite count as the same direction: the border of a dark thing before a bright wall is like
    that of a bright thing before a dark one. Each cell has 9 bins of 20 degrees. A pixel adds the length of its
    gradient to its bin, and the sums are divided by the number of pixels in the cell. Rows and columns that are left
    over at the end are not used. An image lower or narrower than 8 pixels is one cell high or wide.

    Source: Dalal & Triggs, Histograms of oriented gradients for human detection, CVPR 2005, sections 6.2 and 6.3,
    without interpolation between bins and without normalization of blocks.

    Args:
        im: (H, W) or (H, W, C) an image.

    Returns:
        feature: (rows of cells · columns of cells · 9,): the bins of the first cell, then those of the cell to the
            right of it, and so on.

    Raises:
        ValueError: not an image, or not of real numbers.

    >>> stripes = np.tile([0.0, 1.0, 1.0, 0.0], (8, 2))  # all gradients point left or right
    >>> hog_feature(stripes)
    array([0. , 0. , 0. , 0. , 0.5, 0. , 0. , 0. , 0. ])
    """
    gray = _gray(im)
    H, W = gray.shape
    gx, gy = np.zeros_like(gray), np.zeros_like(gray)
    gx[:, :-1] = np.diff(gray, axis=1)  # the last column and the last row have no neighbour: 0
    gy[:-1, :] = np.diff(gray, axis=0)
    length = np.hypot(gx, gy)
    angle = (np.degrees(np.arctan2(gy, gx)) + 90) % 180  # a gradient to the right or to the left is in the middle bin
    bins = np.minimum((angle * (ORIENTATIONS / 180)).astype(np.intp), ORIENTATIONS - 1)  # % may round up to 180

    height, width = min(CELL, H), min(CELL, W)
    rows, columns = H // height, W // width
    used = np.s_[: rows * height, : columns * width]
    cells = np.add.outer(np.arange(rows * height) // height * columns, np.arange(columns * width) // width)
    where = cells * ORIENTATIONS + bins[used]
    sums = np.bincount(where.ravel(), length[used].ravel(), minlength=rows * columns * ORIENTATIONS)
    return (sums / (height * width)).astype(gray.dtype)


def color_histogram_hsv(
    im: np.ndarray, nbin: int = 10, xmin: float = 0, xmax: float = 255, normalized: bool = True
) -> np.ndarray:
    """Histogram of the hues of an image: how many of its pixels are red, yellow, green …, however bright they are.

    A grey pixel has no hue. Like everyone else we give it that of red, 0.

    Source: Smith, Color gamut transform pairs, SIGGRAPH 1978, the hexcone model.

    Args:
        im: (H, W, 3) a colour image, in any scale: the hue does not depend on it. A grey image, (H, W) or (H, W, 1), is
            all in the first bin.
        nbin: the number of bins.
        xmin: where the first bin begins, if the circle of hues runs from 0 to `xmax`.
        xmax: where the last bin ends.
        normalized: divide by the number of pixels, so that the bins sum to 1; else count pixels.

    Returns:
        histogram: (nbin,)

    Raises:
        ValueError: not an image, not of real numbers, `nbin` is less than 1, or `xmin` is not between 0 and `xmax`.

    >>> red, green = [255, 0, 0], [0, 128, 0]
    >>> color_histogram_hsv(np.array([[red, red, green, green], [red, red, red, red]]), nbin=6)
    array([0.75, 0.  , 0.25, 0.  , 0.  , 0.  ])
    """
    if nbin < 1:
        raise ValueError(f"expected nbin >= 1, got {nbin}")
    if not 0 <= xmin < xmax:
        raise ValueError(f"expected 0 <= xmin < xmax, got xmin = {xmin} and xmax = {xmax}")
    im = _image(im)
    hue = np.zeros(im.shape[:2]) if im.ndim == 2 or im.shape[2] == 1 else _hue(im[..., :3])
    histogram = np.histogram(hue * xmax, bins=nbin, range=(xmin, xmax))[0].astype(np.float64)
    return histogram / max(histogram.sum(), 1) if normalized else histogram


def _hue(rgb: np.ndarray) -> np.ndarray:
    """The angle on the circle red, yellow, green, cyan, blue, magenta, as a part of it: at least 0, less than 1."""
    rgb = rgb.astype(np.float64, copy=False)
    r, g, b = np.moveaxis(rgb, -1, 0)
    largest = rgb.max(axis=-1)
    spread = largest - rgb.min(axis=-1)
    safe = np.where(spread > 0, spread, 1)
    sixths = np.select(
        [largest == r, largest == g],  # the first that holds; a pixel whose three are equal gives 0
        [(g - b) / safe, 2 + (b - r) / safe],
        4 + (r - g) / safe,
    )
    hue = sixths / 6 % 1
    return np.where(hue < 1, hue, 0)  # % may round up to 1


def _real(array: np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _image(im: np.ndarray) -> np.ndarray:
    im = _real(im, "im")
    if im.ndim not in (2, 3) or 0 in im.shape or (im.ndim == 3 and im.shape[2] not in (1, 3, 4)):
        raise ValueError(f"expected an image of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {im.shape}")
    return im


def _gray(im: np.ndarray) -> np.ndarray:
    im = _image(im)
    if im.ndim == 2:
        return im
    return im[..., 0] if im.shape[2] == 1 else rgb2gray(im)
