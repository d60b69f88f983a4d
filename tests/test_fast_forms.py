"""The fast forms of norms, losses, ReLU, dropout and update rules give what the plain ones give."""

import tracemalloc

import numpy as np
import pytest

from cs231n import fast_layers, layers, losses, optim
from cs231n.fast_layers import _blocks

EPSILON = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}


@pytest.fixture
def small_blocks(monkeypatch):
    """So that small arrays are several blocks, with a rest."""
    monkeypatch.setattr(_blocks, "BYTES", 64)


def mixed(rng, *shape):
    """Numbers with another mean and another spread in each column."""
    return rng.normal(size=shape) * (1 + rng.random(shape[1:])) + 5 * rng.normal(size=shape[1:])


#: name → shapes of x and of the parameters, the settings after them, and the reference backward
NORMS = {
    "batchnorm": [((11, 5), (5,)), ((2, 40), (40,)), ((1, 30), (30,)), ((40, 1), (1,))],
    "layernorm": [((11, 5), (5,)), ((3, 4, 5), (5,)), ((1, 30), (30,)), ((40, 1), (1,)), ((35,), (35,))],
    "spatial_batchnorm": [((5, 3, 4, 2), (3,)), ((1, 2, 5, 6), (2,)), ((9, 7, 1, 1), (7,)), ((40, 1, 1, 1), (1,))],
    "spatial_groupnorm": [((5, 6, 4, 2), (1, 6, 1, 1)), ((2, 4, 5, 3), (4,)), ((40, 2, 1, 1), (2,))],
}
CASES = [pytest.param(name, *shapes, id=f"{name} {shapes[0]}") for name in NORMS for shapes in NORMS[name]]


def settings(name):
    """What stands after x, gamma and beta, new at each call."""
    if name == "spatial_groupnorm":
        return 2, {"eps": 1e-3}
    return ({"mode": "train", "eps": 1e-3} if "batch" in name else {"eps": 1e-3},)


def plain(name):
    backward = "batchnorm_backward_alt" if name == "batchnorm" else f"{name}_backward"
    return getattr(layers, f"{name}_forward"), getattr(layers, backward)


def fast(name):
    return getattr(fast_layers, f"{name}_forward_fast"), getattr(fast_layers, f"{name}_backward_fast")


def both(name, x, gamma, beta, dout):
    """Results of the plain and of the fast form."""
    results = []
    for forward, backward in (plain(name), fast(name)):
        given = settings(name)
        out, cache = forward(x, gamma, beta, *given)
        results.append([out, *backward(dout, cache)])
        results[-1] += [given[0][key] for key in ("running_mean", "running_var") if "batch" in name]
    return results


