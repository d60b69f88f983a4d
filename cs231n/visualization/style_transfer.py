r"""Style transfer: losses that compare the content, the style and the smoothness of images, and their gradients.

Derivation: [Style transfer](../visualization/style_transfer.md)
"""

from typing import Sequence  # noqa: UP035  NumPy and typing are all that a concept imports

import numpy as np


def content_loss(
    content_weight: float, content_current: np.ndarray, content_original: np.ndarray
) -> tuple[float, np.ndarray]:
    r"""Weighted sum of the squared differences of two feature maps, and its gradient.

    Derivation: [Style transfer](../visualization/style_transfer.md)

    Source: Gatys, Ecker & Bethge, Image style transfer using convolutional neural networks, CVPR 2016, equation (1);
        the course writes a weight for its ½.

    Args:
        content_weight: a number.
        content_current: any shape, features of the image that is made.
        content_original: the same shape, features of the image whose content is wanted; they are constants.

    Returns:
        loss: a number.
        dcurrent: the shape of `content_current`, gradient with respect to it.

    Raises:
        ValueError: different shapes, or arrays that do not hold real numbers.

    >>> loss, dcurrent = content_loss(0.5, np.array([[1.0, 4.0]]), np.array([[0.0, 2.0]]))
    >>> float(loss), dcurrent
    (2.5, array([[1., 2.]]))
    """
    for name, array in (("content_current", content_current), ("content_original", content_original)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if content_original.shape != content_current.shape:
        raise ValueError(f"expected content_original of shape {content_current.shape}, got {content_original.shape}")
    if content_current.dtype.kind == "f":
        content_weight = content_current.dtype.type(content_weight)
    difference = content_current - content_original
    return content_weight * (difference**2).sum(), 2 * content_weight * difference


def gram_matrix(features: np.ndarray, normalize: bool = True) -> np.ndarray:
    r"""How much each two channels are active at the same places: their inner products over all positions.

    Derivation: [Style transfer](../visualization/style_transfer.md)

    Source: Gatys, Ecker & Bethge (2016), equation (3); the factor is the course's.

    Args:
        features: (N, C, H, W) feature maps.
        normalize: divide by C · H · W.

    Returns:
        gram: (N, C, C), symmetric for each image.

    Raises:
        ValueError: wrong shape, or an array that does not hold real numbers.

    >>> gram_matrix(np.array([[[[1.0, 2.0]], [[0.0, -1.0]]]]), normalize=False)
    array([[[ 5., -2.],
            [-2.,  1.]]])
    """
    if features.dtype.kind not in "fO":
        raise ValueError(f"features: expected real floating-point numbers, got dtype {features.dtype}")
    if features.ndim != 4 or 0 in features.shape:
        raise ValueError(f"expected features of shape (N, C, H, W), each at least 1, got {features.shape}")
    N, C, H, W = features.shape
    flat = features.reshape(N, C, H * W)
    gram = flat @ flat.swapaxes(1, 2)
    return gram / (C * H * W) if normalize else gram


def gram_matrix_backward(dgram: np.ndarray, features: np.ndarray, normalize: bool = True) -> np.ndarray:
    r"""The gradient of the features: each channel stands on both sides of the product, so `dgram` comes in twice.

    Derivation: [Style transfer](../visualization/style_transfer.md)

    Args:
        dgram: (N, C, C) gradient of the loss with respect to the Gram matrices; it need not be symmetric.
        features: (N, C, H, W) what the forward got.
        normalize: as in the forward.

    Returns:
        dfeatures: (N, C, H, W) gradient with respect to `features`.

    Raises:
        ValueError: wrong shapes, or arrays that do not hold real numbers.

    >>> features = np.array([[[[1.0, 2.0]], [[0.0, -1.0]]]])
    >>> gram_matrix_backward(np.array([[[1.0, 0.0], [2.0, 0.0]]]), features, normalize=False)
    array([[[[2., 2.]],
    <BLANKLINE>
            [[2., 4.]]]])
    """
    for name, array in (("dgram", dgram), ("features", features)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if features.ndim != 4 or 0 in features.shape:
        raise ValueError(f"expected features of shape (N, C, H, W), each at least 1, got {features.shape}")
    N, C, H, W = features.shape
    if dgram.shape != (N, C, C):
        raise ValueError(f"expected dgram of shape {(N, C, C)}, got {dgram.shape}")
    dflat = (dgram + dgram.swapaxes(1, 2)) @ features.reshape(N, C, H * W)
    if normalize:
        dflat = dflat / (C * H * W)
    return dflat.reshape(features.shape)


def style_loss(
    feats: Sequence[np.ndarray],
    style_layers: Sequence[int],
    style_targets: Sequence[np.ndarray],
    style_weights: Sequence[float],
) -> tuple[float, list[np.ndarray]]:
    r"""Weighted sum, over some layers, of the squared differences of Gram matrices; and the gradients of the features.

    Derivation: [Style transfer](../visualization/style_transfer.md)

    Source: Gatys, Ecker & Bethge (2016), equations (4) to (6), with the factors of the course.

    Args:
        feats: features (1, C, H, W) of every layer, as the network makes them from the image.
        style_layers: which of them count, as indices into `feats`.
        style_targets: for each style layer the Gram matrix (1, C, C) of the style image; they are constants.
        style_weights: for each style layer its weight.

    Returns:
        loss: a number.
        dfeats: for each style layer the gradient with respect to its features.

    Raises:
        ValueError: lists of different lengths, or wrong shapes.

    >>> features = np.array([[[[1.0, 2.0]], [[0.0, -1.0]]]])
    >>> loss, (dfeatures,) = style_loss([features], [0], [np.zeros((1, 2, 2))], [16.0])
    >>> float(loss)  # the Gram matrix is [[5, -2], [-2, 1]] over 4
    34.0
    >>> dfeatures
    array([[[[ 20.,  48.]],
    <BLANKLINE>
            [[ -8., -20.]]]])
    """
    if not len(style_layers) == len(style_targets) == len(style_weights):
        raise ValueError(
            f"expected as many targets and weights as layers, got {len(style_layers)} layers, "
            f"{len(style_targets)} targets, {len(style_weights)} weights"
        )
    loss: float = 0.0
    dfeats = []
    for layer, target, weight in zip(style_layers, style_targets, style_weights, strict=True):
        features = feats[layer]
        gram = gram_matrix(features)
        if target.shape != gram.shape:
            raise ValueError(f"layer {layer}: expected a target of shape {gram.shape}, got {target.shape}")
        part, dgram = content_loss(weight, gram, target)
        loss = loss + part
        dfeats.append(gram_matrix_backward(dgram, features))
    return loss, dfeats


def tv_loss(img: np.ndarray, tv_weight: float) -> tuple[float, np.ndarray]:
    r"""Total variation: the weighted sum of the squared differences of neighbouring pixels, and its gradient.

    Derivation: [Style transfer](../visualization/style_transfer.md)

    Source: Johnson, Alahi & Fei-Fei, Perceptual losses for real-time style transfer, 2016, section 3.2, and the course.

    Args:
        img: (N, C, H, W) images.
        tv_weight: a number.

    Returns:
        loss: a number.
        dimg: the shape of `img`, gradient with respect to it.

    Raises:
        ValueError: wrong shape, or an array that does not hold real numbers.

    >>> loss, dimg = tv_loss(np.array([[[[1.0, 3.0, 3.0], [1.0, 2.0, 0.0]]]]), 0.5)
    >>> float(loss)  # down: 0, 1, 9; to the right: 4, 0, 1, 4
    9.5
    >>> dimg
    array([[[[-2.,  3.,  3.],
             [-1.,  2., -5.]]]])
    """
    if img.dtype.kind not in "fO":
        raise ValueError(f"img: expected real floating-point numbers, got dtype {img.dtype}")
    if img.ndim != 4:
        raise ValueError(f"expected img of shape (N, C, H, W), got {img.shape}")
    if img.dtype.kind == "f":
        tv_weight = img.dtype.type(tv_weight)
    down = img[:, :, 1:] - img[:, :, :-1]
    right = img[:, :, :, 1:] - img[:, :, :, :-1]
    loss = tv_weight * ((down**2).sum() + (right**2).sum())
    dimg = np.zeros_like(img)
    dimg[:, :, 1:] += down
    dimg[:, :, :-1] -= down
    dimg[:, :, :, 1:] += right
    dimg[:, :, :, :-1] -= right
    return loss, 2 * tv_weight * dimg
