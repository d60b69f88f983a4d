from __future__ import annotations

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.visualization import content_loss, gram_matrix, gram_matrix_backward, style_loss, tv_loss

SHAPE = (1, 3, 4, 5)


def draw(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_content_is_a_weighted_sum_of_squares() -> None:
    current, original = draw(0), draw(1)
    loss, dcurrent = content_loss(0.3, current, original)
    assert loss == pytest.approx(0.3 * ((current - original) ** 2).sum())
    numeric = eval_numerical_gradient(lambda x: float(content_loss(0.3, x, original)[0]), current.copy())
    np.testing.assert_allclose(dcurrent, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 2, 3), (2, 3, 1, 1)])
def test_gram_is_a_sum_over_places_and_its_backward_right_for_any_upstream(
    shape: tuple[int, ...], normalize: bool
) -> None:
    features = draw(shape=shape)
    N, C, H, W = shape
    gram = gram_matrix(features, normalize)
    expected = np.einsum("nihl,njhl->nij", features, features) / (C * H * W if normalize else 1)
    np.testing.assert_allclose(gram, expected, rtol=1e-12, atol=1e-14)
    dgram = draw(1, (N, C, C))  # not symmetric
    numeric = eval_numerical_gradient_array(lambda x: gram_matrix(x, normalize), features.copy(), dgram)
    np.testing.assert_allclose(gram_matrix_backward(dgram, features, normalize), numeric, rtol=1e-6, atol=1e-8)


def test_style_adds_up_its_layers_and_gives_a_gradient_for_each() -> None:
    feats = [draw(0), draw(1, (1, 2, 3, 3)), draw(2, (1, 4, 2, 6))]
    layers, weights = [2, 0], [0.7, 3.0]
    targets = [draw(3, (1, 4, 4)), gram_matrix(draw(4, (1, 3, 6, 7)))]  # one not symmetric; one of a larger painting
    loss, dfeats = style_loss(feats, layers, targets, weights)
    by_hand = sum(
        w * ((gram_matrix(feats[i]) - t) ** 2).sum() for i, t, w in zip(layers, targets, weights, strict=True)
    )
    assert loss == pytest.approx(by_hand)
    for layer, dfeatures in zip(layers, dfeats, strict=True):

        def of_layer(x: np.ndarray, layer: int = layer) -> float:
            return float(style_loss([*feats[:layer], x, *feats[layer + 1 :]], layers, targets, weights)[0])

        numeric = eval_numerical_gradient(of_layer, feats[layer].copy())
        np.testing.assert_allclose(dfeatures, numeric, rtol=1e-5, atol=1e-8)


def test_no_style_layer_is_no_loss() -> None:
    assert style_loss([draw()], [], [], []) == (0.0, [])


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 1, 6), (1, 2, 6, 1), (1, 1, 1, 1)])
def test_total_variation_agrees_with_loops_and_differences(shape: tuple[int, ...]) -> None:
    img = draw(shape=shape)
    loss, dimg = tv_loss(img, 0.3)
    slow = 0.0
    for n, c, h, w in np.ndindex(*shape):
        if h + 1 < shape[2]:
            slow += (img[n, c, h + 1, w] - img[n, c, h, w]) ** 2
        if w + 1 < shape[3]:
            slow += (img[n, c, h, w + 1] - img[n, c, h, w]) ** 2
    assert loss == pytest.approx(0.3 * slow)
    numeric = eval_numerical_gradient(lambda x: float(tv_loss(x, 0.3)[0]), img.copy())
    np.testing.assert_allclose(dimg, numeric, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(dimg.sum(axis=(2, 3)), 0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_changed(dtype: type) -> None:
    features, other = (np.asfortranarray(draw(i).astype(dtype)) for i in (0, 1))
    for array in (features, other):
        array.flags.writeable = False
    weight = np.float64(0.3)
    gram = gram_matrix(other)
    for found in (
        *content_loss(weight, features, other),
        gram,
        gram_matrix_backward(gram, features),
        style_loss([features], [0], [gram], [weight])[1][0],
        *tv_loss(features, weight),
    ):
        assert found.dtype == dtype
    exact = tv_loss(features.astype(float), 0.3)[1]
    np.testing.assert_allclose(tv_loss(features, weight)[1], exact, rtol=1e-2, atol=1e-2)


def test_bad_input_is_named() -> None:
    features = draw()
    with pytest.raises(ValueError, match=r"content_original of shape \(1, 3, 4, 5\), got \(1, 3, 5, 4\)"):
        content_loss(1.0, features, features.swapaxes(2, 3))
    with pytest.raises(ValueError, match="content_current: expected real floating-point numbers, got dtype int64"):
        content_loss(1.0, np.zeros(2, int), np.zeros(2))
    with pytest.raises(ValueError, match=r"features of shape \(N, C, H, W\), each at least 1, got \(3, 4, 5\)"):
        gram_matrix(features[0])
    with pytest.raises(ValueError, match="features: expected real floating-point numbers, got dtype bool"):
        gram_matrix(features > 0)
    with pytest.raises(ValueError, match=r"dgram of shape \(1, 3, 3\), got \(3, 3\)"):
        gram_matrix_backward(np.zeros((3, 3)), features)
    with pytest.raises(ValueError, match=r"layer 0: expected a target of shape \(1, 3, 3\), got \(3, 3\)"):
        style_loss([features], [0], [np.zeros((3, 3))], [1.0])
    with pytest.raises(ValueError, match="got 1 layers, 0 targets, 1 weights"):
        style_loss([features], [0], [], [1.0])
    with pytest.raises(ValueError, match=r"img of shape \(N, C, H, W\), got \(3, 4, 5\)"):
        tv_loss(features[0], 1.0)
