r"""The course's data module of SimCLR: random views of the images of CIFAR-10, by torchvision.

torchvision is imported when something of it is needed, so that importing this module costs nothing.
"""

from __future__ import annotations

import random
from typing import Any

__all__ = ["CIFAR10Pair", "compute_test_transform", "compute_train_transform"]  # noqa: F822

#: Mean and standard deviation of the three colours over the training images of CIFAR-10.
_MEAN, _STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def _torchvision() -> Any:
    try:
        import torchvision
        import torchvision.datasets
        import torchvision.transforms
    except ImportError as missing:
        raise ImportError("cs231n.simclr.data_utils needs torchvision: pip install -e '.[vision]'") from missing
    return torchvision


def compute_train_transform(seed: int = 123456) -> Any:
    """A random view of an image: cropped, flipped, in other colours or grey, then as a normalized tensor.

    The transforms of torchvision draw from the global generators of Python and PyTorch, so these are what is seeded.

    Args:
        seed: the seed of both generators.

    Returns:
        The transform, from an image to a tensor (3, 32, 32).
    """
    transforms = _torchvision().transforms
    import torch

    random.seed(seed)
    torch.random.manual_seed(seed)
    colours = transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(32),
            transforms.RandomHorizontalFlip(p=0.5),
            transforms.RandomApply([colours], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )


def compute_test_transform() -> Any:
    """An image → a normalized tensor (3, 32, 32), with nothing random."""
    transforms = _torchvision().transforms
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(_MEAN, _STD)])


def _pair_class() -> type:
    dataset: Any = _torchvision().datasets.CIFAR10

    class CIFAR10Pair(dataset):
        """CIFAR-10 whose items are two views of an image, and its label."""

        def __getitem__(self, index: int) -> tuple[Any, Any, int]:
            from PIL import Image

            image, target = Image.fromarray(self.data[index]), self.targets[index]
            views = [image if self.transform is None else self.transform(image) for _ in range(2)]
            if self.target_transform is not None:
                target = self.target_transform(target)
            return views[0], views[1], target

    CIFAR10Pair.__module__, CIFAR10Pair.__qualname__ = __name__, "CIFAR10Pair"  # so that workers can unpickle it
    return CIFAR10Pair


def __getattr__(name: str) -> Any:
    if name == "CIFAR10Pair":
        globals()[name] = _pair_class()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
