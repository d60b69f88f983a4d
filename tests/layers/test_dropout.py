import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.dropout import dropout_backward, dropout_forward


def draw(shape=(50, 40)):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape) + 3, rng.normal(size=shape)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_p_is_the_probability_to_keep_and_the_mean_is_kept(p):
    x, _ = draw((400, 50))
    out, _ = dropout_forward(x, {"mode": "train", "p": p, "seed": 1})
    assert abs((out != 0).mean() - p) < 0.02
    assert abs(out.mean() - x.mean()) < 0.1
    kept = out != 0
    np.testing.assert_allclose(out[kept], x[kept] / p)


def test_gradient_agrees_with_differences_for_a_fixed_seed():
    x, dout = draw((4, 3))
    param = {"mode": "train", "p": 0.6, "seed": 7}
    dx = dropout_backward(dout, dropout_forward(x, param)[1])
    numeric = eval_numerical_gradient_array(lambda x: dropout_forward(x, param)[0], x, dout)
    np.testing.assert_allclose(dx, numeric, rtol=1e-7, atol=1e-9)


def test_test_mode_is_the_identity_and_returns_new_arrays():
    x, dout = draw((4, 3))
    out, cache = dropout_forward(x, {"mode": "test", "p": 0.3})
    dx = dropout_backward(dout, cache)
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dx, dout)
    assert not np.shares_memory(out, x)
    assert not np.shares_memory(dx, dout)


def test_keeping_everything_is_the_identity_too():
    x, dout = draw((4, 3))
    out, cache = dropout_forward(x, {"mode": "train", "p": 1})
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dropout_backward(dout, cache), dout)


@pytest.mark.parametrize("p", [0, 0.0, -0.1, 1.5, float("nan"), None])
def test_a_probability_outside_its_range_is_refused(p):
    # p = 0 used to give NaN
    with pytest.raises(ValueError, match="0 < p <= 1, got"):
        dropout_forward(np.ones((2, 3)), {"mode": "train", "p": p})


def test_a_seed_repeats_the_mask_and_a_generator_moves_on():
    x, _ = draw((6, 5))
    masks = [dropout_forward(x, {"mode": "train", "p": 0.5, "seed": 3})[1].mask for _ in range(2)]
    assert (masks[0] == masks[1]).all()
    rng = np.random.default_rng(3)
    moving = [dropout_forward(x, {"mode": "train", "p": 0.5, "rng": rng})[1].mask for _ in range(2)]
    assert (moving[0] == masks[0]).all()
    assert (moving[1] != moving[0]).any()


def test_the_global_random_state_is_neither_read_nor_changed():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    dropout_forward(np.ones((20, 10)), {"mode": "train", "p": 0.5})
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_changing_the_parameters_after_the_forward_does_not_change_the_backward():
    x, dout = draw((4, 3))
    param = {"mode": "train", "p": 0.6, "seed": 7}
    _, cache = dropout_forward(x, param)
    before = dropout_backward(dout, cache)
    param.update(mode="test", p=0.1)
    np.testing.assert_array_equal(dropout_backward(dout, cache), before)


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(mode, dtype):
    x, dout = (a.astype(dtype) for a in draw((4, 3)))
    out, cache = dropout_forward(x, {"mode": mode, "p": np.float64(0.7), "seed": 0})
    assert out.dtype == dropout_backward(dout, cache).dtype == dtype


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, dout = draw((4, 3))
    param = {"mode": "train", "p": 0.6, "seed": 7}
    plain = dropout_backward(dout, dropout_forward(x, param)[1])
    x2, dout2 = np.asfortranarray(x), np.repeat(dout, 2, axis=1)[:, ::2]
    x2.flags.writeable = dout2.flags.writeable = False
    np.testing.assert_array_equal(dropout_backward(dout2, dropout_forward(x2, param)[1]), plain)


@pytest.mark.parametrize(
    ("x", "param", "message"),
    [
        (np.ones((2, 3)), {"mode": "eval", "p": 0.5}, "'train' or 'test', got 'eval'"),
        (np.ones((2, 3)), {"p": 0.5}, "'train' or 'test', got None"),
        (np.ones((2, 3)), {"mode": "train", "p": 0.5, "keep": 1}, r"got \['keep'\]"),
        (np.ones((2, 3)), {"mode": "train", "p": 0.5, "seed": 1, "rng": np.random.default_rng(0)}, "at most one"),
        (np.ones((2, 3), int), {"mode": "train", "p": 0.5}, "got dtype int64"),
    ],
)
def test_bad_input_is_named(x, param, message):
    with pytest.raises(ValueError, match=message):
        dropout_forward(x, param)


def test_bad_dout_is_named():
    x, dout = draw((4, 3))
    _, cache = dropout_forward(x, {"mode": "train", "p": 0.6})
    with pytest.raises(ValueError, match=r"dout of shape \(4, 3\), got \(3, 4\)"):
        dropout_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        dropout_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_scales_alike_but_its_p_is_the_probability_to_drop():
    import torch

    x, dout = draw((400, 50))
    tensor = torch.tensor(x, requires_grad=True)
    torch.nn.functional.dropout(tensor, p=0.25, training=True).backward(torch.tensor(dout))
    dx = dropout_backward(dout, dropout_forward(x, {"mode": "train", "p": 0.75, "seed": 0})[1])
    theirs = tensor.grad.numpy()
    both = (dx != 0) & (theirs != 0)
    np.testing.assert_allclose(dx[both], theirs[both], rtol=1e-12)
    assert abs((theirs != 0).mean() - (dx != 0).mean()) < 0.02
