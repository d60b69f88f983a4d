"""The experiments of the chapters on visualization: what gradients with respect to the *input* show of a network.

A small convolutional network is trained on the digits; the photographs are two that come with scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from cs231n.fast_layers import conv_backward_fast, conv_forward_fast
from cs231n.layers import relu_backward, relu_forward, softmax_loss
from cs231n.optim import adam
from cs231n.solver import Solver
from cs231n.training.digits import DEFAULTS, PARTS, RATES, SPLIT_SEED, stratified_split
from cs231n.training.picture import picture
from cs231n.training.runs import Data, Settings, network
from cs231n.visualization import (
    blur,
    class_visualization_step,
    compute_saliency_maps,
    content_loss,
    gram_matrix,
    jitter,
    make_fooling_image,
    saliency_maps,
    scores_and_backward,
    style_loss,
    tv_loss,
)

__all__ = ["class_visualization", "fooling", "saliency", "style"]

Show = Callable[[str], None]
Cells = list[tuple[str, ...]]
Found = tuple[dict[str, str], dict[str, Cells], dict[str, Any]]


# ------------------------------------------------------------------------------------------------------ saliency


def saliency(data: Data, epochs: int, show: Show) -> Found:
    """Maps of the score and of the loss, and what erasing the most or the least salient pixels does."""
    net = _trained(data, epochs, show)
    X, y = data.parts["val"]

    def forward(images: np.ndarray) -> Any:
        return scores_and_backward(net, images)

    maps = compute_saliency_maps(X, y, forward)
    scores, backward = forward(X)
    _, dscores = softmax_loss(scores, y)
    of_loss = saliency_maps(backward(len(y) * dscores))  # of each image's own loss, not of the mean

    order = np.argsort(maps.reshape(len(X), -1), axis=1)
    rng = np.random.default_rng(0)
    orders = {"most": order[:, ::-1], "random": rng.permuted(order, axis=1), "least": order}
    counts = [0, 4, 8, 16, 32]
    accuracy: dict[str, list[float]] = {name: [] for name in orders}
    for name, pixels in orders.items():
        for count in counts:
            erased = X.reshape(len(X), -1).copy()
            np.put_along_axis(erased, pixels[:, :count], 0, axis=1)  # 0: the mean of the training part
            guesses = net.loss(erased.reshape(X.shape)).argmax(axis=1)
            accuracy[name].append(float((guesses == y).mean()))
    table: Cells = [("pixels erased", *(f"{name}, val %" for name in ("most salient", "random", "least salient")))]
    for i, count in enumerate(counts):
        table.append((str(count), *(f"{100 * accuracy[name][i]:.1f}" for name in orders)))

    chosen = _one_of_each(y)
    top, low = maps[chosen].max(), of_loss[chosen].max()

    def draw(axes: Sequence[Any]) -> None:
        _row(axes[0], _shown(X[chosen]), "a digit of each class", "gray_r", 1)
        _row(axes[1], maps[chosen], "gradient of the score", "magma", top)
        _row(axes[2], of_loss[chosen], "gradient of the loss", "magma", low)

    numbers = {
        "counts": counts,
        "accuracy": accuracy,
        "largest of a map": {  # the least and the largest of all images
            name: [_round(found.max(axis=(1, 2)).min()), _round(found.max(axis=(1, 2)).max())]
            for name, found in (("score", maps), ("loss", of_loss))
        },
    }
    return {"saliency": picture(draw, 3, height=2.6)}, {"saliency": table}, numbers


# ------------------------------------------------------------------------------------------------------- fooling


def fooling(data: Data, epochs: int, show: Show) -> Found:
    """How many steps, and how far, until a digit is taken for another one; as many images of a class as epochs."""
    net = _trained(data, epochs, show)
    X, y = data.parts["val"]
    right = np.flatnonzero(net.loss(X).argmax(axis=1) == y)
    some = [row for label in np.unique(y) for row in right[y[right] == label][:epochs]]
    pairs = [(row, target) for row in some for target in range(10) if target != y[row]]
    starts = X[[row for row, _ in pairs]]
    targets = np.array([target for _, target in pairs], dtype=int)

    rates, most = [0.05, 0.1, 0.2, 0.5, 1.0], 100
    table: Cells = [("step", "fooled %", "steps", "distance", "largest change of a pixel")]
    numbers: dict[str, Any] = {"pairs": len(pairs), "max_steps": most, "rates": {}}
    for rate in rates:
        show(f"steps of {rate:g}")
        ends, steps = _fool_all(net, starts, targets, rate, most)
        fooled = steps <= most
        moved = (ends - starts)[fooled].reshape(fooled.sum(), -1)
        distances, largest = np.sqrt((moved**2).sum(axis=1)), np.abs(moved).max(axis=1, initial=0)
        found = [median(map(float, values)) if len(values) else 0.0 for values in (steps[fooled], distances, largest)]
        share = float(fooled.mean()) if len(pairs) else 0.0
        table.append((f"{rate:g}", f"{100 * share:.1f}", f"{found[0]:g}", f"{found[1]:.2f}", f"{found[2]:.2f}"))
        numbers["rates"][f"{rate:g}"] = [share, *map(_round, found)]

    train, labels = data.parts["train"]
    nearest = [
        float(np.sqrt(((train[labels == target] - start) ** 2).sum(axis=(1, 2, 3))).min())
        for start, target in zip(starts, targets, strict=True)
        if (labels == target).any()
    ]
    numbers["nearest_real"] = _round(median(nearest)) if nearest else None

    chosen = _one_of_each(y[right])
    originals = X[right][chosen]
    wanted = [(int(label) + 1) % 10 for label in y[right][chosen]]
    fooled_images = [
        make_fooling_image(image[None], target, lambda images: scores_and_backward(net, images), 0.1)[0][0]
        for image, target in zip(originals, wanted, strict=True)
    ]
    numbers["wanted"] = wanted

    def draw(axes: Sequence[Any]) -> None:
        new = np.array(fooled_images).reshape(originals.shape)
        _row(axes[0], _shown(originals), "what the network reads correctly", "gray_r", 1)
        _row(axes[1], _shown(new), "taken for the next digit", "gray_r", 1)
        _row(axes[2], (new - originals)[:, 0], "the change: more ink red, less ink blue", "RdBu_r", 0.5, -0.5)

    return {"fooling": picture(draw, 3, height=2.6)}, {"fooling": table}, numbers


def _fool_all(net: Any, starts: np.ndarray, targets: np.ndarray, rate: float, most: int) -> tuple[Any, Any]:
    """As `make_fooling_image`, for many images side by side; ``most + 1`` steps: not fooled."""
    images = starts.copy()
    steps = np.full(len(images), most + 1)
    left = np.arange(len(images))
    for step in range(most + 1):
        if not len(left):
            break
        scores, backward = scores_and_backward(net, images[left])
        done = scores.argmax(axis=1) == targets[left]
        steps[left[done]] = step
        g = backward(np.eye(scores.shape[1])[targets[left]])
        length = np.sqrt((g**2).sum(axis=(1, 2, 3), keepdims=True))
        images[left] += np.where(done[:, None, None, None] | (length == 0), 0, rate * g / np.where(length, length, 1))
        left = left[~done]
    return images, steps


# ------------------------------------------------------------------------------------------- class visualization


def class_visualization(data: Data, epochs: int, show: Show) -> Found:
    """The digits that the network likes best: with and without a penalty, jitter and blur, and with the wrong sign."""
    net = _trained(data, epochs, show)
    kinds: dict[str, tuple[float, bool]] = {
        "no penalty": (0.0, False),
        "penalty": (0.5, False),
        "penalty, jitter, blur": (0.5, True),
        "penalty added": (-0.5, False),
    }
    images: dict[str, np.ndarray] = {}
    table: Cells = [("images", "score", "probability %", "length", "roughness")]
    numbers: dict[str, Any] = {}

    def measure(name: str, found: np.ndarray, labels: np.ndarray) -> None:
        scores = net.loss(found)
        right = scores[np.arange(len(labels)), labels]
        p = np.exp(right - scores.max(axis=1)) / np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)
        length = np.sqrt((found**2).sum(axis=(1, 2, 3))).mean()
        rough = tv_loss(found, 1.0)[0] / (found**2).sum()
        measured = [float(value) for value in (right.mean(), 100 * p.mean(), length, rough)]
        numbers[name] = [_round(number) for number in measured]
        table.append((name, f"{measured[0]:.1f}", f"{measured[1]:.1f}", f"{measured[2]:.2f}", f"{measured[3]:.2f}"))

    for kind, (reg, smooth) in kinds.items():
        show(kind)
        images[kind] = np.concatenate([_dream(net, label, reg, smooth, 20 * epochs) for label in range(10)])
        measure(kind, images[kind], np.arange(10))
    measure("real digits", *data.parts["val"])

    def draw(axes: Sequence[Any]) -> None:
        for plot, kind in zip(axes, list(kinds)[:3], strict=True):
            found = images[kind][:, 0]
            _row(plot, found / np.abs(found).max(axis=(1, 2), keepdims=True), kind, "RdBu_r", 1, -1)

    return {"class_visualization": picture(draw, 3, height=2.6)}, {"class_visualization": table}, numbers


def _dream(net: Any, label: int, reg: float, smooth: bool, steps: int) -> np.ndarray:
    """Uphill from faint noise."""
    rng = np.random.default_rng(label)
    image = 0.1 * rng.normal(size=(1, 1, 8, 8))
    for step in range(steps):
        ox, oy = rng.integers(-1, 2, 2) if smooth else (0, 0)
        image = jitter(image, ox, oy)
        scores, backward = scores_and_backward(net, image)
        image = class_visualization_step(image, backward(np.eye(scores.shape[1])[[label]]), reg, 0.05)
        image = jitter(image, -ox, -oy)
        if smooth and step % 10 == 9:
            image = blur(image, 0.5)
    return image


# --------------------------------------------------------------------------------------------------------- style


def style(data: Data, epochs: int, show: Show) -> Found:
    """A photograph of a temple in the manner of a photograph of a flower, with features of random kernels."""
    from sklearn.datasets import load_sample_image

    # 71 by 105 pixels
    content, painting = (
        _smaller(load_sample_image(name)[:, :630].astype(float) / 255, 6) - 0.5 for name in ("china.jpg", "flower.jpg")
    )
    rng = np.random.default_rng(0)
    kernels = [
        rng.normal(size=(24, 3, 5, 5)) * np.sqrt(2 / 75),
        rng.normal(size=(32, 24, 3, 3)) * np.sqrt(2 / 216),
    ]
    wanted = [gram_matrix(features) for features, _ in _features(painting, kernels)]
    original = _features(content, kernels)[-1][0]

    content_weight, style_weights, tv_weight = 6e-4, [3e3, 3e3], 1e-3

    def losses(image: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        layers = _features(image, kernels)
        feats = [features for features, _ in layers]
        of_content, dcontent = content_loss(content_weight, feats[1], original)
        of_style, dfeats = style_loss(feats, [0, 1], wanted, style_weights)
        smooth, dimage = tv_loss(image, tv_weight)
        dh = layers[1][1](dcontent + dfeats[1])
        dimage = dimage + layers[0][1](dh + dfeats[0])
        return {"content": float(of_content), "style": float(of_style), "total variation": float(smooth)}, dimage

    image = content.copy()
    state: dict[str, Any] = {"learning_rate": 0.02}
    first, _ = losses(image)
    history = []
    for step in range(5 * epochs):
        show(f"step {step}")
        now, dimage = losses(image)
        history.append(sum(now.values()))
        image, state = adam(image, dimage, state)
        image = np.clip(image, -0.5, 0.5)
    last, _ = losses(image)
    of_painting, _ = losses(painting)

    table: Cells = [("loss", "photograph", "result", "flower")]
    for name in first:
        table.append((name, *(f"{found[name]:.2f}" for found in (first, last, of_painting))))
    table.append(("sum", *(f"{sum(found.values()):.2f}" for found in (first, last, of_painting))))

    def draw(axes: Sequence[Any]) -> None:
        for plot, pixels, title in zip(
            axes, (content, painting, image), ("content", "style", f"after {5 * epochs} steps"), strict=True
        ):
            plot.imshow(np.moveaxis(pixels[0], 0, -1) + 0.5, interpolation="nearest")
            plot.set_title(title, fontsize=9)
            plot.axis("off")

    numbers = {"first": first, "last": last, "history": [_round(value) for value in history[::5]]}
    return {"style": picture(draw, 3, height=8.2)}, {"style": table}, numbers


def _smaller(photograph: np.ndarray, factor: int) -> np.ndarray:
    """(H, W, 3) colours as one image (1, 3, H / factor, W / factor), each pixel the mean of a square."""
    H, W = (size // factor for size in photograph.shape[:2])
    squares = photograph[: H * factor, : W * factor].reshape(H, factor, W, factor, 3).mean(axis=(1, 3))
    return np.moveaxis(squares, -1, 0)[None]


def _features(image: np.ndarray, kernels: Sequence[np.ndarray]) -> list[tuple[np.ndarray, Callable[..., np.ndarray]]]:
    """The output of each convolution with ReLU, and its way back to what stands below."""
    layers = []
    h = image
    for w in kernels:
        z, conv_cache = conv_forward_fast(h, w, np.zeros(len(w)), {"stride": 1, "pad": w.shape[-1] // 2})
        h, relu_cache = relu_forward(z)

        def backward(dh: np.ndarray, conv_cache: Any = conv_cache, relu_cache: Any = relu_cache) -> np.ndarray:
            return conv_backward_fast(relu_backward(dh, relu_cache), conv_cache)[0]

        layers.append((h, backward))
    return layers


# ------------------------------------------------------------------------------------------------ what they share


def _trained(data: Data, epochs: int, show: Show) -> Any:
    """A convolutional network, with the settings of `cs231n train digits --model cnn`, and its best parameters."""
    usual: dict[str, Any] = DEFAULTS["cnn"] | {"epochs": epochs}
    settings = Settings("cnn", "adam", RATES["cnn"]["adam"], **usual)
    weights_rng, solver_rng = np.random.default_rng(0).spawn(2)
    (X, y), (X_val, y_val) = data.parts["train"], data.parts["val"]
    show("training")
    solver = Solver(
        network(settings, data, weights_rng),
        {"X_train": X, "y_train": y, "X_val": X_val, "y_val": y_val},
        update_rule=settings.optimizer,
        optim_config={"learning_rate": settings.learning_rate},
        lr_decay=settings.lr_decay,
        batch_size=min(settings.batch_size, len(X) // 2),
        num_epochs=settings.epochs,
        verbose=False,
        rng=solver_rng,
    )
    solver.train()
    if solver.interrupted:
        raise KeyboardInterrupt
    return solver.model


def _one_of_each(y: np.ndarray) -> list[int]:
    """The first row of each class that is there."""
    return [int(np.flatnonzero(y == label)[0]) for label in np.unique(y)]


def _shown(X: np.ndarray) -> np.ndarray:
    """Digits as they were before the mean was taken off, (N, 8, 8)."""
    from sklearn import datasets

    digits = datasets.load_digits()
    train = stratified_split(digits.target, PARTS, SPLIT_SEED)["train"]
    return X[:, 0] + (digits.data[train] / 16).mean(axis=0).reshape(8, 8)


def _row(axes: Any, images: np.ndarray, title: str, colours: str, most: float, least: float = 0.0) -> None:
    """Small images side by side, a white column between them."""
    gaps = np.full((*images.shape[:2], 1), np.nan)
    strip = np.concatenate([part for image, gap in zip(images, gaps, strict=True) for part in (image, gap)], axis=1)
    axes.imshow(np.ma.masked_invalid(strip[:, :-1]), cmap=colours, vmin=least, vmax=most, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.axis("off")


def _round(number: float) -> float:
    return float(f"{number:.6g}")