def close(got, wanted, tolerance):
    """Shapes and types are equal, and no entry is off by more than that part of the largest."""
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert abs(a - b).max(initial=0) <= tolerance * max(1, abs(b).max(initial=0))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "shape", "parameters"), CASES)
def test_a_norm_is_the_plain_one(name, shape, parameters, dtype, rng):
    x, dout = mixed(rng, *shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    gamma, beta = (rng.normal(size=parameters).astype(dtype) for _ in range(2))
    wanted, got = both(name, x, gamma, beta, dout)
    assert type(fast(name)[0](x, gamma, beta, *settings(name))[1]).__name__ == "NormFastCache"
    close(got, wanted, 400 * EPSILON[dtype])


@pytest.mark.parametrize("order", ["as they come", "sorted"])
@pytest.mark.parametrize("name", NORMS)
def test_a_norm_far_from_zero_keeps_its_digits(name, order, rng, monkeypatch):
    """Mean 1e4 and spread 1 in float32; sorted, each block has another mean; one column is constant."""
    monkeypatch.setattr(_blocks, "BYTES", 1 << 12)
    shape, parameters = {"batchnorm": ((600, 6), (6,)), "layernorm": ((40, 300), (300,))}.get(
        name, ((16, 6, 9, 7), (6,))
    )
    x = 1e4 + rng.normal(size=shape)
    if order == "sorted":
        x.sort(axis=0)
    if "batch" in name:
        x[:, 1] = 10000.123
    x, dout = x.astype(np.float32), rng.normal(size=shape).astype(np.float32)
    gamma, beta = (rng.normal(size=parameters).astype(np.float32) for _ in range(2))
    single, got = both(name, x, gamma, beta, dout)
    exact, _ = both(name, *(a.astype(float) for a in (x, gamma, beta, dout)))
    for theirs, ours, wanted in zip(single, got, exact, strict=True):
        assert ours.dtype == np.float32
        size = max(1, abs(wanted).max())
        assert abs(ours - wanted).max() <= 3 * abs(theirs - wanted).max() + 4 * EPSILON[np.float32] * size


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", NORMS)
def test_memory_layout_does_not_matter_and_nothing_is_changed(name, rng):
    shape, parameters = NORMS[name][0]
    x, dout, gamma, beta = mixed(rng, *shape), rng.normal(size=shape), *rng.normal(size=(2, *parameters))
    plainly = both(name, x, gamma, beta, dout)[0]
    views = [np.ascontiguousarray(x.T).T, np.stack([gamma, gamma], axis=-1)[..., 0], beta, dout[::-1].copy()[::-1]]
    for view in views:
        view.flags.writeable = False
    close(both(name, *views[:3], views[3])[1], plainly, 1e-13)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", NORMS)
def test_what_is_not_ordinary_goes_to_the_plain_norm(name, rng):
    shape, parameters = NORMS[name][0]
    x, dout, gamma, beta = mixed(rng, *shape), rng.normal(size=shape), *rng.normal(size=(2, *parameters))
    forward, backward = fast(name)
    half = x.astype(np.float16)
    out, cache = forward(half, gamma.astype(np.float16), beta.astype(np.float16), *settings(name))
    assert out.dtype == np.float16 and type(cache).__name__ != "NormFastCache"
    assert backward(dout.astype(np.float16), cache)[0].dtype == np.float16
    with pytest.raises(ValueError, match="gamma"):
        forward(x, gamma[..., :0], beta, *settings(name))
    with pytest.raises(ValueError, match="epsilon"):
        forward(x, gamma, beta, *settings(name)[:-1], {**settings(name)[-1], "epsilon": 1e-3})
    _, cache = forward(x, gamma, beta, *settings(name))
    with pytest.raises(ValueError, match="dout of shape"):
        backward(dout[1:], cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        backward(dout.astype(int), cache)
    wanted = backward(dout, cache)
    close([a.astype(float) for a in backward(dout.astype(np.longdouble), cache)], wanted, 1e-10)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["batchnorm", "spatial_batchnorm"])
def test_batch_norm_keeps_its_averages_and_its_test_mode(name, rng):
    shape, parameters = NORMS[name][0]
    x, gamma, beta = mixed(rng, *shape), *rng.normal(size=(2, *parameters))
    before = rng.normal(size=parameters)
    params = [{"mode": "train", "momentum": 0.7, "running_mean": before} for _ in range(2)]
    for param, forward in zip(params, (plain(name)[0], fast(name)[0]), strict=True):
        forward(x, gamma, beta, param)
        assert param["running_mean"] is not before
    for key in ("running_mean", "running_var"):
        np.testing.assert_allclose(params[1][key], params[0][key], rtol=1e-12)
    tests = [forward(x, gamma, beta, {**params[0], "mode": "test"})[0] for forward in (plain(name)[0], fast(name)[0])]
    np.testing.assert_array_equal(*tests)


# --------------------------------------------------------------------------------------------- ReLU and dropout


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_relu_gives_the_same_bits_infinities_and_nan_included(dtype):
    special = np.array([-np.inf, -1.5, -0.0, 0.0, 1e-8, 2.0, np.inf, np.nan, -np.nan], dtype)
    x, dout = (np.ascontiguousarray(a) for a in np.meshgrid(special, special))
    out, cache = layers.relu_forward(x)
    again, fast_cache = fast_layers.relu_forward_fast(x)
    np.testing.assert_array_equal(again, out)
    wanted, got = layers.relu_backward(dout, cache), fast_layers.relu_backward_fast(dout, fast_cache)
    assert again.dtype == got.dtype == dtype
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))
    for array in (x, dout):
        array.flags.writeable = False
    turned, cache = fast_layers.relu_forward_fast(x.T)
    np.testing.assert_array_equal(turned, out.T)
    np.testing.assert_array_equal(fast_layers.relu_backward_fast(dout.T, cache), wanted.T)


