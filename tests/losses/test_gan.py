import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.binary_cross_entropy import bce_with_logits_loss
from cs231n.losses.gan import (
    gan_discriminator_loss,
    gan_generator_loss,
    gan_minimax_generator_loss,
    ls_discriminator_loss,
    ls_generator_loss,
)

ONE = [gan_generator_loss, gan_minimax_generator_loss, ls_generator_loss]
TWO = [gan_discriminator_loss, ls_discriminator_loss]


def draw(real=(5,), fake=(3,)):
    rng = np.random.default_rng(0)
    return np.asarray(2 * rng.normal(size=real)), np.asarray(2 * rng.normal(size=fake))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(("real", "fake"), [((5,), (3,)), ((4, 1), (2, 3)), ((), (1,)), ((1,), ())])
def test_the_textbook_formulas(real, fake):
    r, f = draw(real, fake)
    R, F = sigmoid(r), sigmoid(f)
    for value, expected in (
        (gan_discriminator_loss(r, f), -np.log(R).mean() - np.log(1 - F).mean()),
        (gan_generator_loss(f), -np.log(F).mean()),
        (gan_minimax_generator_loss(f), np.log(1 - F).mean()),
        (ls_discriminator_loss(r, f), ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2),
        (ls_generator_loss(f), ((f - 1) ** 2).mean() / 2),
    ):
        np.testing.assert_allclose(value[0], expected, rtol=1e-12)
        assert [np.shape(gradient) for gradient in value[1:]] == [real, fake][-len(value) + 1 :]


@pytest.mark.parametrize("loss", TWO)
def test_gradients_of_the_discriminator_agree_with_differences(loss):
    r, f = draw((4, 2), (3,))
    _, dr, df = loss(r, f)
    numeric = eval_numerical_gradient(lambda r: loss(r, f)[0], r, verbose=False)
    np.testing.assert_allclose(dr, numeric, rtol=1e-6, atol=1e-10)
    numeric = eval_numerical_gradient(lambda f: loss(r, f)[0], f, verbose=False)
    np.testing.assert_allclose(df, numeric, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("loss", ONE)
def test_gradients_of_the_generator_agree_with_differences(loss):
    _, f = draw((1,), (3, 2))
    numeric = eval_numerical_gradient(lambda f: loss(f)[0], f, verbose=False)
    np.testing.assert_allclose(loss(f)[1], numeric, rtol=1e-6, atol=1e-10)


def test_it_is_binary_cross_entropy_with_the_right_labels():
    r, f = draw()
    real, dr = bce_with_logits_loss(r, np.ones(5))
    fake, df = bce_with_logits_loss(f, np.zeros(3))
    loss, ours_dr, ours_df = gan_discriminator_loss(r, f)
    np.testing.assert_allclose(loss, real + fake, rtol=1e-13)
    np.testing.assert_allclose(ours_dr, dr, rtol=1e-12)
    np.testing.assert_allclose(ours_df, df, rtol=1e-12)
    np.testing.assert_allclose(gan_generator_loss(f)[0], bce_with_logits_loss(f, np.ones(3))[0], rtol=1e-13)


def test_the_minimax_game_has_sum_zero():
    r, f = draw()
    np.testing.assert_array_equal(gan_minimax_generator_loss(f)[1], -gan_discriminator_loss(r, f)[2])


def test_the_minimax_gradient_vanishes_where_the_other_does_not():
    f = np.array([-30.0, -40.0])
    np.testing.assert_allclose(gan_minimax_generator_loss(f)[1], 0, atol=1e-12)
    np.testing.assert_allclose(gan_generator_loss(f)[1], -0.5, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_overflow_nowhere(dtype):
    scores = np.array([1e4, -1e4], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, dr, df = gan_discriminator_loss(scores, scores)
        up = gan_generator_loss(scores)
        weak = gan_minimax_generator_loss(scores)
    np.testing.assert_allclose([loss, up[0], weak[0]], [1e4, 5e3, -5e3])
    np.testing.assert_allclose([dr, df, up[1], weak[1]], [[0, -0.5], [0.5, 0], [0, -0.5], [-0.5, 0]])
    assert {x.dtype for x in (loss, dr, df, *up, *weak)} == {np.dtype(dtype)}


def test_least_squares_keeps_the_dtype():
    r, f = (a.astype(np.float32) for a in draw())
    assert {np.asarray(x).dtype for x in (*ls_discriminator_loss(r, f), *ls_generator_loss(f))} == {np.dtype("float32")}


def test_a_believed_fake_keeps_the_digits_of_its_gradient():
    # F − 1 would be 0 in float32
    _, up = gan_generator_loss(np.array([20.0], np.float32))
    np.testing.assert_allclose(up, -np.exp(-20.0), rtol=1e-6)


@pytest.mark.parametrize("loss", [*ONE, *TWO])
def test_memory_layout_does_not_matter_and_nothing_is_changed(loss):
    plain = draw((4, 2), (3, 5))[-1 if loss in ONE else 0 :]
    views = [np.repeat(np.asfortranarray(a), 2, axis=0)[::2] for a in plain]
    for view in views:
        view.flags.writeable = False
    for a, b in zip(loss(*views), loss(*plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("loss", TWO)
@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros(3, int), np.zeros(3), "_real: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3), np.zeros(3, bool), "_fake: expected real floating-point numbers, got dtype bool"),
        (np.zeros((2, 0)), np.zeros(3), r"_real with at least one entry, got shape \(2, 0\)"),
        (np.zeros(3), np.zeros(0), r"_fake with at least one entry, got shape \(0,\)"),
    ],
)
def test_bad_scores_are_named(loss, real, fake, message):
    with pytest.raises(ValueError, match=message):
        loss(real, fake)


@pytest.mark.parametrize("loss", ONE)
def test_bad_scores_of_the_generator_are_named(loss):
    with pytest.raises(ValueError, match=r"_fake with at least one entry, got shape \(0,\)"):
        loss(np.zeros(0))
    with pytest.raises(ValueError, match="_fake: expected real floating-point numbers, got dtype int64"):
        loss(np.zeros(2, int))
