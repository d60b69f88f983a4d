"""The course's PyTorch module of GANs against the NumPy chapter, and what it must not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n.losses import gan

SOURCE = Path(__file__).resolve().parent.parent / "cs231n" / "gan_pytorch.py"


@pytest.mark.torch
@pytest.mark.parametrize("scale", [1, 30, 1000])
@pytest.mark.parametrize(
    ("theirs", "name"),
    [("discriminator_loss", "gan_discriminator_loss"), ("ls_discriminator_loss", "ls_discriminator_loss")],
)
def test_the_losses_of_the_discriminator_are_those_of_the_chapter(theirs: str, name: str, scale: float) -> None:
    import torch

    from cs231n import gan_pytorch

    rng = np.random.default_rng(0)
    scores = [scale * rng.normal(size=(n, 1)) for n in (5, 3)]
    tensors = [torch.tensor(a, requires_grad=True) for a in scores]
    value = getattr(gan_pytorch, theirs)(*tensors)
    value.backward()
    loss, *gradients = getattr(gan, name)(*scores)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-12)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-10, atol=1e-15)


@pytest.mark.torch
@pytest.mark.parametrize("scale", [1, 30, 1000])
@pytest.mark.parametrize(
    ("theirs", "name"), [("generator_loss", "gan_generator_loss"), ("ls_generator_loss", "ls_generator_loss")]
)
def test_the_losses_of_the_generator_are_those_of_the_chapter(theirs: str, name: str, scale: float) -> None:
    import torch

    from cs231n import gan_pytorch

    scores = scale * np.random.default_rng(0).normal(size=(4, 1))
    tensor = torch.tensor(scores, requires_grad=True)
    value = getattr(gan_pytorch, theirs)(tensor)
    value.backward()
    loss, gradient = getattr(gan, name)(scores)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-12)
    np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-10, atol=1e-15)


@pytest.mark.torch
def test_cross_entropy_has_a_gradient_at_zero() -> None:
    """With |x| and max(x, 0) written out, automatic differentiation takes 0 and 1 for their slopes at 0: ½ too much."""
    import torch

    from cs231n.gan_pytorch import bce_loss

    x = torch.zeros(3, dtype=torch.double, requires_grad=True)
    target = torch.tensor([0.0, 0.25, 1.0], dtype=torch.double)
    bce_loss(x, target).backward()
    np.testing.assert_allclose(x.grad.numpy() * 3, 0.5 - target.numpy())

    copied = torch.zeros(3, dtype=torch.double, requires_grad=True)  # the formula of docs/errata.md
    (copied.clamp(min=0) - copied * target + (1 + (-copied.abs()).exp()).log()).mean().backward()
    np.testing.assert_allclose(copied.grad.numpy() * 3, 1 - target.numpy())


@pytest.mark.torch
def test_losses_stay_on_the_device_and_in_the_precision_of_the_scores() -> None:
    """Wishes no. 50: labels were forced to a device that was chosen at import."""
    import torch

    from cs231n import gan_pytorch as g

    for dtype in (torch.float32, torch.float64):
        real, fake = torch.empty(3, dtype=dtype, device="meta"), torch.empty(2, dtype=dtype, device="meta")
        for loss in (
            g.discriminator_loss(real, fake),
            g.generator_loss(fake),
            g.ls_discriminator_loss(real, fake),
            g.ls_generator_loss(fake),
        ):
            assert loss.device.type == "meta" and loss.dtype == dtype


def test_no_device_is_chosen_in_the_source() -> None:
    text = SOURCE.read_text(encoding="utf-8")
    assert "cuda" not in text.lower() and "tensorflow" not in text.lower()


@pytest.mark.torch
def test_the_networks_have_the_sizes_that_the_notebook_counts() -> None:
    from cs231n import gan_pytorch as g

    assert g.count_params(g.discriminator()) == 267009
    assert g.count_params(g.generator(4)) == 1858320
    assert g.count_params(g.build_dc_classifier(128)) == 1102721
    assert g.count_params(g.build_dc_generator(4)) == 6580801


@pytest.mark.torch
@pytest.mark.parametrize("batch", [1, 5])
def test_the_convolutional_networks_take_batches_of_any_size(batch: int) -> None:
    """Wishes no. 50: the discriminator worked for one batch size only."""
    import torch

    from cs231n import gan_pytorch as g

    scores = g.build_dc_classifier(128)(torch.rand(batch, 784))
    assert scores.shape == (batch, 1)
    network = g.build_dc_generator(7).eval()
    network.apply(g.initialize_weights)
    images = network(g.sample_noise(batch, 7))
    assert images.shape == (batch, 784) and images.abs().max() <= 1


@pytest.mark.torch
def test_a_seed_decides_and_leaves_the_global_generator_alone() -> None:
    import torch

    from cs231n import gan_pytorch as g

    before = torch.get_rng_state()
    assert torch.equal(g.sample_noise(3, 4, seed=1), g.sample_noise(3, 4, seed=1))
    for build, x in ((g.discriminator, torch.rand(1, 784)), (lambda seed: g.generator(5, seed), torch.rand(1, 5))):
        before = torch.get_rng_state()
        one, same, other = (build(seed)(x) for seed in (1, 1, 2))
        assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.torch
def test_noise_is_uniform_between_minus_one_and_one() -> None:
    from cs231n.gan_pytorch import sample_noise

    noise = sample_noise(200, 50, seed=0)
    assert noise.shape == (200, 50) and -1 <= noise.min() < -0.99 and 0.99 < noise.max() <= 1
    assert abs(noise.mean()) < 0.02 and abs(noise.var() - 1 / 3) < 0.01


def loader(torch: Any) -> list[Any]:
    """Two batches, the last one short, of images from 0 to 1 without grey levels."""
    source = torch.Generator().manual_seed(0)
    return [(torch.rand(n, 1, 28, 28, generator=source), torch.zeros(n)) for n in (6, 2)]


def play(torch: Any, rate_of_generator: float = 1e-3, **more: Any) -> tuple[Any, Any, list[np.ndarray]]:
    from cs231n import gan_pytorch as g

    D, G = g.discriminator(seed=0), g.generator(5, seed=1)
    moving = torch.optim.SGD(G.parameters(), lr=rate_of_generator)
    images = g.run_a_gan(
        D,
        G,
        g.get_optimizer(D),
        moving,
        g.discriminator_loss,
        g.generator_loss,
        loader(torch),
        **{"show_every": 2, "batch_size": 4, "noise_size": 5, "num_epochs": 2} | more,
    )
    return D, G, images


@pytest.mark.torch
def test_a_gan_trains_with_a_short_last_batch_and_returns_images() -> None:
    import torch

    from cs231n import gan_pytorch as g

    D, G, images = play(torch)
    assert [image.shape for image in images] == [(4, 784), (4, 784)]
    assert all(np.abs(image).max() <= 1 for image in images)
    x = g.preprocess_img(loader(torch)[0][0])
    with torch.no_grad():
        before, after = g.discriminator(seed=0), D
        fake = G(g.sample_noise(64, 5, seed=2))
        assert g.discriminator_loss(after(x), after(fake)) < g.discriminator_loss(before(x), before(fake))


@pytest.mark.torch
def test_the_step_of_the_discriminator_does_not_move_the_generator() -> None:
    import torch

    from cs231n import gan_pytorch as g

    _, G, _ = play(torch, rate_of_generator=0.0)
    for ours, start in zip(G.parameters(), g.generator(5, seed=1).parameters(), strict=True):
        assert torch.equal(ours, start)


@pytest.mark.torch
def test_small_things() -> None:
    from cs231n import gan_pytorch as g

    x = np.linspace(0, 1, 5)
    np.testing.assert_allclose(g.deprocess_img(g.preprocess_img(x)), x)
    np.testing.assert_allclose([g.preprocess_img(0.0), g.preprocess_img(1.0)], [-1, 1])
    assert g.rel_error(np.array([1.0, 2.0]), np.array([1.0, 3.0])) == 0.2
    assert g.rel_error(np.zeros(2), np.zeros(2)) == 0
    sampler = g.ChunkSampler(3, 5)
    assert list(sampler) == [5, 6, 7] and len(sampler) == 3
    optimizer = g.get_optimizer(g.discriminator())
    assert optimizer.defaults["lr"] == 1e-3 and optimizer.defaults["betas"] == (0.5, 0.999)


@pytest.mark.torch
def test_the_views_are_each_others_inverse() -> None:
    import torch

    from cs231n.gan_pytorch import Flatten, Unflatten

    x = torch.arange(48.0).reshape(2, 24)
    assert torch.equal(Flatten()(Unflatten(-1, 2, 3, 4)(x)), x)
    assert Unflatten(C=6, H=2, W=2)(x).shape == (2, 6, 2, 2)