def test_relu_of_no_and_of_one_number_and_bad_input():
    cache = layers.relu_forward(np.array(2.5))[1]
    assert fast_layers.relu_backward_fast(np.array(-0.5), cache) == -0.5
    cache = layers.relu_forward(np.empty((0, 3)))[1]
    assert fast_layers.relu_backward_fast(np.empty((0, 3)), cache).shape == (0, 3)
    with pytest.raises(ValueError, match=r"dout of shape \(0, 3\), got \(3,\)"):
        fast_layers.relu_backward_fast(np.array([0.5, 1.0, 2.0]), cache)
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        fast_layers.relu_forward_fast(np.arange(3))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("generator", ["PCG64", "PCG64DXSM", "SFC64", "Philox", "MT19937"])
@pytest.mark.parametrize("p", [0.3, 0.5, 1 - 2**-25, 1.0, 1e-9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_draws_the_same_mask_and_leaves_the_same_generator(generator, p, dtype, rng):
    x, dout = rng.normal(size=(2, 7, 11)).astype(dtype)
    draws = [np.random.Generator(getattr(np.random, generator)(3)) for _ in range(2)]
    for k in range(3):  # the second call begins in the middle of a 64-bit number
        out, cache = layers.dropout_forward(x, {"mode": "train", "p": p, "rng": draws[0]})
        again, fast_cache = fast_layers.dropout_forward_fast(x, {"mode": "train", "p": p, "rng": draws[1]})
        np.testing.assert_array_equal(fast_cache.mask, cache.mask)
        wanted, got = layers.dropout_backward(dout, cache), fast_layers.dropout_backward_fast(dout, fast_cache)
        close([again, got], [out, wanted], 2 * EPSILON[dtype])
        assert draws[0].random() == draws[1].random()
        if k == 0:
            assert draws[0].random(dtype=np.float32) == draws[1].random(dtype=np.float32)


@pytest.mark.usefixtures("small_blocks")
def test_dropout_with_a_seed_any_layout_and_bad_input(rng):
    x, param = rng.normal(size=(9, 5)), {"mode": "train", "p": 0.6, "seed": 4}
    wanted = layers.dropout_forward(x, param)[0]
    view = np.ascontiguousarray(x.T).T
    view.flags.writeable = False
    out, cache = fast_layers.dropout_forward_fast(view, param)
    np.testing.assert_allclose(out, wanted, rtol=1e-15)
    np.testing.assert_array_equal(fast_layers.dropout_forward_fast(x, {"mode": "test", "p": 0.6})[0], x)
    with pytest.raises(ValueError, match=r"at most one of 'seed' and 'rng'"):
        fast_layers.dropout_forward_fast(x, {**param, "rng": rng})
    with pytest.raises(ValueError, match=r"dropout_param\['p'\].*got 0"):
        fast_layers.dropout_forward_fast(x, {**param, "p": 0})
    with pytest.raises(ValueError, match=r"dout of shape \(9, 5\), got \(8, 5\)"):
        fast_layers.dropout_backward_fast(x[1:], cache)
    single = fast_layers.dropout_backward_fast(x.astype(np.float32), cache)
    np.testing.assert_allclose(single, layers.dropout_backward(x, cache), rtol=1e-6)


# -------------------------------------------------------------------------------------------------------- losses


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(11, 5), (1, 40), (40, 1), (3, 30)])
@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("loss", ["softmax_loss", "svm_loss"])
def test_a_loss_is_the_plain_one(loss, scale, shape, dtype, rng):
    x, y = (scale * rng.normal(size=shape)).astype(dtype), rng.integers(0, shape[1], shape[0])
    wanted, got = getattr(losses, loss)(x, y), getattr(fast_layers, f"{loss}_fast")(x, y)
    assert got[0].dtype == dtype
    np.testing.assert_allclose(got[0], wanted[0], rtol=20 * EPSILON[dtype], atol=20 * EPSILON[dtype])
    close(got[1:], wanted[1:], 4 * EPSILON[dtype])
    views = np.ascontiguousarray(x.T).T, np.stack([y, y], axis=1).astype(np.uint64)[:, 0]
    np.testing.assert_allclose(getattr(fast_layers, f"{loss}_fast")(*views)[1], got[1], rtol=1e-6, atol=1e-9)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("loss", ["softmax_loss", "svm_loss"])
