"""The course's PyTorch modules of SimCLR against the NumPy chapter, and what they must not do."""

from __future__ import annotations

import ast
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cs231n.losses.contrastive import simclr_loss

FOLDER = Path(__file__).resolve().parent.parent / "cs231n" / "simclr"


def draw(N: int = 5, D: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=(N, D)), rng.normal(size=(N, D))


def test_nothing_is_imported_that_is_not_needed() -> None:
    """Wishes no. 48: pandas and thop were imported and not used."""
    allowed = {"__future__", "PIL", "collections", "cs231n", "numpy", "random", "torch", "torchvision", "typing"}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path.name


# ----------------------------------------------------------------------------------------------------- the loss


@pytest.mark.torch
@pytest.mark.parametrize("tau", [0.01, 0.5])
@pytest.mark.parametrize("name", ["simclr_loss_naive", "simclr_loss_vectorized"])
def test_loss_and_gradients_are_those_of_the_chapter(name: str, tau: float) -> None:
    import torch

    from cs231n.simclr import contrastive_loss

    left, right = draw()
    tensors = [torch.tensor(a, requires_grad=True) for a in (left, right)]
    value = getattr(contrastive_loss, name)(*tensors, tau)
    value.backward()
    loss, dleft, dright = simclr_loss(left, right, tau)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-11)
    np.testing.assert_allclose(tensors[0].grad.numpy(), dleft, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(tensors[1].grad.numpy(), dright, rtol=1e-8, atol=1e-11)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["simclr_loss_naive", "simclr_loss_vectorized"])
@pytest.mark.parametrize("tau", [0.01, 0.5])
def test_zero_rows_and_small_temperatures_give_no_nan(name: str, tau: float) -> None:
    """Wishes nos. 15 and 16."""
    import torch

    from cs231n.simclr import contrastive_loss

    left, right = (a.astype(np.float32) for a in draw())
    left[2] = 0
    right[:2] = left[:2]
    tensors = [torch.tensor(a, requires_grad=True) for a in (left, right)]
    value = getattr(contrastive_loss, name)(*tensors, tau)
    value.backward()
    assert value.isfinite() and all(tensor.grad.isfinite().all() for tensor in tensors)
    assert (tensors[0].grad[2] == 0).all()
    loss, dleft, _ = simclr_loss(left, right, tau)
    np.testing.assert_allclose(value.item(), loss, rtol=1e-4)
    np.testing.assert_allclose(tensors[0].grad.numpy(), dleft, rtol=1e-2, atol=1e-4 * np.abs(dleft).max())


@pytest.mark.torch
@pytest.mark.parametrize("device", ["cuda", "cpu", None])
def test_the_loss_is_computed_where_the_embeddings_are(device: str | None) -> None:
    """Wishes no. 17: the default device was CUDA whatever came in."""
    import torch

    from cs231n.simclr.contrastive_loss import simclr_loss_vectorized

    left, right = (torch.tensor(a) for a in draw())
    given = {} if device is None else {"device": device}
    np.testing.assert_allclose(
        simclr_loss_vectorized(left, right, 0.5, **given).item(), simclr_loss(left.numpy(), right.numpy(), 0.5)[0]
    )
    assert simclr_loss_vectorized(left.to("meta"), right.to("meta"), 0.5, **given).device.type == "meta"


@pytest.mark.torch
def test_similarities_are_cosines() -> None:
    import torch

    from cs231n.simclr.contrastive_loss import compute_sim_matrix, sim, sim_positive_pairs

    left, right = draw()
    a, b = torch.tensor(left), torch.tensor(right)
    cosines = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    pairs = sim_positive_pairs(a, b)
    assert pairs.shape == (5, 1)
    np.testing.assert_allclose(pairs[:, 0].numpy(), cosines, rtol=1e-12)
    matrix = compute_sim_matrix(torch.cat([a, b]))
    assert matrix.shape == (10, 10)
    np.testing.assert_allclose(matrix.numpy(), matrix.T.numpy(), atol=1e-15)
    np.testing.assert_allclose(matrix[:5, 5:].diagonal().numpy(), cosines, rtol=1e-12)
    for one, two in ((a[1], b[1]), (a[1:2], b[1:2])):  # wishes no. 15: (1, D) is what the notebook documents
        assert sim(one, two).shape == ()
        np.testing.assert_allclose(sim(one, two).item(), cosines[1], rtol=1e-12)
    assert sim(a[1], torch.zeros(4).double()) == 0


@pytest.mark.torch
def test_rel_error_takes_tensors_and_arrays() -> None:
    import torch

    from cs231n.simclr.contrastive_loss import rel_error

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert rel_error(x, np.array([1.0, 3.0])) == pytest.approx(0.2)
    assert rel_error(x, x) == 0


# ---------------------------------------------------------------------------------------------------- the loops


