import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.rotary import rotary_angles, rotary_backward, rotary_forward

T, D = 5, 6
LAYOUTS = ("interleaved", "half")


def draw(seed=0, front=(), t=T, d=D):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(*front, t, d)), rng.normal(size=(t, d // 2)), rng.normal(size=(*front, t, d))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("front", "t", "d"), [((), T, D), ((2, 3), 4, 2), ((1,), 1, 10)])
def test_gradient_agrees_with_differences(layout, front, t, d):
    x, angles, dout = draw(front=front, t=t, d=d)
    gradient = rotary_backward(dout, rotary_forward(x, angles, layout)[1])
    numeric = eval_numerical_gradient_array(lambda x: rotary_forward(x, angles, layout)[0], x, dout)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_pair_is_turned_by_its_own_angle(layout):
    x, angles, _ = draw()
    out, _ = rotary_forward(x, angles, layout)
    for m in range(D // 2):
        one, two = (2 * m, 2 * m + 1) if layout == "interleaved" else (m, D // 2 + m)
        turned = (x[:, one] + 1j * x[:, two]) * np.exp(1j * angles[:, m])
        np.testing.assert_allclose(out[:, one], turned.real)
        np.testing.assert_allclose(out[:, two], turned.imag)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_backward_is_the_inverse(layout):
    x, angles, _ = draw(front=(2,))
    out, cache = rotary_forward(x, angles, layout)
    np.testing.assert_allclose(rotary_backward(out, cache), x)


def test_the_layouts_are_a_permutation_apart_and_not_the_same():
    x, angles, dout = draw()
    order = np.r_[0:D:2, 1:D:2]
    out, cache = rotary_forward(x, angles)
    half, half_cache = rotary_forward(x[:, order], angles, "half")
    np.testing.assert_array_equal(half, out[:, order])
    np.testing.assert_array_equal(rotary_backward(dout[:, order], half_cache), rotary_backward(dout, cache)[:, order])
    assert not np.allclose(rotary_forward(x, angles, "half")[0], out)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_depend_on_the_distance_only(layout):
    x, _, y = draw(t=1)
    scores = []
    for start in (0, 3, 4000):
        angles = rotary_angles(np.array([start + 9, start + 2]), D)
        scores.append(rotary_forward(x, angles[:1], layout)[0] @ rotary_forward(y, angles[1:], layout)[0].T)
    np.testing.assert_allclose(scores[1:], scores[0] * np.ones((2, 1, 1)), rtol=1e-9)


def test_angles_are_position_times_rate_and_the_sum_of_two_is_that_of_the_sum():
    angles = rotary_angles(np.arange(8), D, base=100.0)
    for t in range(8):
        for m in range(D // 2):
            assert np.isclose(angles[t, m], t * 100.0 ** (-2 * m / D))
    x, _, _ = draw(t=1)
    twice, _ = rotary_forward(rotary_forward(x, angles[2:3])[0], angles[5:6])
    np.testing.assert_allclose(twice, rotary_forward(x, angles[7:8])[0])  # the addition theorem


def test_a_token_behind_a_cache_of_others_takes_its_own_position():
    x, _, _ = draw()
    whole, _ = rotary_forward(x, rotary_angles(np.arange(T), D))
    last, _ = rotary_forward(x[-1:], rotary_angles(np.array([T - 1]), D))
    np.testing.assert_array_equal(last, whole[-1:])


def test_angles_of_their_own_for_each_example():
    x, _, dout = draw(front=(2, 3))
    angles = np.random.default_rng(4).normal(size=(2, 1, T, D // 2))
    out, cache = rotary_forward(x, angles)
    dx = rotary_backward(dout, cache)
    for n in range(2):
        expected, one = rotary_forward(x[n], angles[n, 0])
        np.testing.assert_array_equal(out[n], expected)
        np.testing.assert_array_equal(dx[n], rotary_backward(dout[n], one))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_and_far_positions_keep_their_digits(dtype):
    x, _, dout = (a.astype(dtype) for a in draw())
    angles = rotary_angles(np.arange(T) + 100_000, D)  # in half precision these positions would be one
    out, cache = rotary_forward(x, angles)
    assert {out.dtype, rotary_backward(dout, cache).dtype} == {np.dtype(dtype)}
    exact, _ = rotary_forward(x.astype(float), angles)
    np.testing.assert_allclose(out, exact, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_does_not_matter_and_nothing_is_changed(layout):
    x, angles, dout = draw(front=(2, 3))
    out, cache = rotary_forward(x, angles, layout)
    views = [np.asfortranarray(a) for a in (x, angles, dout)]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(rotary_forward(views[0], views[1], layout)[0], out)
    np.testing.assert_array_equal(rotary_backward(views[2], cache), rotary_backward(dout, cache))


@pytest.mark.parametrize(
    ("x", "angles", "layout", "message"),
    [
        (np.zeros((T, 5)), np.zeros((T, 2)), "half", r"x of shape \(\.\.\., T, D\) with D even, got \(5, 5\)"),
        (np.zeros(D), np.zeros(3), "half", r"got \(6,\)"),
        (np.zeros((T, D), int), np.zeros((T, 3)), "half", "x: expected real floating-point numbers, got dtype int64"),
        (np.zeros((T, D)), np.zeros((T, D)), "half", r"angles that broadcast to \(5, 3\), got \(5, 6\)"),
        (np.zeros((T, D)), np.zeros((4, 3)), "half", r"angles that broadcast to \(5, 3\), got \(4, 3\)"),
        (np.zeros((T, D)), np.zeros((2, T, 3)), "half", r"broadcast to \(5, 3\), got \(2, 5, 3\)"),
        (np.zeros((T, D)), np.zeros((T, 3)), "neox", "layout: expected interleaved or half, got 'neox'"),
    ],
)
def test_bad_input_is_named(x, angles, layout, message):
    with pytest.raises(ValueError, match=message):
        rotary_forward(x, angles, layout)


def test_bad_positions_and_gradients_are_named():
    with pytest.raises(ValueError, match="features: expected an even number, got 5"):
        rotary_angles(np.arange(3), 5)
    with pytest.raises(ValueError, match=r"positions of shape \(T,\), got \(1, 3\)"):
        rotary_angles(np.zeros((1, 3)), 4)
    x, angles, dout = draw()
    _, cache = rotary_forward(x, angles)
    with pytest.raises(ValueError, match=r"dout of shape \(\.\.\., T, 6\).*got \(6, 5\)"):
        rotary_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        rotary_backward(dout.astype(int), cache)
