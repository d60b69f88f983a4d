"""The workloads: one function each, which draws the arrays and names the contenders.

To add one: write a function that takes a generator and returns a `Race`, put `@workload(...)` above it with its size
and its goals, and a peer into `peers`. The command, the table and the test take it from the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import peers, racing
from benchmarks.racing import Goals, Race
from cs231n import fast_layers as fast
from cs231n import layers, losses, optim
from cs231n.classifiers.k_nearest_neighbor import KNearestNeighbor

#: name → the size in words, the goals, and the function that builds the race
REGISTRY: dict[str, tuple[str, Goals, Callable[[np.random.Generator], Race]]] = {}

Outputs = Sequence[Any]


def workload(size: str, *, peer: float, torch: float, product: float | None = None) -> Callable[..., Any]:
    """Enter a function into the registry, under its own name."""

    def enter(build: Callable[[np.random.Generator], Race]) -> Callable[[np.random.Generator], Race]:
        REGISTRY[build.__name__] = size, Goals(peer, torch, product), build
        return build

    return enter


def run(name: str, rounds: int) -> racing.Result:
    """Draw the arrays of one workload, check its contenders, and time them."""
    size, goals, build = REGISTRY[name]
    return racing.run(name, size, goals, build(np.random.default_rng(0)), rounds)


# ------------------------------------------------------------------------------------------------------- helpers


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def layer(forward: Callable[..., Any], backward: Callable[..., Any], *settings: Any) -> racing.Step:
    """A step of a layer of ours: the arrays go first, `dout` last; a dictionary among the settings is copied."""

    def step(*arrays: np.ndarray) -> Outputs:
        out, cache = forward(*arrays[:-1], *(dict(s) if isinstance(s, dict) else s for s in settings))
        gradients = backward(arrays[-1], cache)
        return out, *(gradients if isinstance(gradients, tuple) else (gradients,))

    return step


def by_torch(function: Callable[..., Any]) -> Callable[..., Callable[[], Outputs]]:
    """PyTorch for a function of the module and the tensors, with the gradient of each input; `dout` is the last."""

    def prepare(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        *inputs, dout = (torch.from_numpy(a.copy()) for a in arrays)
        for tensor in inputs:
            tensor.requires_grad_()

        def step() -> Outputs:
            out = function(torch, *inputs)
            gradients = torch.autograd.grad(out, inputs, dout)
            return out.detach().numpy(), *(g.numpy() for g in gradients)

        return step

    return prepare


def loss_by_torch(function: Callable[..., Any]) -> Callable[..., Callable[[], Outputs]]:
    """PyTorch for a loss of scores and labels."""

    def prepare(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        x, y = (torch.from_numpy(a.copy()) for a in arrays)
        x.requires_grad_()

        def step() -> Outputs:
            loss = function(torch, x, y)
            return loss.item(), torch.autograd.grad(loss, x)[0].numpy()

        return step

    return prepare


def rule_by_torch(name: str, settings: dict, state: Callable[..., dict]) -> Callable[..., Callable[[], Outputs]]:
    """PyTorch's optimizer of that name, with its averages; it goes on from call to call, and the first is compared."""

    def prepare(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        w, dw, *averages = (torch.from_numpy(a.copy()) for a in arrays)
        w.grad = dw
        optimizer = getattr(torch.optim, name)([w.requires_grad_()], **settings)
        optimizer.state[w] = state(torch, *averages)

        def step() -> Outputs:
            optimizer.step()
            return (w.detach().numpy(),)

        return step

    return prepare


def rule(function: Callable[..., Any], *state: str, **settings: Any) -> racing.Step:
    """A step of an update rule of ours; `state` names the arrays after the gradient."""

    def step(w: np.ndarray, dw: np.ndarray, *averages: np.ndarray) -> Outputs:
        return (function(w, dw, {**settings, **dict(zip(state, averages, strict=True))})[0],)

    return step


def in_place(function: Callable[..., Any], *state: str, **settings: Any) -> racing.Step:
    """A rule that overwrites its own copy of everything, and goes on from call to call as PyTorch's does."""
    own: list[np.ndarray] = []

    def step(w: np.ndarray, dw: np.ndarray, *averages: np.ndarray) -> Outputs:
        if not own:
            own.extend(a.copy() for a in (w, *averages))
        config = {**settings, **dict(zip(state, own[1:], strict=True))}
        return (function(own[0], dw, config, in_place=True)[0],)

    return step


def known(**contenders: racing.Step | None) -> dict[str, racing.Step]:
    """Those that can run here."""
    return {name.replace("_", " "): step for name, step in contenders.items() if step is not None}


# ------------------------------------------------------------------------------------------------ layers of vectors


@workload("(1024, 1024) → 1024", peer=1.05, torch=0.55, product=1.08)
def affine(rng: np.random.Generator) -> Race:
    n = 1024
    return Race(
        arrays=(normal(rng, n, n), normal(rng, n, n), normal(rng, n), normal(rng, n, n)),
        plain=layer(layers.affine_forward, layers.affine_backward),
        peers=known(plain_NumPy=peers.affine),
        torch=by_torch(lambda torch, x, w, b: torch.addmm(b, x, w)),
        operations=3 * 2 * n**3,
    )


@workload("(4096, 1024)", peer=1.0, torch=2.0)
def relu(rng: np.random.Generator) -> Race:
    x, dout = normal(rng, 4096, 1024), normal(rng, 4096, 1024)
    return Race(
        arrays=(x, dout),
        plain=layer(layers.relu_forward, layers.relu_backward),
        fast=layer(fast.relu_forward_fast, fast.relu_backward_fast),
        peers=known(plain_NumPy=peers.relu),
        torch=by_torch(lambda torch, x: torch.relu(x)),
        moved=5 * x.nbytes,
    )


@workload("(4096, 1024)", peer=0.65, torch=2.4)
def batchnorm(rng: np.random.Generator) -> Race:
    x, dout = normal(rng, 4096, 1024) * 2 + 3, normal(rng, 4096, 1024)
    return Race(
        arrays=(x, normal(rng, 1024), normal(rng, 1024), dout),
        plain=layer(layers.batchnorm_forward, layers.batchnorm_backward_alt, {"mode": "train"}),
        fast=layer(fast.batchnorm_forward_fast, fast.batchnorm_backward_fast, {"mode": "train"}),
        peers=known(plain_NumPy=peers.batchnorm),
        torch=by_torch(lambda torch, x, g, b: torch.nn.functional.batch_norm(x, None, None, g, b, training=True)),
        moved=5 * x.nbytes,
    )


@workload("(4096, 1024)", peer=0.50, torch=3.7)
def layernorm(rng: np.random.Generator) -> Race:
    x, dout = normal(rng, 4096, 1024) * 2 + 3, normal(rng, 4096, 1024)
    return Race(
        arrays=(x, normal(rng, 1024), normal(rng, 1024), dout),
        plain=layer(layers.layernorm_forward, layers.layernorm_backward, {}),
        fast=layer(fast.layernorm_forward_fast, fast.layernorm_backward_fast, {}),
        peers=known(plain_NumPy=peers.layernorm),
        torch=by_torch(lambda torch, x, g, b: torch.nn.functional.layer_norm(x, x.shape[1:], g, b)),
        moved=5 * x.nbytes,
    )


@workload("(4096, 1024), keeps 0.75", peer=0.40, torch=0.25)
def dropout(rng: np.random.Generator) -> Race:
    x, dout = normal(rng, 4096, 1024), normal(rng, 4096, 1024)
    p = 0.75

    def check(who: str, answer: Outputs) -> None:  # every contender draws a mask of its own
        out, dx = answer
        kept = out != 0
        assert abs(kept.mean() - p) < 5 * (p * (1 - p) / x.size) ** 0.5, who
        for got, array in ((out, x), (dx, dout)):
            assert got.dtype == np.float32, who
            assert abs(got - kept * array / p).max() < 1e-5, who

    draws = np.random.default_rng(0)
    return Race(
        arrays=(x, dout),
        plain=layer(layers.dropout_forward, layers.dropout_backward, {"mode": "train", "p": p, "rng": draws}),
        fast=layer(fast.dropout_forward_fast, fast.dropout_backward_fast, {"mode": "train", "p": p, "rng": draws}),
        peers=known(plain_NumPy=peers.dropout(p)),
        torch=by_torch(lambda torch, x: torch.nn.functional.dropout(x, 1 - p)),
        moved=4 * x.nbytes,
        check=check,
    )


# ------------------------------------------------------------------------------------------------- layers of images


@workload("(64, 64, 32, 32)", peer=0.45, torch=1.2)
def spatial_batchnorm(rng: np.random.Generator) -> Race:
    shape = (64, 64, 32, 32)
    x, dout = normal(rng, *shape) * 2 + 3, normal(rng, *shape)
    return Race(
        arrays=(x, normal(rng, 64), normal(rng, 64), dout),
        plain=layer(layers.spatial_batchnorm_forward, layers.spatial_batchnorm_backward, {"mode": "train"}),
        fast=layer(fast.spatial_batchnorm_forward_fast, fast.spatial_batchnorm_backward_fast, {"mode": "train"}),
        peers=known(channels_last=peers.channels_last()),
        torch=by_torch(lambda torch, x, g, b: torch.nn.functional.batch_norm(x, None, None, g, b, training=True)),
        moved=5 * x.nbytes,
    )


@workload("(32, 64, 32, 32), 8 groups", peer=0.55, torch=3.5)
def groupnorm(rng: np.random.Generator) -> Race:
    shape, scale = (32, 64, 32, 32), (1, 64, 1, 1)
    x, dout = normal(rng, *shape) * 2 + 3, normal(rng, *shape)
    return Race(
        arrays=(x, normal(rng, *scale), normal(rng, *scale), dout),
        plain=layer(layers.spatial_groupnorm_forward, layers.spatial_groupnorm_backward, 8, {}),
        fast=layer(fast.spatial_groupnorm_forward_fast, fast.spatial_groupnorm_backward_fast, 8, {}),
        peers=known(plain_NumPy=peers.groupnorm(8)),
        torch=by_torch(lambda torch, x, g, b: torch.nn.functional.group_norm(x, 8, g.flatten(), b.flatten())),
        moved=5 * x.nbytes,
    )


def convolution(rng: np.random.Generator, images: tuple[int, ...], kernels: tuple[int, ...], s: int, pad: int) -> Race:
    (n, _, h, _), (f, c, r, q) = images, kernels
    p = (h + 2 * pad - r) // s + 1
    settings = {"stride": s, "pad": pad}
    return Race(
        arrays=(normal(rng, *images), normal(rng, *kernels) / 10, normal(rng, f), normal(rng, n, f, p, p)),
        plain=layer(layers.conv_forward_naive, layers.conv_backward_naive, settings),
        fast=layer(fast.conv_forward_fast, fast.conv_backward_fast, settings),
        peers=known(im2col_of_the_batch=peers.conv(s, pad)),
        torch=by_torch(lambda torch, x, w, b: torch.nn.functional.conv2d(x, w, b, stride=s, padding=pad)),
        operations=3 * 2 * n * p * p * f * c * r * q,
        tolerance=1e-4,
    )


@workload("(32, 64, 32, 32) → 64", peer=0.60, torch=1.25, product=1.45)
def conv_3x3(rng: np.random.Generator) -> Race:
    return convolution(rng, (32, 64, 32, 32), (64, 64, 3, 3), 1, 1)


@workload("(32, 3, 64, 64) → 64, stride 2", peer=0.90, torch=0.95)
def conv_7x7(rng: np.random.Generator) -> Race:
    return convolution(rng, (32, 3, 64, 64), (64, 3, 7, 7), 2, 3)


def pooling(rng: np.random.Generator, size: int, stride: int) -> Race:
    shape = (64, 64, 32, 32)
    p = (shape[2] - size) // stride + 1
    x, dout = normal(rng, *shape), normal(rng, 64, 64, p, p)
    settings = {"pool_height": size, "pool_width": size, "stride": stride}

    def largest(x: Any) -> Any:
        import autograd.numpy as anp

        if size == stride:
            return anp.max(anp.reshape(x, (64, 64, p, size, p, size)), axis=(3, 5))
        views = [
            x[:, :, i : i + stride * p : stride, j : j + stride * p : stride] for i in range(size) for j in range(size)
        ]
        return anp.max(anp.stack(views), axis=0)

    return Race(
        arrays=(x, dout),
        plain=layer(layers.max_pool_forward_naive, layers.max_pool_backward_naive, settings),
        fast=layer(fast.max_pool_forward_fast, fast.max_pool_backward_fast, settings),
        peers=known(autograd=peers.by_autograd(largest, 1)),
        torch=by_torch(lambda torch, x: torch.nn.functional.max_pool2d(x, size, stride)),
        moved=2 * x.nbytes + 2 * dout.nbytes + x.nbytes,
    )


@workload("(64, 64, 32, 32)", peer=0.13, torch=0.75)
def max_pool_2x2(rng: np.random.Generator) -> Race:
    return pooling(rng, 2, 2)


@workload("(64, 64, 32, 32), stride 2", peer=0.06, torch=0.80)
def max_pool_3x3(rng: np.random.Generator) -> Race:
    return pooling(rng, 3, 2)


# ------------------------------------------------------------------------------------ losses, neighbours and rules


@workload("(8192, 1000)", peer=0.70, torch=1.35)
def softmax_loss(rng: np.random.Generator) -> Race:
    x, y = normal(rng, 8192, 1000) * 3, rng.integers(0, 1000, 8192)
    return Race(
        arrays=(x, y),
        plain=losses.softmax_loss,
        fast=fast.softmax_loss_fast,
        peers=known(plain_NumPy=peers.softmax_loss),
        torch=loss_by_torch(lambda torch, x, y: torch.nn.functional.cross_entropy(x, y)),
        moved=2 * x.nbytes,
    )


@workload("(50000, 10)", peer=0.35, torch=0.35)
def svm_loss(rng: np.random.Generator) -> Race:
    x, y = normal(rng, 50000, 10), rng.integers(0, 10, 50000)

    def hinge(torch: Any, x: Any, y: Any) -> Any:  # torch's own divides by C and counts the right class: both undone
        return torch.nn.functional.multi_margin_loss(x, y) * 10

    return Race(
        arrays=(x, y),
        plain=losses.svm_loss,
        fast=fast.svm_loss_fast,
        peers=known(plain_NumPy=peers.svm_loss),
        torch=loss_by_torch(hinge),
        moved=2 * x.nbytes,
    )


@workload("500 × 5000, 3072 features", peer=1.0, torch=0.55, product=1.15)
def k_nearest_neighbor(rng: np.random.Generator) -> Race:
    x, train = normal(rng, 500, 3072), normal(rng, 5000, 3072)

    def ours(x: np.ndarray, train: np.ndarray) -> Outputs:
        classifier = KNearestNeighbor()
        classifier.train(train, np.zeros(len(train), int))
        return (classifier.compute_distances_no_loops(x),)

    def theirs(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        a, b = (torch.from_numpy(array) for array in arrays)
        return lambda: (torch.cdist(a, b).numpy(),)

    return Race(
        arrays=(x, train),
        plain=ours,
        peers=known(plain_NumPy=peers.distances),
        torch=theirs,
        operations=2 * 500 * 5000 * 3072,
    )


def parameters(rng: np.random.Generator, *positive: bool) -> tuple[np.ndarray, ...]:
    w, dw = normal(rng, 5_000_000), normal(rng, 5_000_000)
    return w, dw, *(normal(rng, w.size) ** 2 if p else normal(rng, w.size) for p in positive)


@workload("5 million parameters", peer=0.60, torch=1.9)
def momentum(rng: np.random.Generator) -> Race:
    arrays = parameters(rng, False)
    return Race(
        arrays=arrays,
        plain=rule(optim.sgd_momentum, "velocity"),
        fast=in_place(fast.sgd_momentum_fast, "velocity"),
        peers=known(plain_NumPy=peers.momentum),
        torch=rule_by_torch(  # its velocity has another sign, and leaves out the learning rate
            "SGD", {"lr": 1e-2, "momentum": 0.9, "fused": True}, lambda torch, v: {"momentum_buffer": v / -1e-2}
        ),
        moved=5 * arrays[0].nbytes,
    )


@workload("5 million parameters", peer=0.60, torch=1.15)
def rmsprop(rng: np.random.Generator) -> Race:
    arrays = parameters(rng, True)
    return Race(
        arrays=arrays,
        plain=rule(optim.rmsprop, "cache"),
        fast=in_place(fast.rmsprop_fast, "cache"),
        peers=known(plain_NumPy=peers.rmsprop),
        torch=rule_by_torch("RMSprop", {"lr": 1e-2}, lambda torch, v: {"step": torch.tensor(10.0), "square_avg": v}),
        moved=5 * arrays[0].nbytes,
    )


@workload("5 million parameters", peer=0.50, torch=3.2)
def adam(rng: np.random.Generator) -> Race:
    arrays = parameters(rng, False, True)
    return Race(
        arrays=arrays,
        plain=rule(optim.adam, "m", "v", t=9),
        fast=in_place(fast.adam_fast, "m", "v", t=9),
        peers=known(plain_NumPy=peers.adam),
        torch=rule_by_torch(
            "Adam",
            {"lr": 1e-3, "fused": True},
            lambda torch, m, v: {"step": torch.tensor(9.0), "exp_avg": m, "exp_avg_sq": v},
        ),
        moved=7 * arrays[0].nbytes,
    )