def encoder(torch: Any) -> Any:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = torch.nn.Linear(6, 3, bias=False)
            with torch.no_grad():
                self.f.weight.copy_(torch.eye(3, 6))

        def forward(self, x: Any) -> Any:
            feature = torch.nn.functional.normalize(self.f(x), dim=-1)
            return feature, feature

    return Encoder()


@pytest.mark.torch
@pytest.mark.parametrize("device", [None, "cpu"])
def test_training_counts_a_short_last_batch_for_what_it_holds(device: str | None) -> None:
    """Wishes nos. 17 and 18."""
    import torch

    from cs231n.simclr.utils import train

    source = torch.Generator().manual_seed(0)
    batches = [(*torch.rand(2, n, 6, generator=source), torch.zeros(n)) for n in (4, 4, 1)]
    model = encoder(torch)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    mean = train(model, batches, still, 1, 1, batch_size=4, temperature=0.5, **({"device": device} if device else {}))
    each = [simclr_loss(*(model(v)[1].detach().numpy() for v in batch[:2]), 0.5)[0] for batch in batches]
    np.testing.assert_allclose(mean, np.average(each, weights=[4, 4, 1]), rtol=1e-5)

    moving = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = [train(model, batches, moving, epoch, 30) for epoch in range(30)]
    assert losses[-1] < losses[0] - 0.05 and model.training


def classes(torch: Any) -> list[Any]:
    """Batches of 4 and 3 points near one of three axes, and their labels."""
    source = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 2])
    points = torch.eye(3, 6)[labels] + 0.05 * torch.rand(7, 6, generator=source)
    return [(points[:4], points[:4], labels[:4]), (points[4:], points[4:], labels[4:])]


@pytest.mark.torch
@pytest.mark.parametrize("temperature", [0.5, 1e-3])
def test_neighbours_classify(temperature: float) -> None:
    import torch

    from cs231n.simclr.utils import test as measure

    model, batches = encoder(torch), classes(torch)
    assert measure(model, batches, batches, 1, 1, c=3, k=2, temperature=temperature, device="cpu") == (100, 100)
    assert not model.training
    # the memory in another order than its data set, and fewer images than neighbours
    first, _ = measure(model, batches[::-1], batches, 1, 1, 10, temperature, 200)
    assert first == 100
    wrong = [(x, y, (label + 1) % 3) for x, y, label in batches]
    first, five = measure(model, wrong, batches, 1, 1, 3, temperature, k=2)
    assert first == 0 and five == 100


@pytest.mark.torch
def test_a_linear_classifier_trains_and_is_measured() -> None:
    import torch

    from cs231n.simclr.utils import train_val

    batches = [(x, label) for x, _, label in classes(torch)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Linear(6, 3)
    before = [p.clone() for p in model.parameters()]
    loss, first, five = train_val(model, batches, None, 1, 1, device="cpu")
    scores = torch.cat([model(x) for x, _ in batches])
    labels = torch.cat([label for _, label in batches])
    np.testing.assert_allclose(loss, torch.nn.functional.cross_entropy(scores, labels).item(), rtol=1e-5)
    np.testing.assert_allclose(first, 100 * (scores.argmax(dim=1) == labels).float().mean().item(), rtol=1e-6)
    assert five == 100 and not model.training
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))

    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    history = [train_val(model, batches, optimizer, epoch, 20) for epoch in range(20)]
    assert history[-1][0] < 0.5 * loss and history[-1][1] == 100 and model.training


@pytest.mark.torch
def test_pytest_does_not_take_the_functions_for_tests() -> None:
    from cs231n.simclr import utils

    assert not utils.test.__test__ and not utils.train.__test__ and not utils.train_val.__test__


