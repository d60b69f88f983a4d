import numpy as np
import pytest

from cs231n.optim import adagrad, adam, adamw, rmsprop

RULES = [adagrad, rmsprop, adam, adamw]
WITH_MOMENTS = [adam, adamw]
SHAPES = [(), (1,), (4,), (4, 5), (1, 3, 2)]


def draw(shape=(4, 5)):
    rng = np.random.default_rng(0)
    w, dw, m = (np.asarray(rng.normal(size=shape)) for _ in range(3))
    return w, dw, m, np.asarray(rng.uniform(0.1, 2, size=shape))


def state_of(rule, shape=(4, 5)):
    _, _, m, v = draw(shape)
    return {"m": m, "v": v, "t": 6} if rule in WITH_MOMENTS else {"cache": v}


def slope(w):
    """The gradient of a bowl, a thousand times steeper in some directions than in others."""
    return np.geomspace(0.01, 10, w.size).reshape(w.shape) * (w - 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_step_of_each_rule(shape):
    w, dw, m, v = draw(shape)
    next_w, config = adagrad(w, dw, {"learning_rate": 0.1, "epsilon": 0.5, "cache": v})
    np.testing.assert_allclose(config["cache"], v + dw**2, rtol=1e-12)
    np.testing.assert_allclose(next_w, w - 0.1 * dw / ((v + dw**2) ** 0.5 + 0.5), rtol=1e-12)

    next_w, config = rmsprop(w, dw, {"learning_rate": 0.1, "decay_rate": 0.75, "epsilon": 0.5, "cache": v})
    np.testing.assert_allclose(config["cache"], 0.75 * v + 0.25 * dw**2, rtol=1e-12)
    np.testing.assert_allclose(next_w, w - 0.1 * dw / (config["cache"] ** 0.5 + 0.5), rtol=1e-12)

    settings = {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 0.5, "m": m, "v": v, "t": 2}
    next_w, config = adam(w, dw, dict(settings))
    next_m, next_v = 0.8 * m + 0.2 * dw, 0.9 * v + 0.1 * dw**2
    np.testing.assert_allclose(config["m"], next_m, rtol=1e-12)
    np.testing.assert_allclose(config["v"], next_v, rtol=1e-12)
    assert config["t"] == 3
    step = 0.1 * next_m / (1 - 0.8**3) / ((next_v / (1 - 0.9**3)) ** 0.5 + 0.5)
    np.testing.assert_allclose(next_w, w - step, rtol=1e-12)
    decayed, _ = adamw(w, dw, settings | {"weight_decay": 0.3})
    np.testing.assert_allclose(decayed, w - step - 0.1 * 0.3 * w, rtol=1e-12)
    assert next_w.shape == config["m"].shape == config["v"].shape == shape


@pytest.mark.parametrize("rule", RULES)
def test_settings_that_are_missing_are_filled_in(rule):
    w, dw, _, _ = draw()
    next_w, config = rule(w, dw)
    expected = {
        adagrad: {"learning_rate": 1e-2, "epsilon": 1e-8},
        rmsprop: {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
        adam: {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 1},
        adamw: {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2, "t": 1},
    }[rule]
    assert {key: value for key, value in config.items() if key not in ("cache", "m", "v")} == expected
    np.testing.assert_array_equal(next_w, rule(w, dw, {})[0])


@pytest.mark.parametrize("rule", RULES)
def test_the_dictionary_keeps_the_state_and_no_array_is_changed(rule):
    w, dw, _, _ = draw()
    config = state_of(rule)
    before = dict(config)
    for array in (w, dw, *(value for value in config.values() if isinstance(value, np.ndarray))):
        array.flags.writeable = False
    next_w, returned = rule(w, dw, config)
    assert returned is config
    assert not np.shares_memory(next_w, w)
    for key, value in before.items():
        assert config[key] is not value or key == "learning_rate"


@pytest.mark.parametrize("rule", RULES)
def test_calls_without_a_dictionary_share_no_state(rule):
    w, dw, _, _ = draw()
    np.testing.assert_array_equal(rule(w, dw)[0], rule(w, dw)[0])


def test_the_first_step_of_adam_is_the_learning_rate():
    _, dw, _, _ = draw()
    next_w, _ = adam(np.zeros_like(dw), dw, {"learning_rate": 0.1})
    np.testing.assert_allclose(next_w, -0.1 * np.sign(dw), rtol=1e-6)


def test_the_averages_of_a_run_are_the_unrolled_sums():
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(7, 3))
    w, config = np.zeros(3), {"beta1": 0.75, "beta2": 0.5}
    for dw in gradients:
        w, config = adam(w, dw, config)
    ages = np.arange(7)[::-1, None]
    np.testing.assert_allclose(config["m"], 0.25 * (0.75**ages * gradients).sum(0), rtol=1e-12)
    np.testing.assert_allclose(config["v"], 0.5 * (0.5**ages * gradients**2).sum(0), rtol=1e-12)


def test_epsilon_before_the_correction_is_another_epsilon():
    """The short form of the paper, with epsilon times the root of the correction, makes the same run."""
    w = other = np.ones(4)
    m = v = np.zeros(4)
    config = {"epsilon": 0.1}
    for n in range(1, 30):
        w, config = adam(w, slope(w), config)
        dw = slope(other)
        m, v = 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw**2
        c1, c2 = 1 - 0.9**n, 1 - 0.999**n
        other = other - 1e-3 * c2**0.5 / c1 * m / (v**0.5 + 0.1 * c2**0.5)
        np.testing.assert_allclose(w, other, rtol=1e-12)


def test_a_decay_beside_the_step_does_not_enter_the_averages():
    w, dw, m, v = draw()
    plain, decayed = ({"m": m, "v": v, "t": 3} for _ in range(2))
    without, _ = adam(w, dw, plain)
    with_decay, _ = adamw(w, dw, decayed | {"weight_decay": 0.0})
    np.testing.assert_array_equal(without, with_decay)
    shrunk, config = adamw(w, dw, decayed | {"weight_decay": 0.5, "learning_rate": 0.1})
    np.testing.assert_array_equal(config["m"], plain["m"])
    step, _ = adam(w, dw, {"m": m, "v": v, "t": 3, "learning_rate": 0.1})
    np.testing.assert_allclose(shrunk, step - 0.05 * w, rtol=1e-12)


@pytest.mark.parametrize(("rule", "rate"), [(adagrad, 1.0), (rmsprop, 1e-3), (adam, 1e-2), (adamw, 1e-2)])
def test_each_rule_comes_near_the_bottom_of_an_uneven_bowl(rule, rate):
    w, config = draw()[0], {"learning_rate": rate} | ({"weight_decay": 0.0} if rule is adamw else {})
    for _ in range(4000):
        w, config = rule(w, slope(w), config)
    np.testing.assert_allclose(w, 1, atol=2e-3)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_whatever_the_type_of_the_settings(rule, dtype):
    w, dw, _, _ = (a.astype(dtype) for a in draw())
    config = {"learning_rate": np.float64(0.1), "epsilon": np.float64(1e-3)} | state_of(rule)
    next_w, config = rule(w, dw, config)
    assert next_w.dtype == dtype
    for key in ("cache", "m", "v"):
        assert key not in config or config[key].dtype == dtype


@pytest.mark.parametrize("rule", WITH_MOMENTS)
def test_no_digits_are_lost_in_float32(rule):
    """1 - 0.999 in float32 has five digits; taken in double precision first, the step has seven."""
    w, dw, _, _ = draw()
    small, _ = rule(np.zeros(w.shape, np.float32), dw.astype(np.float32), {"learning_rate": 1.0})
    large, _ = rule(np.zeros(w.shape), dw.astype(np.float32).astype(float), {"learning_rate": 1.0})
    np.testing.assert_allclose(small, large, rtol=5e-7)


@pytest.mark.parametrize("rule", RULES)
def test_a_parameter_without_gradient_stays(rule):
    w = draw()[0]
    config = {"weight_decay": 0.0} if rule is adamw else {}
    np.testing.assert_array_equal(rule(w, np.zeros_like(w), config)[0], w)


@pytest.mark.parametrize("rule", RULES)
def test_memory_layout_does_not_matter(rule):
    w, dw, _, _ = draw()
    views = np.asfortranarray(w), np.repeat(dw, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(rule(*views, state_of(rule))[0], rule(w, dw, state_of(rule))[0])


@pytest.mark.parametrize("rule", RULES)
def test_bad_input_is_named(rule):
    w, dw, _, _ = draw()
    with pytest.raises(ValueError, match=r"dw of shape \(4, 5\), got \(5, 4\)"):
        rule(w, dw.T)
    with pytest.raises(ValueError, match="w: expected real floating-point numbers, got dtype int64"):
        rule(w.astype(int), dw)
    with pytest.raises(ValueError, match="dw: expected real floating-point numbers, got dtype bool"):
        rule(w, dw > 0)
    with pytest.raises(ValueError, match=r"config: expected learning_rate.*, got \['lr'\]"):
        rule(w, dw, {"lr": 0.1})
    with pytest.raises(ValueError, match="positive in float16, got 1e-08"):
        rule(w.astype(np.float16), dw.astype(np.float16))
    with pytest.raises(ValueError, match="positive in float64, got 0"):
        rule(w, dw, {"epsilon": 0.0})
    key = "m" if rule in WITH_MOMENTS else "cache"
    with pytest.raises(ValueError, match=rf"config\['{key}'\] of shape \(4, 5\), got \(5,\)"):
        rule(w, dw, {key: np.zeros(5)})


@pytest.mark.parametrize("rule", WITH_MOMENTS)
@pytest.mark.parametrize("t", [-1, 1.0, True, "1"])
def test_a_count_of_steps_is_a_whole_number(rule, t):
    w, dw, _, _ = draw()
    with pytest.raises(ValueError, match=r"config\['t'\]: expected the number of steps made so far, got"):
        rule(w, dw, {"t": t})


@pytest.mark.torch
@pytest.mark.parametrize("rule", RULES)
def test_pytorch_makes_the_same_steps(rule):
    import torch

    w = draw()[0]
    theirs = torch.tensor(w, requires_grad=True)
    optimizer = {
        adagrad: lambda: torch.optim.Adagrad([theirs], lr=0.05, eps=1e-8),
        rmsprop: lambda: torch.optim.RMSprop([theirs], lr=0.05, alpha=0.9, eps=1e-8),
        adam: lambda: torch.optim.Adam([theirs], lr=0.05, betas=(0.8, 0.95), eps=1e-8),
        adamw: lambda: torch.optim.AdamW([theirs], lr=0.05, betas=(0.8, 0.95), eps=1e-8, weight_decay=0.1),
    }[rule]()
    config = {"learning_rate": 0.05}
    config |= {rmsprop: {"decay_rate": 0.9}, adam: {"beta1": 0.8, "beta2": 0.95}}.get(rule, {})
    config |= {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1} if rule is adamw else {}
    for _ in range(20):
        theirs.grad = torch.tensor(slope(theirs.detach().numpy()))
        optimizer.step()
        w, config = rule(w, slope(w), config)
        np.testing.assert_allclose(w, theirs.detach().numpy(), rtol=1e-9)
