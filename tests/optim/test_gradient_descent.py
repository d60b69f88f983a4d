import numpy as np
import pytest

from cs231n.optim import sgd, sgd_momentum, sgd_nesterov

RULES = [sgd, sgd_momentum, sgd_nesterov]
WITH_VELOCITY = [sgd_momentum, sgd_nesterov]
SHAPES = [(), (1,), (4,), (4, 5), (1, 3, 2)]


def draw(shape=(4, 5)):
    rng = np.random.default_rng(0)
    return tuple(np.asarray(rng.normal(size=shape)) for _ in range(3))


def slope(w):
    """The gradient of a bowl, steeper in some directions than in others."""
    return np.linspace(0.5, 5, w.size).reshape(w.shape) * (w - 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_step_of_each_rule(shape):
    w, dw, v = draw(shape)
    next_v = 0.8 * v - 0.1 * dw
    np.testing.assert_allclose(sgd(w, dw, {"learning_rate": 0.1})[0], w - 0.1 * dw, rtol=1e-12)
    for rule, expected in ((sgd_momentum, w + next_v), (sgd_nesterov, w - 0.8 * v + 1.8 * next_v)):
        next_w, config = rule(w, dw, {"learning_rate": 0.1, "momentum": 0.8, "velocity": v})
        np.testing.assert_allclose(next_w, expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(config["velocity"], next_v, rtol=1e-12)
        assert next_w.shape == config["velocity"].shape == shape


@pytest.mark.parametrize("rule", RULES)
def test_settings_that_are_missing_are_filled_in(rule):
    w, dw, _ = draw()
    next_w, config = rule(w, dw)
    assert config["learning_rate"] == 0.01
    if rule in WITH_VELOCITY:
        assert config["momentum"] == 0.9
        np.testing.assert_allclose(config["velocity"], -0.01 * dw)
    expected, _ = rule(w, dw, {"learning_rate": 0.01})
    np.testing.assert_array_equal(next_w, expected)


@pytest.mark.parametrize("rule", WITH_VELOCITY)
def test_the_dictionary_keeps_the_state_and_no_array_is_changed(rule):
    # notebooks of the course read the new velocity from the dictionary they handed in
    w, dw, v = draw()
    for array in (w, dw, v):
        array.flags.writeable = False
    config = {"learning_rate": 0.1, "velocity": v}
    next_w, returned = rule(w, dw, config)
    assert returned is config
    assert config["velocity"] is not v
    assert not np.shares_memory(next_w, w)
    assert not np.shares_memory(next_w, config["velocity"])


def test_calls_without_a_dictionary_share_no_state():
    w, dw, _ = draw()
    first = sgd_momentum(w, dw)[1]["velocity"]
    np.testing.assert_array_equal(sgd_momentum(w, dw)[1]["velocity"], first)


def test_nesterov_is_the_look_ahead_form_seen_from_the_look_ahead_point():
    w, _, _ = draw()
    position, velocity = w, np.zeros_like(w)
    look, config = w, {"learning_rate": 0.05, "momentum": 0.9}
    for _ in range(30):
        ahead = position + 0.9 * velocity
        np.testing.assert_allclose(look, ahead, rtol=1e-9, atol=1e-12)
        velocity = 0.9 * velocity - 0.05 * slope(ahead)
        position = position + velocity
        look, config = sgd_nesterov(look, slope(look), config)
    np.testing.assert_allclose(look - 0.9 * config["velocity"], position, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", WITH_VELOCITY)
def test_no_momentum_is_plain_descent(rule):
    w, dw, v = draw()
    next_w, _ = rule(w, dw, {"learning_rate": 0.1, "momentum": 0.0, "velocity": v})
    np.testing.assert_allclose(next_w, sgd(w, dw, {"learning_rate": 0.1})[0], rtol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_the_bottom_of_a_bowl(rule):
    w, config = draw()[0], {"learning_rate": 0.1}
    for _ in range(400):
        w, config = rule(w, slope(w), config)
    np.testing.assert_allclose(w, 1, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_whatever_the_type_of_the_settings(rule, dtype):
    w, dw, v = (a.astype(dtype) for a in draw())
    config = {"learning_rate": np.float64(0.1)}
    if rule in WITH_VELOCITY:
        config |= {"momentum": np.float64(0.9), "velocity": v.astype(np.float64)}
    next_w, config = rule(w, dw, config)
    assert next_w.dtype == dtype
    assert rule is sgd or config["velocity"].dtype == dtype


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_numbers(rule, dtype):
    w, dw = np.array([1e4, -1e4], dtype), np.array([-1e4, 1e4], dtype)
    next_w, _ = rule(w, dw, {"learning_rate": 0.5})
    np.testing.assert_allclose(next_w, (w + 5e3 * np.sign(w)) if rule is not sgd_nesterov else w + 9.5e3 * np.sign(w))


@pytest.mark.parametrize("rule", RULES)
def test_memory_layout_does_not_matter(rule):
    w, dw, v = draw()
    views = np.asfortranarray(w), np.repeat(dw, 2, axis=1)[:, ::2]
    state = {} if rule is sgd else {"velocity": np.ascontiguousarray(v.T).T}
    plain = {} if rule is sgd else {"velocity": v}
    np.testing.assert_array_equal(rule(*views, state)[0], rule(w, dw, plain)[0])


@pytest.mark.parametrize("rule", RULES)
def test_bad_input_is_named(rule):
    w, dw, _ = draw()
    with pytest.raises(ValueError, match=r"dw of shape \(4, 5\), got \(5, 4\)"):
        rule(w, dw.T)
    with pytest.raises(ValueError, match="w: expected real floating-point numbers, got dtype int64"):
        rule(w.astype(int), dw)
    with pytest.raises(ValueError, match="dw: expected real floating-point numbers, got dtype bool"):
        rule(w, dw > 0)
    with pytest.raises(ValueError, match=r"config: expected learning_rate.*, got \['lr'\]"):
        rule(w, dw, {"lr": 0.1})


@pytest.mark.parametrize("rule", WITH_VELOCITY)
def test_the_velocity_of_another_parameter_is_refused(rule):
    w, dw, _ = draw()
    with pytest.raises(ValueError, match=r"config\['velocity'\] of shape \(4, 5\), got \(5,\)"):
        rule(w, dw, {"velocity": np.zeros(5)})


@pytest.mark.torch
@pytest.mark.parametrize("nesterov", [False, True])
def test_pytorch_makes_the_same_steps_while_the_learning_rate_is_constant(nesterov):
    import torch

    w, _, _ = draw()
    theirs = torch.tensor(w, requires_grad=True)
    optimizer = torch.optim.SGD([theirs], lr=0.05, momentum=0.9, nesterov=nesterov)
    config = {"learning_rate": 0.05, "momentum": 0.9}
    for _ in range(10):
        theirs.grad = torch.tensor(slope(theirs.detach().numpy()))
        optimizer.step()
        w, config = (sgd_nesterov if nesterov else sgd_momentum)(w, slope(w), config)
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-9)
