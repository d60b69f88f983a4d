from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.visualization import blur, class_visualization_step, jitter


def draw(shape: tuple[int, ...] = (3, 4)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=shape), rng.normal(size=shape)


def test_a_plain_step_is_that_of_the_score_minus_the_penalty() -> None:
    img, g = draw()
    numeric = eval_numerical_gradient(lambda x: float((g * x).sum() - 0.3 * (x**2).sum()), img.copy())
    step = class_visualization_step(img, g, 0.3, 0.1, normalize=False) - img
    np.testing.assert_allclose(step, 0.1 * numeric, rtol=1e-7)


@pytest.mark.parametrize("normalize", [True, False])
def test_an_image_shrinks_under_a_network_that_ignores_it(normalize: bool) -> None:
    """Wishes no. 6: the penalty was added, and the length grew from 6.43 to 6.93 in one step."""
    img = np.random.default_rng(0).normal(size=(1, 3, 4, 4))
    step = class_visualization_step(img, np.zeros_like(img), 0.1, 0.5, normalize)
    assert np.linalg.norm(step) < np.linalg.norm(img)
    if normalize:
        assert np.linalg.norm(img) - np.linalg.norm(step) == pytest.approx(0.5)


def test_plain_steps_come_to_rest() -> None:
    img, g = draw()
    for _ in range(400):
        img = class_visualization_step(img, g, 0.25, 0.2, normalize=False)
    np.testing.assert_allclose(img, g / 0.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e300])
def test_a_normalized_step_has_the_asked_length(scale: float) -> None:
    img, g = draw()
    step = class_visualization_step(np.zeros_like(img), scale * g, 0.1, 0.3)
    assert np.linalg.norm(step) == pytest.approx(0.3)


def test_no_step_where_the_pulls_cancel() -> None:
    """Wishes no. 7: 0/0 made every pixel NaN."""
    img, _ = draw()
    assert np.array_equal(class_visualization_step(img, 2 * 0.25 * img, 0.25, 0.3), img)
    assert class_visualization_step(np.zeros((0, 2)), np.zeros((0, 2)), 0.25, 0.3).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_changed(dtype: type) -> None:
    img, g = (np.asfortranarray(a.astype(dtype)) for a in draw())
    for array in (img, g):
        array.flags.writeable = False
    for normalize in (True, False):
        assert class_visualization_step(img, g, np.float64(0.1), np.float64(0.3), normalize).dtype == dtype
    assert jitter(img, 1, 1).dtype == dtype and blur(img).dtype == dtype


def test_jitter_shifts_right_and_down_and_back() -> None:
    img = np.arange(24).reshape(1, 2, 3, 4)
    shifted = jitter(img, 1, 2)
    assert shifted[0, 0, 2, 1] == img[0, 0, 0, 0] and shifted[0, 1, 0, 0] == img[0, 1, 1, 3]
    assert np.array_equal(jitter(shifted, -1, -2), img)


@pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is not installed (pip install -e '.[train]')")
@pytest.mark.parametrize("shape", [(2, 3, 9, 7), (2, 3), (1, 1), (1, 5)])
@pytest.mark.parametrize("sigma", [0.3, 0.5, 1, 2.5])
def test_blur_is_that_of_scipy(shape: tuple[int, ...], sigma: float) -> None:
    from scipy.ndimage import gaussian_filter1d  # wishes no. 45: not from scipy.ndimage.filters, which is gone

    img = np.random.default_rng(0).normal(size=shape)
    expected = gaussian_filter1d(gaussian_filter1d(img, sigma, axis=-2), sigma, axis=-1)
    np.testing.assert_allclose(blur(img, sigma), expected, rtol=1e-12, atol=1e-15)


def test_blur_keeps_an_even_image_and_the_mean() -> None:
    img, _ = draw((2, 6, 5))
    np.testing.assert_allclose(blur(np.full((4, 3), 7.0), 3.0), 7)
    np.testing.assert_allclose(blur(img, 1.5).mean(axis=(1, 2)), img.mean(axis=(1, 2)))
    np.testing.assert_array_equal(blur(img, 0), img)


def test_bad_input_is_named() -> None:
    img, g = draw()
    with pytest.raises(ValueError, match=r"g of shape \(3, 4\), got \(4, 3\)"):
        class_visualization_step(img, g.T, 0.1, 0.1)
    with pytest.raises(ValueError, match="img: expected real floating-point numbers, got dtype int64"):
        class_visualization_step(np.ones((3, 4), int), g, 0.1, 0.1)
    with pytest.raises(ValueError, match="sigma >= 0, got -1"):
        blur(img, -1)
    with pytest.raises(ValueError, match=r"H, W >= 1, got \(4,\)"):
        blur(img[0])
    with pytest.raises(ValueError, match="img: expected real floating-point numbers, got dtype uint8"):
        blur(np.zeros((2, 2), np.uint8))
