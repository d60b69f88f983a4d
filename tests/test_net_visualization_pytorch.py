"""The course's PyTorch module on visualization against the NumPy chapters, and what it must not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n import visualization
from cs231n.classifiers.fc_net import TwoLayerNet

SOURCES = [
    Path(__file__).resolve().parent.parent / "cs231n" / name
    for name in ("net_visualization_pytorch.py", "style_transfer_pytorch.py")
]
SHAPE, C = (3, 4, 5), 6

needs_pillow = pytest.mark.skipif(find_spec("PIL") is None, reason="Pillow is not installed (pip install -e '.[data]')")


def draw(N: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, *SHAPE)), np.array([2, 0, 5, 2])[:N]


def network() -> TwoLayerNet:
    net = TwoLayerNet(int(np.prod(SHAPE)), 20, C, weight_scale=0.5, rng=0)
    net.params["b2"] -= 10  # negative scores
    return net


def same_in_torch(net: TwoLayerNet) -> Any:
    import torch
    from torch import nn

    D, H = net.params["W1"].shape
    model = nn.Sequential(nn.Flatten(), nn.Linear(D, H), nn.ReLU(), nn.Linear(H, C)).double()
    with torch.no_grad():
        for layer, i in ((model[1], 1), (model[3], 2)):
            layer.weight.copy_(torch.from_numpy(net.params[f"W{i}"].T.copy()))
            layer.bias.copy_(torch.from_numpy(net.params[f"b{i}"]))
    return model


def through(net: TwoLayerNet) -> Any:
    return lambda X: visualization.scores_and_backward(net, X)


@pytest.mark.torch
def test_the_maps_are_those_of_the_chapter() -> None:
    import torch

    from cs231n.net_visualization_pytorch import compute_saliency_maps

    X, y = draw()
    maps = compute_saliency_maps(torch.tensor(X), torch.tensor(y), same_in_torch(network()))
    assert not maps.requires_grad and maps.dtype == torch.float64
    np.testing.assert_allclose(maps.numpy(), visualization.compute_saliency_maps(X, y, through(network())), rtol=1e-12)


@pytest.mark.torch
def test_two_calls_give_the_same_map() -> None:
    """Wishes no. 7: gradients were left in X and in every weight, and the second call returned twice the map."""
    import torch

    from cs231n.net_visualization_pytorch import compute_saliency_maps

    model, (X, y) = same_in_torch(network()), draw()
    images, labels = torch.tensor(X, requires_grad=True), torch.tensor(y)
    first = compute_saliency_maps(images, labels, model)
    assert torch.equal(first, compute_saliency_maps(images, labels, model))
    assert images.grad is None and all(p.grad is None for p in model.parameters())

    def printed_maps(images: Any) -> Any:  # as in docs/errata.md, with the score itself
        images.requires_grad_()
        model(images).gather(1, labels[:, None]).sum().backward()
        return images.grad.abs().amax(dim=1)

    images = torch.tensor(X)
    torch.testing.assert_close(printed_maps(images), first)
    torch.testing.assert_close(printed_maps(images), 2 * first)


@pytest.mark.torch
def test_a_map_is_not_divided_by_its_score() -> None:
    """Wishes no. 5: −log of the raw score."""
    import torch

    from cs231n.net_visualization_pytorch import compute_saliency_maps

    model, (X, y) = same_in_torch(network()), draw()
    images, labels = torch.tensor(X), torch.tensor(y)
    first = compute_saliency_maps(images, labels, model)
    scores = model(images).gather(1, labels[:, None])
    assert (scores < 0).any() and first.isfinite().all()
    with torch.no_grad():
        model[3].bias += 1000
    torch.testing.assert_close(compute_saliency_maps(images, labels, model), first)


@pytest.mark.torch
def test_the_model_is_asked_in_test_mode_and_left_as_it_was() -> None:
    import torch
    from torch import nn

    from cs231n import net_visualization_pytorch as v

    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(40, C))
    model.train()
    model[1].eval()  # somebody's frozen layer
    before = {name: value.clone() for name, value in model.state_dict().items()}
    X = torch.rand(4, *SHAPE)
    y = torch.tensor([0, 1, 2, 3])
    with torch.no_grad():  # works there too
        assert torch.equal(v.compute_saliency_maps(X, y, model), v.compute_saliency_maps(X, y, model))
    v.make_fooling_image(X[:1], 3, model)
    v.class_visualization_update_step(X[:1].clone(), model, 2, 1e-3, 1.0)
    assert [part.training for part in model] == [True, False, True, True, True] and model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.torch
@pytest.mark.parametrize("target", [0, 3])
def test_a_fooling_image_is_that_of_the_chapter(target: int) -> None:
    import torch

    from cs231n.net_visualization_pytorch import make_fooling_image

    X, _ = draw(1)
    images = torch.tensor(X)
    fooling = make_fooling_image(images, target, same_in_torch(network()))
    expected, steps = visualization.make_fooling_image(X, target, through(network()))
    assert 0 < steps < 100
    np.testing.assert_allclose(fooling.numpy(), expected, rtol=1e-10)
    np.testing.assert_array_equal(images.numpy(), X)
    with pytest.raises(ValueError, match=r"one image, X of shape \(1, 3, H, W\), got \(2, 3, 4, 5\)"):
        make_fooling_image(torch.zeros(2, *SHAPE), target, same_in_torch(network()))


@pytest.mark.torch
def test_steps_of_class_visualization_are_those_of_the_chapter_and_made_in_place() -> None:
    import torch

    from cs231n.net_visualization_pytorch import class_visualization_update_step

    net = network()
    model = same_in_torch(net)
    expected, _ = draw(1)
    img = torch.tensor(expected, requires_grad=True)
    for _ in range(5):
        class_visualization_update_step(img, model, 3, 0.05, 0.7)
        g = through(net)(expected)[1](np.eye(C)[[3]])
        expected = visualization.class_visualization_step(expected, g, 0.05, 0.7)
    assert img.requires_grad and img.grad is None
    np.testing.assert_allclose(img.detach().numpy(), expected, rtol=1e-10)


@pytest.mark.torch
def test_an_image_shrinks_under_a_model_that_ignores_it_and_never_becomes_nan() -> None:
    """Wishes nos. 6 and 7: it grew from 6.43 to 6.93; and 0/0 where there is no gradient."""
    import torch
    from torch import nn

    from cs231n import net_visualization_pytorch as v

    class Constant(nn.Module):
        def forward(self, X: Any) -> Any:
            return torch.tensor([[1.0, 0.0]], dtype=X.dtype).expand(len(X), 2)

    zeros = nn.Sequential(nn.Flatten(), nn.Linear(60, 2))
    nn.init.zeros_(zeros[1].weight)
    for model in (zeros, Constant()):
        img = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
        before = img.norm()
        v.class_visualization_update_step(img, model, 1, 0.1, 0.5)
        torch.testing.assert_close(before - img.norm(), torch.tensor(0.5))
        zero = torch.zeros(1, *SHAPE)
        v.class_visualization_update_step(zero, model, 1, 0.1, 0.5)
        assert not zero.any()
        assert torch.equal(v.make_fooling_image(img, 1, model), img) or model is zeros
        assert v.make_fooling_image(img, 1, model).isfinite().all()


@pytest.mark.torch
def test_jitter_and_blur_are_those_of_the_chapter() -> None:
    import torch

    from cs231n.net_visualization_pytorch import blur_image, jitter

    X, _ = draw()
    for ox, oy in ((1, 0), (0, -2), (3, 1)):
        np.testing.assert_array_equal(jitter(torch.tensor(X), ox, oy).numpy(), visualization.jitter(X, ox, oy))
    images = torch.tensor(X, dtype=torch.float32)
    assert blur_image(images, sigma=0.5) is images  # in place: the notebook drops what is returned
    np.testing.assert_allclose(images.numpy(), visualization.blur(X, 0.5), rtol=1e-5, atol=1e-6)


@pytest.mark.torch
@pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is not installed (pip install -e '.[train]')")
def test_blur_is_that_of_scipy() -> None:
    """Wishes no. 45: from scipy.ndimage, whose old module `filters` goes away."""
    import torch
    from scipy.ndimage import gaussian_filter1d

    from cs231n.net_visualization_pytorch import blur_image

    X, _ = draw()
    expected = gaussian_filter1d(gaussian_filter1d(X, 1.0, axis=2), 1.0, axis=3)
    np.testing.assert_allclose(blur_image(torch.tensor(X)).numpy(), expected, rtol=1e-12)


@pytest.mark.torch
def test_everything_stays_on_the_device_of_the_image() -> None:
    import torch
    from torch import nn

    from cs231n import net_visualization_pytorch as v
    from cs231n import style_transfer_pytorch as s

    model = nn.Sequential(nn.Flatten(), nn.Linear(60, C)).to("meta")
    X = torch.empty(2, *SHAPE, device="meta")
    assert v.compute_saliency_maps(X, torch.empty(2, dtype=torch.long, device="meta"), model).device.type == "meta"
    assert v.jitter(X, 1, 1).device.type == "meta"
    for loss in (
        s.content_loss(1.0, X, X),
        s.style_loss([X], [0], [s.gram_matrix(X)], [1.0]),
        s.tv_loss(X, 1.0),
    ):
        assert loss.device.type == "meta" and loss.dtype == X.dtype


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_device_is_chosen_in_the_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "cuda" not in text.lower() and "import torchvision" not in text and "scipy" not in text


@pytest.mark.torch
def test_the_import_needs_neither_torchvision_nor_scipy_nor_pillow() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torchvision', 'scipy', 'PIL')));"
        "import cs231n.net_visualization_pytorch, cs231n.style_transfer_pytorch"
    )
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning:cs231n", "-c", code], check=True)


@pytest.mark.torch
@needs_pillow
@pytest.mark.parametrize(("width", "height"), [(40, 30), (30, 45), (24, 24)])
def test_an_image_is_resized_normalized_and_brought_back(width: int, height: int) -> None:
    import torch
    from PIL import Image

    from cs231n.image_utils import SQUEEZENET_MEAN, SQUEEZENET_STD
    from cs231n.net_visualization_pytorch import deprocess, preprocess

    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    same = preprocess(image, size=min(width, height))
    assert same.shape == (1, 3, height, width) and same.dtype == torch.float32
    expected = (pixels / 255 - SQUEEZENET_MEAN) / SQUEEZENET_STD
    np.testing.assert_allclose(same[0].permute(1, 2, 0).numpy(), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(deprocess(same, should_rescale=False)), pixels)
    stretched = np.asarray(deprocess(same.requires_grad_()))
    assert stretched.min() == 0 and stretched.max() == 255

    smaller = preprocess(image, size=12)
    assert smaller.shape[2:] == (12 * height // min(width, height), 12 * width // min(width, height))
    assert preprocess(image.convert("L"), size=12).shape[1] == 3
    assert preprocess(image).shape[2:][np.argmin([height, width])] == 224


@pytest.mark.torch
def test_an_even_image_is_rescaled_without_a_division_by_zero() -> None:
    import torch

    from cs231n.net_visualization_pytorch import rescale

    np.testing.assert_array_equal(rescale(np.array([2.0, 4.0, 3.0])), [0, 1, 0.5])
    assert not rescale(torch.full((2, 2), 3.0)).any()
