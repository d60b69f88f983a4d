r"""The course's PyTorch module of generative adversarial networks, under the names of its notebook.

The losses are those of `cs231n.losses.gan`, where they are derived, for tensors that carry a graph. Nothing is chosen
at import: tensors are made on the device and in the precision of what comes in.

Derivation: [GAN losses](../losses/gan.md)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as missing:
    raise ImportError("cs231n.gan_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = [
    "NOISE_DIM",
    "ChunkSampler",
    "Flatten",
    "Unflatten",
    "bce_loss",
    "build_dc_classifier",
    "build_dc_generator",
    "count_params",
    "deprocess_img",
    "discriminator",
    "discriminator_loss",
    "generator",
    "generator_loss",
    "get_optimizer",
    "initialize_weights",
    "ls_discriminator_loss",
    "ls_generator_loss",
    "preprocess_img",
    "rel_error",
    "run_a_gan",
    "sample_noise",
]

NOISE_DIM = 96


def sample_noise(batch_size: int, dim: int, seed: int | None = None) -> torch.Tensor:
    """Noise for a generator: (batch_size, dim) numbers, uniform from −1 to 1.

    A seed makes a generator of random numbers of its own; the global one is left alone.
    """
    source = None if seed is None else torch.Generator().manual_seed(seed)
    return 2 * torch.rand(batch_size, dim, generator=source) - 1


# --------------------------------------------------------------------------------------------------- networks


class Flatten(nn.Module):
    """(N, …) → (N, D)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


class Unflatten(nn.Module):
    """(N, C·H·W) → (N, C, H, W)."""

    def __init__(self, N: int = -1, C: int = 128, H: int = 7, W: int = 7) -> None:
        super().__init__()
        self.N, self.C, self.H, self.W = N, C, H, W

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(self.N, self.C, self.H, self.W)


def _seeded(seed: int | None, build: Callable[[], nn.Module]) -> nn.Module:
    """What `build` makes, its weights drawn from `seed` without a change of the global generator."""
    if seed is None:
        return build()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def discriminator(seed: int | None = None) -> nn.Module:
    """Images of 28 by 28 → one score each: three affine layers with leaky ReLUs between them."""
    return _seeded(
        seed,
        lambda: nn.Sequential(
            Flatten(),
            nn.Linear(784, 256),
            nn.LeakyReLU(0.01),
            nn.Linear(256, 256),
            nn.LeakyReLU(0.01),
            nn.Linear(256, 1),
        ),
    )


def generator(noise_dim: int = NOISE_DIM, seed: int | None = None) -> nn.Module:
    """Noise → images of 784 numbers from −1 to 1: three affine layers, ReLUs, and a tanh."""
    return _seeded(
        seed,
        lambda: nn.Sequential(
            nn.Linear(noise_dim, 1024),
            nn.ReLU(),
            nn.Linear(1024, 1024),
            nn.ReLU(),
            nn.Linear(1024, 784),
            nn.Tanh(),
        ),
    )


def build_dc_classifier(batch_size: int) -> nn.Module:
    """The convolutional discriminator; it takes batches of any size, whatever `batch_size` says."""
    return nn.Sequential(
        Unflatten(-1, 1, 28, 28),
        nn.Conv2d(1, 32, 5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(32, 64, 5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2, 2),
        Flatten(),
        nn.Linear(1024, 1024),
        nn.LeakyReLU(0.01),
        nn.Linear(1024, 1),
    )


def build_dc_generator(noise_dim: int = NOISE_DIM) -> nn.Module:
    """The convolutional generator: two transposed convolutions double the image from 7 by 7 to 28 by 28."""
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 128 * 7 * 7),
        nn.ReLU(),
        nn.BatchNorm1d(128 * 7 * 7),
        Unflatten(-1, 128, 7, 7),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
        nn.Tanh(),
        Flatten(),
    )


