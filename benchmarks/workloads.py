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
from cs231n.layers.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward

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


# -------------------------------------------------------------------------------------------------------- sequences


def recurrent(rng: np.random.Generator, gates: int) -> tuple[tuple[np.ndarray, ...], float]:
    """The arrays of a recurrent layer, and the operations of its products."""
    n, steps, d, h = 64, 32, 256, 256
    arrays = (
        normal(rng, n, steps, d),
        normal(rng, n, h),
        normal(rng, d, gates * h) / 16,
        normal(rng, h, gates * h) / 16,
        normal(rng, gates * h),
        normal(rng, n, steps, h),
    )
    return arrays, 3 * 2 * n * steps * (d + h) * gates * h


def recurrent_by_torch(name: str, order: Sequence[int]) -> Callable[..., Callable[[], Outputs]]:
    """PyTorch's module; `order` says where its gates stand among ours."""

    def prepare(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        x, h0, Wx, Wh, b, dh = (torch.from_numpy(a.copy()) for a in arrays)
        h = len(Wh)

        def turned(array: Any) -> Any:  # the same permutation takes their order of gates to ours
            return torch.cat([array[k * h : (k + 1) * h] for k in order])

        module = getattr(torch.nn, name)(x.shape[2], h, batch_first=True)
        with torch.no_grad():
            for own, given in ((module.weight_ih_l0, Wx), (module.weight_hh_l0, Wh), (module.bias_ih_l0, b)):
                own.copy_(turned(given.T if given.ndim == 2 else given))
            module.bias_hh_l0.zero_()
        inputs = [x.requires_grad_(), h0.requires_grad_(), module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0]

        def step() -> Outputs:
            first = h0[None]
            out, _ = module(x, first if name == "RNN" else (first, torch.zeros_like(first)))
            dx, dh0, dWx, dWh, db = torch.autograd.grad(out, inputs, dh)
            weights = (turned(dWx).T.numpy(), turned(dWh).T.numpy(), turned(db).numpy())
            return out.detach().numpy(), dx.numpy(), dh0.numpy(), *weights

        return step

    return prepare


@workload("64 × 32 steps, 256 → 256", peer=0.75, torch=0.55, product=1.35)
def rnn(rng: np.random.Generator) -> Race:
    arrays, operations = recurrent(rng, 1)
    return Race(
        arrays=arrays,
        plain=layer(layers.rnn_forward, layers.rnn_backward),
        peers=known(plain_NumPy=peers.rnn),
        torch=recurrent_by_torch("RNN", [0]),
        operations=operations,
        tolerance=1e-4,
    )


@workload("64 × 32 steps, 256 → 256", peer=0.70, torch=1.25, product=1.45)
def lstm(rng: np.random.Generator) -> Race:
    arrays, operations = recurrent(rng, 4)
    return Race(
        arrays=arrays,
        plain=layer(layers.lstm_forward, layers.lstm_backward),
        peers=known(plain_NumPy=peers.lstm),
        torch=recurrent_by_torch("LSTM", [0, 1, 3, 2]),
        operations=operations,
        tolerance=1e-4,
    )


@workload("128 × 32 words of 1000, 512 features", peer=0.40, torch=1.4)
def word_embedding(rng: np.random.Generator) -> Race:
    words = rng.integers(0, 1000, (128, 32))
    W, dout = normal(rng, 1000, 512), normal(rng, 128, 32, 512)

    def theirs(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        words, W, dout = (torch.from_numpy(a.copy()) for a in arrays)
        W.requires_grad_()

        def step() -> Outputs:
            out = torch.nn.functional.embedding(words, W)
            return out.detach().numpy(), torch.autograd.grad(out, W, dout)[0].numpy()

        return step

    return Race(
        arrays=(words, W, dout),
        plain=layer(layers.word_embedding_forward, layers.word_embedding_backward),
        fast=layer(layers.word_embedding_forward, fast.word_embedding_backward_fast),
        peers=known(plain_NumPy=peers.word_embedding),
        torch=theirs,
        moved=2 * W.nbytes + 2 * dout.nbytes,
    )


@workload("16 × 128, 512 features, 8 heads", peer=0.60, torch=0.60, product=1.25)
def attention(rng: np.random.Generator) -> Race:
    n, steps, d, heads = 16, 128, 512, 8
    bias = heads, d // heads
    wq, wk, wv = (normal(rng, d, *bias) / 20 for _ in range(3))
    bq, bv = normal(rng, *bias), normal(rng, *bias)  # a bias of the keys would change nothing
    x, dout = normal(rng, n, steps, d), normal(rng, n, steps, d)

    def ours(x: np.ndarray, wq: np.ndarray, bq: np.ndarray, wk: np.ndarray, *others: np.ndarray) -> Outputs:
        out, cache = multi_head_attention_forward(x, x, x, wq, bq, wk, np.zeros_like(bq), *others[:-1])
        dquery, dkey, dvalue, dwq, dbq, dwk, _, *gradients = multi_head_attention_backward(others[-1], cache)
        return out, dquery + dkey + dvalue, dwq, dbq, dwk, *gradients

    def in_autograd(x: Any, wq: Any, bq: Any, wk: Any, wv: Any, bv: Any, wo: Any, bo: Any) -> Any:
        import autograd.numpy as anp

        rows = anp.reshape(x, (n * steps, d))

        def project(w: Any, b: Any) -> Any:
            flat = anp.dot(rows, anp.reshape(w, (d, d))) + anp.reshape(b, (d,))
            return anp.transpose(anp.reshape(flat, (n, steps, heads, d // heads)), (0, 2, 1, 3))

        q, k, v = project(wq, bq), project(wk, 0 * bq), project(wv, bv)
        scores = anp.matmul(q, anp.transpose(k, (0, 1, 3, 2))) / (d // heads) ** 0.5
        e = anp.exp(scores - anp.max(scores, axis=-1, keepdims=True))
        mixed = anp.transpose(anp.matmul(e / anp.sum(e, axis=-1, keepdims=True), v), (0, 2, 1, 3))
        out = anp.dot(anp.reshape(mixed, (n * steps, d)), anp.reshape(wo, (d, d))) + bo
        return anp.reshape(out, (n, steps, d))

    def in_torch(torch: Any, x: Any, wq: Any, bq: Any, wk: Any, wv: Any, bv: Any, wo: Any, bo: Any) -> Any:
        q, k, v = (
            (x @ w.reshape(d, d) + b.reshape(d)).reshape(n, steps, heads, -1).transpose(1, 2)
            for w, b in ((wq, bq), (wk, torch.zeros(d)), (wv, bv))
        )
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).reshape(n, steps, d) @ wo.reshape(d, d) + bo

    return Race(
        arrays=(x, wq, bq, wk, wv, bv, normal(rng, *bias, d) / 20, normal(rng, d), dout),
        plain=ours,
        peers=known(autograd=peers.by_autograd(in_autograd, 8)),
        torch=by_torch(in_torch),
        operations=3 * (4 * 2 * n * steps * d * d + 2 * 2 * n * steps * steps * d),
        tolerance=1e-4,
    )


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


@workload("128 × 32 positions, 1000 words", peer=0.55, torch=1.0)
def temporal_softmax(rng: np.random.Generator) -> Race:
    x, y, mask = normal(rng, 128, 32, 1000) * 3, rng.integers(0, 1000, (128, 32)), rng.random((128, 32)) < 0.7

    def theirs(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        x, y, mask = (torch.from_numpy(a.copy()) for a in arrays)
        x, labels = x.requires_grad_(), torch.where(mask, y, -100).reshape(-1)

        def step() -> Outputs:
            loss = torch.nn.functional.cross_entropy(x.reshape(-1, 1000), labels, reduction="sum") / len(x)
            return loss.item(), torch.autograd.grad(loss, x)[0].numpy()

        return step

    return Race(
        arrays=(x, y, mask),
        plain=losses.temporal_softmax_loss,
        fast=fast.temporal_softmax_loss_fast,
        peers=known(plain_NumPy=peers.temporal_softmax_loss),
        torch=theirs,
        moved=2 * x.nbytes,
    )


@workload("512 pairs, 128 features", peer=0.30, torch=0.45)
def nt_xent(rng: np.random.Generator) -> Race:
    n, tau = 512, 0.5
    left, right = normal(rng, n, 128), normal(rng, n, 128)

    def in_one_array(left: np.ndarray, right: np.ndarray) -> Outputs:
        rows = np.arange(2 * n)
        loss, dz = losses.nt_xent_loss(np.concatenate([left, right]), (rows + n) % (2 * n), tau)
        return loss, dz[:n], dz[n:]

    def in_autograd(left: Any, right: Any) -> Any:
        import autograd.numpy as anp

        z = anp.concatenate([left, right])
        u = z / anp.sqrt(anp.sum(z**2, axis=1, keepdims=True))
        scores = anp.dot(u, u.T) / tau - 1e9 * np.eye(2 * n, dtype=np.float32)
        top = anp.max(scores, axis=1, keepdims=True)
        lse = anp.log(anp.sum(anp.exp(scores - top), axis=1)) + top[:, 0]
        rows = np.arange(2 * n)
        return anp.mean(lse - scores[rows, (rows + n) % (2 * n)])

    by_autograd = peers.by_autograd(in_autograd, 2)

    def theirs(torch: Any, arrays: tuple[np.ndarray, ...]) -> Callable[[], Outputs]:
        left, right = (torch.from_numpy(a.copy()).requires_grad_() for a in arrays)
        labels, itself = (torch.arange(2 * n) + n) % (2 * n), torch.eye(2 * n, dtype=torch.bool)

        def step() -> Outputs:
            u = torch.nn.functional.normalize(torch.cat([left, right]))
            scores = (u @ u.T / tau).masked_fill(itself, -torch.inf)
            loss = torch.nn.functional.cross_entropy(scores, labels)
            return loss.item(), *(g.numpy() for g in torch.autograd.grad(loss, (left, right)))

        return step

    return Race(
        arrays=(left, right),
        plain=in_one_array,
        fast=lambda left, right: losses.simclr_loss(left, right, tau),
        peers=known(autograd=by_autograd and (lambda left, right: by_autograd(left, right, np.float32(1)))),
        torch=theirs,
        operations=2 * 2 * (2 * n) ** 2 * 128,
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
