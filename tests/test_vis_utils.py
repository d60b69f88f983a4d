import numpy as np
import pytest

from cs231n.vis_utils import visualize_grid


def draw(shape=(5, 3, 2, 4)):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_every_image_stands_in_its_place_stretched_to_the_bound(padding):
    Xs = draw()
    grid = visualize_grid(Xs, ubound=100, padding=padding)
    assert grid.shape == (3 * 3 + 2 * padding, 3 * 2 + 2 * padding, 4)
    rest = grid.copy()
    for n, X in enumerate(Xs):
        i, j = n // 3 * (3 + padding), n % 3 * (2 + padding)
        np.testing.assert_allclose(grid[i : i + 3, j : j + 2], 100 * (X - X.min()) / (X.max() - X.min()))
        rest[i : i + 3, j : j + 2] = 0
    assert not rest.any()  # all else is black


@pytest.mark.parametrize(("count", "side"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_the_grid_is_square(count, side):
    assert visualize_grid(draw((count, 2, 3, 1))).shape == (side * 3 - 1, side * 4 - 1, 1)


def test_an_image_of_one_colour_is_black_and_no_division_by_zero():
    np.testing.assert_array_equal(visualize_grid(np.full((1, 2, 2, 3), 7.0)), np.zeros((2, 2, 3)))


def test_bytes_and_single_precision_and_read_only_views():
    Xs = np.random.default_rng(0).integers(0, 256, size=(4, 3, 3, 3)).astype(np.uint8)
    np.testing.assert_array_equal(visualize_grid(Xs), visualize_grid(Xs.astype(float)))
    view = np.asfortranarray(draw().astype(np.float32))
    view.flags.writeable = False
    grid = visualize_grid(view)
    assert grid.dtype == np.float32
    np.testing.assert_array_equal(grid, visualize_grid(view.copy("C")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Xs": np.zeros((3, 4, 4))}, r"Xs of shape \(N, H, W, C\) with N, H, W, C >= 1, got \(3, 4, 4\)"),
        ({"Xs": np.zeros((0, 4, 4, 1))}, r"got \(0, 4, 4, 1\)"),
        ({"Xs": np.zeros((1, 4, 4, 1), complex)}, "Xs: expected real numbers, got dtype complex128"),
        ({"padding": -1}, "padding >= 0, got -1"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        visualize_grid(**({"Xs": draw()} | change))
