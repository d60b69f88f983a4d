r"""The course's PyTorch module on style transfer, under the names of its notebook.

The losses are those of `cs231n.visualization.style_transfer`, where their gradients are derived, for tensors that carry
a graph. Nothing is chosen at import: everything stays on the device and in the precision of what comes in.

Derivation: [Style transfer](../visualization/style_transfer.md)
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as missing:
    raise ImportError("cs231n.style_transfer_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

from cs231n import net_visualization_pytorch as _images
from cs231n.image_utils import _pillow
from cs231n.net_visualization_pytorch import rescale

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "content_loss",
    "deprocess",
    "extract_features",
    "features_from_img",
    "gram_matrix",
    "preprocess",
    "rel_error",
    "rescale",
    "style_loss",
    "tv_loss",
]


# ------------------------------------------------------------------------------------------------------- losses


def content_loss(content_weight: float, content_current: torch.Tensor, content_original: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the squared differences of two feature maps of one shape."""
    if content_current.shape != content_original.shape:
        raise ValueError(
            f"expected content_original of shape {tuple(content_current.shape)}, got {tuple(content_original.shape)}"
        )
    return content_weight * (content_current - content_original).square().sum()


def gram_matrix(features: torch.Tensor, normalize: bool = True) -> torch.Tensor:
    """Inner products of the channels over all places: (N, C, H, W) → (N, C, C), divided by C · H · W if wanted."""
    N, C, H, W = features.shape
    flat = features.reshape(N, C, H * W)
    gram = flat @ flat.transpose(1, 2)
    return gram / (C * H * W) if normalize else gram


def style_loss(
    feats: Sequence[torch.Tensor],
    style_layers: Sequence[int],
    style_targets: Sequence[torch.Tensor],
    style_weights: Sequence[float],
) -> torch.Tensor:
    """The weighted sum over some layers of the squared differences of Gram matrices.

    Args:
        feats: the features (1, C, H, W) of every layer.
        style_layers: which of them count, as indices into `feats`.
        style_targets: for each style layer the Gram matrix (1, C, C) of the style image.
        style_weights: for each style layer its weight.

    Returns:
        loss: one number.
    """
    loss = feats[0].new_zeros(())
    for layer, target, weight in zip(style_layers, style_targets, style_weights, strict=True):
        loss = loss + content_loss(weight, gram_matrix(feats[layer]), target)
    return loss


def tv_loss(img: torch.Tensor, tv_weight: float) -> torch.Tensor:
    """The weighted sum of the squared differences of neighbouring pixels of (N, C, H, W), down and to the right."""
    down = img[:, :, 1:] - img[:, :, :-1]
    right = img[:, :, :, 1:] - img[:, :, :, :-1]
    return tv_weight * (down.square().sum() + right.square().sum())


# ----------------------------------------------------------------------------------------------------- features


def extract_features(x: torch.Tensor, cnn: nn.Module) -> list[torch.Tensor]:
    """The output of each module of a sequential network, in order; one that stands there twice counts twice."""
    features = []
    for module in cnn._modules.values():  # children() would leave out the second time
        if module is not None:
            x = module(x)
            features.append(x)
    return features


def features_from_img(
    imgpath: str | PathLike[str], imgsize: int, cnn: nn.Module
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The features of an image file, and the image as the network gets it: on its device, in its precision."""
    with _pillow().open(imgpath) as file:
        img = preprocess(file, size=imgsize)
    where = next((p for p in cnn.parameters()), None)
    if where is not None:
        img = img.to(where)
    return extract_features(img, cnn), img


# ------------------------------------------------------------------------------------------------------- images


def preprocess(img: Image, size: int = 512) -> torch.Tensor:
    """As in `cs231n.net_visualization_pytorch`, only larger."""
    return _images.preprocess(img, size)


def deprocess(img: torch.Tensor) -> Image:
    """Undo `preprocess`, the colours stretched to the whole range."""
    return _images.deprocess(img)


def rel_error(x: Any, y: Any) -> float:
    """The largest relative difference of two arrays."""
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))
