r"""The course's PyTorch module on saliency, fooling images and class visualization, under the names of its notebook.

The numbers are those of `cs231n.visualization`, where everything is derived. Nothing is chosen at import, neither the
model's gradients nor its mode are changed, and torchvision is not needed: images go through Pillow.

Derivation: [Saliency maps](../visualization/saliency.md), [Fooling images](../visualization/fooling.md),
[Class visualization](../visualization/class_visualization.md)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cs231n.image_utils import SQUEEZENET_MEAN, SQUEEZENET_STD, _pillow
from cs231n.visualization import blur

try:
    import torch
    from torch import nn
except ImportError as missing:
    raise ImportError("cs231n.net_visualization_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "blur_image",
    "class_visualization_update_step",
    "compute_saliency_maps",
    "deprocess",
    "jitter",
    "make_fooling_image",
    "preprocess",
    "rescale",
]


# ------------------------------------------------------------------------------------------------ what is learnt


def compute_saliency_maps(X: torch.Tensor, y: torch.Tensor, model: nn.Module) -> torch.Tensor:
    """As `cs231n.visualization.compute_saliency_maps`: where the score of the right class reacts to the image.

    Args:
        X: (N, 3, H, W) the images; they are not changed.
        y: (N,) the labels.
        model: images → scores (N, C); it is used in test mode, and is afterwards as it was before.

    Returns:
        saliency: (N, H, W) of the largest channel the size of its gradient.
    """
    with _in_test_mode(model):
        g = _score_gradient(X, y.to(X.device), model)[0]
    return g.abs().amax(dim=1)


def make_fooling_image(X: torch.Tensor, target_y: int, model: nn.Module) -> torch.Tensor:
    """As `cs231n.visualization.make_fooling_image`: at most 100 steps of length 1 up the score of `target_y`.

    Args:
        X: (1, 3, H, W) the image; it is not changed.
        target_y: the class that the model shall see.
        model: images → scores (1, C); it is used in test mode, and is afterwards as it was before.

    Returns:
        X_fooling: (1, 3, H, W) a new tensor.
    """
    if X.shape[0] != 1:
        raise ValueError(f"expected one image, X of shape (1, 3, H, W), got {tuple(X.shape)}")
    X_fooling = X.detach().clone()
    target = torch.tensor([target_y], device=X.device)
    with _in_test_mode(model):
        for _ in range(100):
            g, scores = _score_gradient(X_fooling, target, model)
            if scores[0].argmax() == target_y:
                break
            X_fooling = X_fooling + _normalized(g)
    return X_fooling


def class_visualization_update_step(
    img: torch.Tensor, model: nn.Module, target_y: int, l2_reg: float, learning_rate: float
) -> None:
    """One step of `cs231n.visualization.class_visualization_step`, made *in* `img`, as the notebook expects it.

    Args:
        img: (1, 3, H, W) the image, which is changed.
        model: images → scores (1, C); it is used in test mode, and is afterwards as it was before.
        target_y: the class.
        l2_reg: the strength of the penalty; its gradient is taken *off*, since the step goes uphill.
        learning_rate: the length of the step.
    """
    with _in_test_mode(model):
        g = _score_gradient(img, torch.tensor([target_y], device=img.device), model)[0]
    with torch.no_grad():
        img += learning_rate * _normalized(g - 2 * l2_reg * img)


def _score_gradient(X: torch.Tensor, y: torch.Tensor, model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of the sum of the scores of the classes `y` with respect to `X` only; and the scores."""
    X = X.detach().requires_grad_()
    with torch.enable_grad():
        scores = model(X)
        total = scores.gather(1, y[:, None]).sum()
        # not backward(): it would add to what is in .grad, of X and of every weight
        (g,) = torch.autograd.grad(total, X, allow_unused=True) if total.requires_grad else (None,)
    return torch.zeros_like(X) if g is None else g, scores.detach()


def _normalized(g: torch.Tensor) -> torch.Tensor:
    """The direction of `g`, of length 1; zero stays zero."""
    largest = g.abs().max()
    if largest == 0:
        return torch.zeros_like(g)
    direction = g / largest  # so that no square leaves the range of the numbers
    return direction / direction.square().sum().sqrt()


@contextmanager
def _in_test_mode(model: nn.Module) -> Iterator[None]:
    """Dropout off and running averages used; afterwards every part of the model is in its own mode again."""
    parts = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, training in parts.items():
            part.training = training


# ------------------------------------------------------------------------------------------------------- images


def preprocess(img: Image, size: int = 224) -> torch.Tensor:
    """A Pillow image as SqueezeNet wants it: (1, 3, H, W), the shorter side `size`, normalized as ImageNet's colours.

    Args:
        img: of any mode; it is turned into colours.
        size: pixels of the shorter side.

    Returns:
        x: float32.
    """
    bilinear = _pillow().Resampling.BILINEAR
    width, height = img.size
    short = min(width, height)
    img = img.convert("RGB").resize((size * width // short, size * height // short), bilinear)
    x = (np.asarray(img, np.float32) / 255 - SQUEEZENET_MEAN) / SQUEEZENET_STD
    return torch.from_numpy(np.moveaxis(x, -1, 0).copy())[None]


def deprocess(img: torch.Tensor, should_rescale: bool = True) -> Image:
    """Undo `preprocess`: the first image of a batch, as a Pillow image.

    Args:
        img: (N, 3, H, W).
        should_rescale: stretch the colours to the whole range; if not, what lies outside of it is cut off.

    Returns:
        image: in colours, rounded.
    """
    colours = img[0].detach().cpu().double().numpy()
    colours = colours * SQUEEZENET_STD[:, None, None] + SQUEEZENET_MEAN[:, None, None]
    if should_rescale:
        colours = rescale(colours)
    colours = np.rint(255 * np.clip(colours, 0, 1)).astype(np.uint8)
    return _pillow().fromarray(np.ascontiguousarray(np.moveaxis(colours, 0, -1)))


def rescale(x: Any) -> Any:
    """Stretch the values from 0 to 1; if all are equal, they become 0."""
    low, high = x.min(), x.max()
    return (x - low) / (high - low if high > low else 1)


def blur_image(X: torch.Tensor, sigma: float = 1) -> torch.Tensor:
    """`cs231n.visualization.blur`, made *in* `X` (N, C, H, W), which is returned: the notebook drops the result."""
    with torch.no_grad():
        X.copy_(torch.from_numpy(blur(X.detach().cpu().double().numpy(), sigma)))
    return X


def jitter(X: torch.Tensor, ox: int, oy: int) -> torch.Tensor:
    """`cs231n.visualization.jitter`: shift (N, C, H, W) to the right by `ox` and down by `oy`, round the edges."""
    return torch.roll(X, (oy, ox), dims=(-2, -1))