def initialize_weights(m: nn.Module) -> None:
    """Xavier weights, for `model.apply(initialize_weights)`."""
    if isinstance(m, nn.Linear | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(m.weight)


# ----------------------------------------------------------------------------------------------------- losses


def bce_loss(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of scores, the mean over all entries; no exponential of a positive number is taken."""
    return functional.binary_cross_entropy_with_logits(input, target)


def discriminator_loss(logits_real: torch.Tensor, logits_fake: torch.Tensor) -> torch.Tensor:
    """As `cs231n.losses.gan.gan_discriminator_loss`: real data should be called real, fakes should not."""
    return bce_loss(logits_real, torch.ones_like(logits_real)) + bce_loss(logits_fake, torch.zeros_like(logits_fake))


def generator_loss(logits_fake: torch.Tensor) -> torch.Tensor:
    """As `cs231n.losses.gan.gan_generator_loss`: the target of a fake is "real" here."""
    return bce_loss(logits_fake, torch.ones_like(logits_fake))


def ls_discriminator_loss(scores_real: torch.Tensor, scores_fake: torch.Tensor) -> torch.Tensor:
    """As `cs231n.losses.gan.ls_discriminator_loss`: real data should score 1, fakes 0."""
    return ((scores_real - 1) ** 2).mean() / 2 + (scores_fake**2).mean() / 2


def ls_generator_loss(scores_fake: torch.Tensor) -> torch.Tensor:
    """As `cs231n.losses.gan.ls_generator_loss`: fakes should score 1."""
    return ((scores_fake - 1) ** 2).mean() / 2


# --------------------------------------------------------------------------------------------------- training


def get_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Adam as GANs like it: rate 0.001, and a short memory of the gradient (0.5)."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.999))


def run_a_gan(
    D: nn.Module,
    G: nn.Module,
    D_solver: torch.optim.Optimizer,
    G_solver: torch.optim.Optimizer,
    discriminator_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    generator_loss: Callable[[torch.Tensor], torch.Tensor],
    loader_train: Any,
    show_every: int = 250,
    batch_size: int = 128,
    noise_size: int = 96,
    num_epochs: int = 10,
) -> list[np.ndarray]:
    """Train both networks in turn, one step each for every batch of real images.

    The step of the discriminator sees the fakes as constants. Batches may have any size, the last one too.

    Args:
        D: the discriminator, images → scores.
        G: the generator, (N, noise_size) noise → N images.
        D_solver: the optimizer of `D`.
        G_solver: the optimizer of `G`.
        discriminator_loss: (scores of real images, scores of fakes) → loss.
        generator_loss: scores of fakes → loss.
        loader_train: gives pairs of images, with values from 0 to 1, and labels, which are not used.
        show_every: how many steps pass between two samples of images.
        batch_size: how many fakes to make for each step of the generator; the notebooks pass the loader's size.
        noise_size: how many numbers of noise make an image.
        num_epochs: how often the data are gone through.

    Returns:
        For each sample up to 16 images, an array (16, 784) with values from −1 to 1.
    """
    images: list[np.ndarray] = []
    where = next((p for p in D.parameters()), torch.empty(0))
    step = 0
    for _ in range(num_epochs):
        for x, _ in loader_train:
            real = preprocess_img(x.to(where))  # its device and its precision
            noise = sample_noise(len(x), noise_size).to(where)
            fake = G(noise).detach().reshape(real.shape)
            D_solver.zero_grad()
            discriminator_loss(D(real), D(fake)).backward()
            D_solver.step()

            noise = sample_noise(batch_size, noise_size).to(where)
            fake = G(noise).reshape(batch_size, *real.shape[1:])
            G_solver.zero_grad()
            generator_loss(D(fake)).backward()
            G_solver.step()

            if step % show_every == 0:
                images.append(fake[:16].detach().flatten(1).cpu().numpy())
            step += 1
    return images


class ChunkSampler(torch.utils.data.Sampler):
    """The numbers start … start + num_samples − 1 in their order, for a data loader."""

    def __init__(self, num_samples: int, start: int = 0) -> None:
        self.num_samples, self.start = num_samples, start

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + self.num_samples))

    def __len__(self) -> int:
        return self.num_samples


# ---------------------------------------------------------------------------------------------------- helpers


def preprocess_img(x: Any) -> Any:
    """Values from 0 to 1 → from −1 to 1."""
    return 2 * x - 1


def deprocess_img(x: Any) -> Any:
    """Values from −1 to 1 → from 0 to 1."""
    return (x + 1) / 2


def rel_error(x: Any, y: Any) -> float:
    """The largest relative difference of two arrays."""
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))


def count_params(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(p.numel() for p in model.parameters())
