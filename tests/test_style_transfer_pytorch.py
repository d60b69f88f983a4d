"""The course's PyTorch module on style transfer against the NumPy chapter."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n import visualization

SHAPE = (1, 3, 4, 5)

pytestmark = pytest.mark.torch


def draw(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def tracked(array: np.ndarray) -> Any:
    import torch

    return torch.tensor(array, requires_grad=True)


def test_content_loss_and_gradient_are_those_of_the_chapter() -> None:
    from cs231n.style_transfer_pytorch import content_loss

    current, original = draw(0), draw(1)
    tensor = tracked(current)
    value = content_loss(0.3, tensor, tracked(original))
    value.backward()
    loss, gradient = visualization.content_loss(0.3, current, original)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-12)
    np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-12)
    with pytest.raises(ValueError, match=r"content_original of shape \(1, 3, 4, 5\), got \(1, 3, 5, 4\)"):
        content_loss(0.3, tensor, tensor.transpose(2, 3))


@pytest.mark.parametrize("normalize", [True, False])
def test_gram_matrix_and_backward_are_those_of_the_chapter(normalize: bool) -> None:
    import torch

    from cs231n.style_transfer_pytorch import gram_matrix

    features, dgram = draw(0, (2, 3, 4, 5)), draw(1, (2, 3, 3))
    tensor = tracked(features)
    gram = gram_matrix(tensor, normalize)
    gram.backward(torch.tensor(dgram))
    np.testing.assert_allclose(gram.detach().numpy(), visualization.gram_matrix(features, normalize), rtol=1e-12)
    expected = visualization.gram_matrix_backward(dgram, features, normalize)
    np.testing.assert_allclose(tensor.grad.numpy(), expected, rtol=1e-10, atol=1e-14)
    turned = tensor.detach().transpose(2, 3)  # not contiguous
    torch.testing.assert_close(gram_matrix(turned, normalize), gram.detach())


def test_style_loss_and_gradients_are_those_of_the_chapter() -> None:
    import torch

    from cs231n.style_transfer_pytorch import style_loss

    feats, layers, weights = [draw(0), draw(1, (1, 2, 3, 3)), draw(2, (1, 4, 2, 6))], [2, 0], [0.7, 3.0]
    targets = [visualization.gram_matrix(draw(3, (1, 4, 2, 3))), visualization.gram_matrix(draw(4))]
    tensors = [tracked(features) for features in feats]
    value = style_loss(tensors, layers, [torch.tensor(target) for target in targets], weights)
    value.backward()
    loss, gradients = visualization.style_loss(feats, layers, targets, weights)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-12)
    for layer, gradient in zip(layers, gradients, strict=True):
        np.testing.assert_allclose(tensors[layer].grad.numpy(), gradient, rtol=1e-10, atol=1e-14)
    assert tensors[1].grad is None
    assert style_loss(tensors, [], [], []).item() == 0


@pytest.mark.parametrize("shape", [SHAPE, (1, 3, 1, 4), (1, 3, 4, 1)])
def test_total_variation_and_gradient_are_those_of_the_chapter(shape: tuple[int, ...]) -> None:
    from cs231n.style_transfer_pytorch import tv_loss

    img = draw(shape=shape)
    tensor = tracked(img)
    value = tv_loss(tensor, 0.3)
    value.backward()
    loss, gradient = visualization.tv_loss(img, 0.3)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-12)
    np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-10, atol=1e-14)


def test_features_of_every_module_even_of_one_that_stands_there_twice() -> None:
    import torch
    from torch import nn

    from cs231n.style_transfer_pytorch import extract_features

    relu = nn.ReLU()
    cnn = nn.Sequential(nn.Conv2d(3, 2, 3), relu, nn.Conv2d(2, 4, 1), relu)
    x = torch.tensor(draw(), dtype=torch.float32)
    features = extract_features(x, cnn)
    assert [tuple(f.shape) for f in features] == [(1, 2, 2, 3), (1, 2, 2, 3), (1, 4, 2, 3), (1, 4, 2, 3)]
    torch.testing.assert_close(features[-1], cnn(x))


@pytest.mark.skipif(find_spec("PIL") is None, reason="Pillow is not installed (pip install -e '.[data]')")
def test_features_of_a_file(tmp_path: Path) -> None:
    import torch
    from PIL import Image
    from torch import nn

    from cs231n.style_transfer_pytorch import deprocess, features_from_img, preprocess

    path = tmp_path / "photograph.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    cnn = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()).double()
    features, img = features_from_img(path, 10, cnn)
    assert img.shape == (1, 3, 10, 15) and img.dtype == torch.float64
    assert [tuple(f.shape) for f in features] == [(1, 2, 8, 13)] * 2
    with Image.open(path) as file:
        torch.testing.assert_close(preprocess(file, 10).double(), img)
        assert min(preprocess(file).shape[2:]) == 512
    assert deprocess(img).size == (15, 10)
    assert len(features_from_img(path, 10, nn.Sequential(nn.ReLU()))[0]) == 1  # a network without weights


def test_relative_error() -> None:
    from cs231n.style_transfer_pytorch import rel_error

    assert rel_error(np.array([1.0, 2.0]), np.array([1.0, 3.0])) == 0.2