def test_labels_that_do_not_fit_are_named(loss, rng):
    x, y = rng.normal(size=(11, 5)), rng.integers(0, 5, 11)
    function = getattr(fast_layers, f"{loss}_fast")
    for bad, message in ((y + 4, "labels from 0 to 4"), (y - 1 - y.min(), "labels from 0 to 4"), (y[1:], "shape")):
        with pytest.raises(ValueError, match=message):
            function(x, bad)
    with pytest.raises(ValueError, match="integer labels"):
        function(x, y.astype(float))
    np.testing.assert_array_equal(function(x.astype(np.float16), y)[1].dtype, np.float16)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [bool, int, float])
def test_the_temporal_loss_is_the_plain_one(kind, dtype, rng):
    x, y = (30 * rng.normal(size=(4, 5, 7))).astype(dtype), rng.integers(0, 7, (4, 5))
    mask = (rng.integers(0, 2, (4, 5)) * (1 + rng.random((4, 5)))).astype(kind)
    y[mask == 0] = -1  # padding need not be a word
    wanted, got = losses.temporal_softmax_loss(x, y, mask), fast_layers.temporal_softmax_loss_fast(x, y, mask)
    assert got[0].dtype == dtype
    np.testing.assert_allclose(got[0], wanted[0], rtol=20 * EPSILON[dtype])
    close(got[1:], wanted[1:], 4 * EPSILON[dtype])
    again = fast_layers.temporal_softmax_loss_fast(
        np.ascontiguousarray(x.T).T, y.astype(np.int8), np.asfortranarray(mask)
    )
    close(again[1:], got[1:], EPSILON[dtype])
    none = fast_layers.temporal_softmax_loss_fast(x, y, np.zeros_like(mask))
    assert none[0] == 0 and not none[1].any()
    with pytest.raises(ValueError, match="expected words from 0 to 6"):
        fast_layers.temporal_softmax_loss_fast(x, y + 7 * (mask != 0), mask)
    with pytest.raises(ValueError, match="mask of shape"):
        fast_layers.temporal_softmax_loss_fast(x, y, mask[1:])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("often", [0, 40])  # how often the first word stands there besides
def test_the_gradient_of_an_embedding_is_the_plain_one(often, dtype, rng):
    words = np.concatenate([rng.integers(0, 9, 50), np.zeros(often, int)]).reshape(2, -1).astype(np.uint16)
    dout = rng.normal(size=(*words.shape, 3)).astype(dtype)
    cache = layers.word_embedding_forward(words, rng.normal(size=(12, 3)).astype(dtype))[1]
    wanted, got = layers.word_embedding_backward(dout, cache), fast_layers.word_embedding_backward_fast(dout, cache)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=0, atol=50 * float(np.finfo(dtype).eps))
    np.testing.assert_array_equal(got[9:], 0)
    turned = np.ascontiguousarray(dout.T).T
    np.testing.assert_allclose(fast_layers.word_embedding_backward_fast(turned, cache), got, atol=1e-5)
    with pytest.raises(ValueError, match="dout of shape"):
        fast_layers.word_embedding_backward_fast(dout[:, 1:], cache)


# -------------------------------------------------------------------------------------------------- update rules

RULES = {"sgd_momentum": ["velocity"], "rmsprop": ["cache"], "adam": ["m", "v"]}