# ------------------------------------------------------------------------------------------ what needs torchvision


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in: its transforms record what they were made of, its ResNet and its data set are tiny."""
    import torch

    class Recorded:
        def __init__(self, *args: Any, **options: Any) -> None:
            self.args, self.options = args, options

    class CIFAR10:
        classes = ["plane", "car"]

        def __init__(self, root: str, train: bool = True, transform: Any = None, download: bool = False) -> None:
            self.transform, self.target_transform = transform, None
            self.data, self.targets = np.arange(2 * 12, dtype=np.uint8).reshape(2, 2, 2, 3), [1, 0]

    def resnet50() -> Any:
        net = torch.nn.Module()
        net.conv1 = torch.nn.Conv2d(3, 64, 7, stride=2)
        net.bn1 = torch.nn.BatchNorm2d(64)
        net.maxpool = torch.nn.MaxPool2d(3)
        net.layer4 = torch.nn.Conv2d(64, 2048, 1)
        net.avgpool = torch.nn.AdaptiveAvgPool2d(1)
        net.fc = torch.nn.Linear(2048, 1000)
        return net

    names = ["ColorJitter", "Compose", "Normalize", "RandomApply"]
    names += ["RandomGrayscale", "RandomHorizontalFlip", "RandomResizedCrop", "ToTensor"]
    whole, datasets, transforms, models = (
        ModuleType("torchvision" + part) for part in ("", ".datasets", ".transforms", ".models")
    )
    datasets.CIFAR10, models.resnet50 = CIFAR10, resnet50
    for name in names:
        setattr(transforms, name, type(name, (Recorded,), {}))
    whole.datasets, whole.transforms, whole.models = datasets, transforms, models
    for module in (whole, datasets, transforms, models):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    from cs231n.simclr import data_utils

    monkeypatch.delattr(data_utils, "CIFAR10Pair", raising=False)
    monkeypatch.setattr(data_utils, "_torchvision", lambda: whole)
    return whole


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.torch
def test_without_torchvision_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from cs231n.simclr import data_utils, model

    without(monkeypatch)
    monkeypatch.delitem(vars(data_utils), "CIFAR10Pair", raising=False)
    for use in (
        data_utils.compute_train_transform,
        data_utils.compute_test_transform,
        lambda: data_utils.CIFAR10Pair,
        model.Model,
    ):
        with pytest.raises(ImportError, match=r"torchvision: pip install -e '\.\[vision\]'"):
            use()
    with pytest.raises(AttributeError, match="has no attribute 'CIFAR100Pair'"):
        _ = data_utils.CIFAR100Pair


@pytest.mark.torch
@pytest.mark.parametrize("name", ["gan_pytorch", "simclr.contrastive_loss", "simclr.model", "simclr.utils"])
def test_without_pytorch_the_error_says_what_to_install(name: str) -> None:
    """As text: torch itself cannot be imported twice in one process."""
    path = FOLDER.parent.joinpath(*name.split(".")).with_suffix(".py")
    assert f"raise ImportError(\"cs231n.{name} needs PyTorch: pip install -e '.[torch]'\")" in path.read_text("utf-8")


@pytest.mark.torch
def test_the_views_are_those_of_the_paper(torchvision: ModuleType) -> None:
    import torch

    from cs231n.simclr.data_utils import compute_test_transform, compute_train_transform

    state, before = random.getstate(), torch.get_rng_state()
    try:
        steps = compute_train_transform(seed=3).args[0]
        drawn = random.random(), torch.rand(1).item()
        compute_train_transform(seed=3)
        assert drawn == (random.random(), torch.rand(1).item())  # the notebook compares with stored views
    finally:
        random.setstate(state)
        torch.set_rng_state(before)
    kinds = ["RandomResizedCrop", "RandomHorizontalFlip", "RandomApply", "RandomGrayscale", "ToTensor", "Normalize"]
    assert [type(step).__name__ for step in steps] == kinds
    jitter = steps[2].args[0][0]
    assert jitter.options == {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    assert [type(step).__name__ for step in compute_test_transform().args[0]] == ["ToTensor", "Normalize"]


@pytest.mark.torch
def test_a_pair_is_two_views_of_one_image(torchvision: ModuleType) -> None:
    pytest.importorskip("PIL.Image", reason="pillow is not installed; torchvision brings it")
    import pickle

    from cs231n.simclr import data_utils

    calls = iter(range(10))
    pairs = data_utils.CIFAR10Pair(root="data", train=True, transform=lambda im: (next(calls), im.size), download=False)
    assert pairs[0] == ((0, (2, 2)), (1, (2, 2)), 1) and pairs[1][2] == 0
    assert pairs.classes == ["plane", "car"]
    assert data_utils.CIFAR10Pair is type(pairs)  # made once
    plain = pickle.loads(pickle.dumps(data_utils.CIFAR10Pair(root="data")))  # as the workers of a loader do
    left, right, label = plain[1]
    assert np.array_equal(np.asarray(left), plain.data[1]) and np.array_equal(np.asarray(right), left) and label == 0


@pytest.mark.torch
def test_the_encoder_drops_pooling_and_classifier(torchvision: ModuleType) -> None:
    import torch

    from cs231n.simclr.model import Model

    model = Model(7).eval()
    assert [type(layer).__name__ for layer in model.f] == ["Conv2d", "BatchNorm2d", "Conv2d", "AdaptiveAvgPool2d"]
    assert model.f[0].kernel_size == (3, 3) and model.f[0].stride == (1, 1) and model.f[0].bias is None
    feature, out = model(torch.rand(2, 3, 8, 8))
    assert feature.shape == (2, 2048) and out.shape == (2, 7)
    np.testing.assert_allclose(feature.norm(dim=1).detach(), 1, rtol=1e-5)
    np.testing.assert_allclose(out.norm(dim=1).detach(), 1, rtol=1e-5)
    assert {name.split(".")[0] for name in model.state_dict()} == {"f", "g"}
