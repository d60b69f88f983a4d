r"""The course's encoder of SimCLR: a ResNet-50 for small images, and the head that the loss sees.

torchvision, which has the ResNet, is imported when a model is made.
"""

from __future__ import annotations

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as missing:
    raise ImportError("cs231n.simclr.model needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = ["Model"]


class Model(nn.Module):
    """Images (N, 3, 32, 32) → features (N, 2048) and embeddings (N, feature_dim), rows of length 1.

    Args:
        feature_dim: the number of features of an embedding.

    Raises:
        ImportError: torchvision is not installed.
    """

    def __init__(self, feature_dim: int = 128) -> None:
        super().__init__()
        try:
            from torchvision.models import resnet50
        except ImportError as missing:
            raise ImportError("cs231n.simclr.model.Model needs torchvision: pip install -e '.[vision]'") from missing
        layers = dict(resnet50().named_children())
        layers["conv1"] = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)  # images are only 32 wide
        for left_out in ("maxpool", "fc"):
            del layers[left_out]
        self.f = nn.Sequential(*layers.values())
        self.g = nn.Sequential(
            nn.Linear(2048, 512, bias=False),
            nn.BatchNorm1d(512),
            nn.ReLU(inplace=True),
            nn.Linear(512, feature_dim),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        feature = self.f(x).flatten(1)
        out = self.g(feature)
        return functional.normalize(feature, dim=-1), functional.normalize(out, dim=-1)