def state(rule, w, rng):
    return {name: rng.normal(size=w.shape).astype(w.dtype) ** (1 if name in ("velocity", "m") else 2) for name in rule}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_the_plain_one_over_several_steps(rule, dtype, in_place, rng):
    w = rng.normal(size=(7, 11)).astype(dtype)
    config = state(RULES[rule], w, rng) | {"learning_rate": 0.05}
    theirs, ours = (w, dict(config)), (w.copy(), {k: np.copy(v) if k in RULES[rule] else v for k, v in config.items()})
    for _ in range(3):
        dw = rng.normal(size=w.shape).astype(dtype)
        kept = ours[0].copy(), [ours[1][name].copy() for name in RULES[rule]]
        before = ours[0], [ours[1][name] for name in RULES[rule]]
        theirs = getattr(optim, rule)(theirs[0], dw, theirs[1])
        ours = getattr(fast_layers, f"{rule}_fast")(ours[0], dw, ours[1], in_place=in_place)
        assert (ours[0] is before[0]) == in_place
        if not in_place:
            np.testing.assert_array_equal(before[0], kept[0])
            for array, copy in zip(before[1], kept[1], strict=True):
                np.testing.assert_array_equal(array, copy)
        assert set(ours[1]) == set(theirs[1])
        arrays = [[result[0], *(result[1][name] for name in RULES[rule])] for result in (ours, theirs)]
        close(*arrays, 8 * EPSILON[dtype])
    assert ours[1].get("t") == theirs[1].get("t")


@pytest.mark.parametrize("rule", RULES)
def test_in_place_also_where_there_are_no_blocks(rule, rng):
    w, dw = rng.normal(size=(2, 7, 11))
    plainly, wanted = getattr(optim, rule)(w, dw)
    own, config = w.copy(), {}
    next_w, config = getattr(fast_layers, f"{rule}_fast")(own, dw, config, in_place=True)
    assert next_w is own
    np.testing.assert_array_equal(own, plainly)
    plainly, wanted = getattr(optim, rule)(plainly, dw, wanted)
    before = [config[name] for name in RULES[rule]]
    getattr(fast_layers, f"{rule}_fast")(own, dw, config, in_place=True)
    np.testing.assert_array_equal(own, plainly)
    for name, array in zip(RULES[rule], before, strict=True):
        assert config[name] is array
        np.testing.assert_array_equal(array, wanted[name])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("rule", ["rmsprop", "adam"])
def test_no_gradient_and_the_smallest_epsilon_make_no_nan(rule):
    w, none = np.full(20, 0.5, np.float32), np.zeros(20, np.float32)
    config = dict.fromkeys(RULES[rule], none) | {"epsilon": 1e-45}
    np.testing.assert_array_equal(getattr(fast_layers, f"{rule}_fast")(w, none, config)[0], w)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_starts_without_a_state_takes_any_layout_and_names_bad_input(rule, rng):
    w, dw = rng.normal(size=(2, 7, 11))
    plain_rule, fast_rule = getattr(optim, rule), getattr(fast_layers, f"{rule}_fast")
    first, config = fast_rule(w, dw)
    np.testing.assert_array_equal(first, plain_rule(w, dw)[0])
    views = [np.ascontiguousarray(a.T).T for a in (w, dw)]
    again, _ = fast_rule(*views, dict(config))
    np.testing.assert_allclose(again, fast_rule(w, dw, dict(config))[0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"dw of shape \(7, 11\), got \(7, 10\)"):
        fast_rule(w, dw[:, 1:], dict(config))
    with pytest.raises(ValueError, match=r"config: expected .*got \['lr'\]"):
        fast_rule(w, dw, {**config, "lr": 0.1})
    with pytest.raises(ValueError, match="shape"):
        fast_rule(w, dw, {**config, RULES[rule][0]: np.zeros(3)})
    half = {k: v.astype(np.float16) if k in RULES[rule] else v for k, v in config.items()}
    half |= {"epsilon": 1e-3} if "epsilon" in half else {}
    assert fast_rule(w.astype(np.float16), dw.astype(np.float16), half)[0].dtype == np.float16


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_holds_its_results_and_a_few_blocks_no_more(name, rng, monkeypatch):
    monkeypatch.setattr(_blocks, "BYTES", 1 << 14)
    shape, parameters = {"batchnorm": ((4000, 40), (40,)), "layernorm": ((4000, 40), (40,))}.get(
        name, ((100, 4, 20, 20), (4,))
    )
    x, dout, gamma, beta = rng.normal(size=shape), rng.normal(size=shape), *rng.normal(size=(2, *parameters))
    forward, backward = fast(name)
    tracemalloc.start()
    out, cache = forward(x, gamma, beta, *settings(name))
    dx = backward(dout, cache)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out.nbytes - dx.nbytes < x.nbytes / 4
