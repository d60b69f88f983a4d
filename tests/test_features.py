import colorsys

import numpy as np
import pytest

from cs231n.features import color_histogram_hsv, extract_features, hog_feature, rgb2gray


def image(seed=0, shape=(24, 40, 3)):
    return np.random.default_rng(seed).uniform(0, 255, size=shape)


def slope(degrees, size=8):
    """A plane whose gradient has this direction: to the right at 0, downwards at 90."""
    y, x = np.mgrid[:size, :size].astype(float)
    return np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y


# ------------------------------------------------------------------------------------------------ gradients


def test_hog_against_a_loop_over_pixels():
    im = image(shape=(19, 26))
    expected = np.zeros((19 // 8, 26 // 8, 9))
    for i in range(16):
        for j in range(24):
            gx, gy = im[i, j + 1] - im[i, j], im[i + 1, j] - im[i, j]
            angle = (np.degrees(np.arctan2(gy, gx)) + 90) % 180
            expected[i // 8, j // 8, int(angle // 20)] += np.hypot(gx, gy) / 64
    np.testing.assert_allclose(hog_feature(im), expected.ravel())


@pytest.mark.parametrize("degrees", [3, 25, 47, 88, 112, 133, 178])
def test_opposite_gradients_count_alike(degrees):
    # the course's file drops every gradient that points to the left
    right, left = hog_feature(slope(degrees)), hog_feature(slope(degrees + 180))
    assert right.sum() > 0.5
    np.testing.assert_allclose(left, right, atol=1e-12)
    assert right.argmax() == (degrees + 90) % 180 // 20


@pytest.mark.parametrize("shape", [(8, 16), (32, 8), (20, 44), (9, 31)])
def test_images_need_not_be_square(shape):
    feature = hog_feature(image(shape=shape))
    assert feature.shape == (shape[0] // 8 * (shape[1] // 8) * 9,)
    assert feature.sum() > 0


def test_cells_run_along_the_rows():
    im = np.zeros((16, 32))
    im[8:, 24:] = image(shape=(8, 8))  # an edge only in the last of 2 × 4 cells, and on its border
    cells = hog_feature(im).reshape(2, 4, 9).sum(axis=2)
    assert cells[1, 3] == cells.max()
    np.testing.assert_array_equal(cells[:, :2], 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (5, 3), (7, 16)])
def test_small_images_are_one_cell_high_or_wide(shape):
    feature = hog_feature(image(shape=shape))
    assert feature.shape == (max(shape[0] // 8, 1) * max(shape[1] // 8, 1) * 9,)
    assert np.isfinite(feature).all()


def test_cifar_images_give_144_numbers_and_flat_ones_nothing():
    assert hog_feature(image(shape=(32, 32, 3))).shape == (144,)
    np.testing.assert_array_equal(hog_feature(np.full((32, 32, 3), 77)), np.zeros(144))


def test_grey_images_in_any_form():
    # the course's file calls a NumPy function that does not exist
    gray = image(shape=(16, 24))
    same = hog_feature(gray)
    np.testing.assert_allclose(hog_feature(gray[..., None]), same)
    np.testing.assert_allclose(hog_feature(np.repeat(gray[..., None], 3, axis=2)), same)
    np.testing.assert_allclose(hog_feature(np.dstack([gray, gray, gray, image(1, gray.shape)])), same)


def test_bytes_do_not_wrap_around():
    im = np.array([[200, 10], [10, 200]], np.uint8)
    np.testing.assert_allclose(hog_feature(im), hog_feature(im.astype(float)))
    assert hog_feature(im).sum() > 100


# --------------------------------------------------------------------------------------------------- colour


def test_white_stays_white():
    # the course's weights sum to 1.03
    np.testing.assert_allclose(rgb2gray(np.full((4, 5, 3), 255)), 255)
    np.testing.assert_allclose(rgb2gray(np.eye(3)), [0.299, 0.587, 0.114])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hues_against_the_standard_library(dtype):
    im = image(3).astype(dtype)
    hues = [colorsys.rgb_to_hsv(*map(float, pixel))[0] * 255 for pixel in im.reshape(-1, 3)]
    expected = np.histogram(hues, bins=7, range=(0, 255))[0]
    np.testing.assert_array_equal(color_histogram_hsv(im, nbin=7, normalized=False), expected)
    np.testing.assert_allclose(color_histogram_hsv(im, nbin=7), expected / expected.sum())


def test_ties_and_the_end_of_the_circle():
    yellow, magenta, almost_red = [9, 9, 0], [9, 0, 9], [1, 0, 1e-18]
    pixels = np.array([[yellow, magenta, almost_red, [5, 5, 5]]])
    np.testing.assert_array_equal(color_histogram_hsv(pixels, nbin=6, normalized=False), [2, 1, 0, 0, 0, 1])


def test_grey_has_the_hue_of_red_and_the_scale_does_not_matter():
    for gray in (image(shape=(5, 6)), image(shape=(5, 6, 1))):
        np.testing.assert_array_equal(color_histogram_hsv(gray, nbin=4), [1, 0, 0, 0])
    np.testing.assert_allclose(color_histogram_hsv(image() / 255), color_histogram_hsv(image()))
    im = image().astype(np.uint8)  # differences of bytes do not wrap around
    np.testing.assert_allclose(color_histogram_hsv(im), color_histogram_hsv(im.astype(float)))


# ------------------------------------------------------------------------------------------------- together


def test_the_features_of_the_notebook():
    images = np.stack([image(n, (32, 32, 3)) for n in range(5)]).astype(np.uint8)
    features = extract_features(images, [hog_feature, lambda im: color_histogram_hsv(im, nbin=10)])
    assert features.shape == (5, 154)
    np.testing.assert_array_equal(features[3, :144], hog_feature(images[3]))
    np.testing.assert_array_equal(features[3, 144:], color_histogram_hsv(images[3], nbin=10))


def test_a_feature_is_computed_once_for_each_image_and_progress_goes_to_standard_error(capsys):
    calls = []
    images = np.arange(2500.0)[:, None, None]
    extract_features(images, [lambda im: (calls.append(im[0, 0]), im[0])[1]], verbose=True)
    assert calls == list(range(2500))
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == [f"features of {n} of 2500 images" for n in (1000, 2000)]


def test_single_precision_stays_and_nothing_is_changed():
    im = np.asfortranarray(image().astype(np.float32))
    im.flags.writeable = False
    assert hog_feature(im).dtype == rgb2gray(im).dtype == np.float32
    assert extract_features(im[None], [hog_feature]).dtype == np.float32
    np.testing.assert_allclose(hog_feature(im[::-1][::-1]), hog_feature(im.copy()), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hog_feature(np.zeros(3)), r"an image of shape \(H, W\), .*, got \(3,\)"),
        (lambda: hog_feature(np.zeros((3, 3, 2))), r"an image of shape .*, got \(3, 3, 2\)"),
        (lambda: hog_feature(np.zeros((0, 3))), r"an image of shape .*, got \(0, 3\)"),
        (lambda: hog_feature(np.zeros((3, 3), complex)), "im: expected real numbers, got dtype complex128"),
        (lambda: rgb2gray(np.zeros((3, 2))), r"rgb of shape \(..., 3\) or \(..., 4\), got \(3, 2\)"),
        (lambda: color_histogram_hsv(image(), nbin=0), "nbin >= 1, got 0"),
        (lambda: color_histogram_hsv(image(), xmin=5, xmax=5), "0 <= xmin < xmax, got xmin = 5 and xmax = 5"),
        (lambda: extract_features(np.zeros((0, 4, 4)), [hog_feature]), r"at least one image, got \(0, 4, 4\)"),
        (lambda: extract_features(image()[None], []), "at least one feature function, got none"),
        (
            lambda: extract_features(image()[None], [rgb2gray]),
            r"function 0: expected a 1-d array, got shape \(24, 40\)",
        ),
        (
            lambda: extract_features(np.array([[[1.0]], [[2.0]]]), [lambda im: np.zeros(int(im[0, 0]))]),
            r"image 1: expected \[1\] features, as many as image 0 has, got \[2\]",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
