import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.attention import (
    attention_backward,
    attention_backward_blocked,
    attention_forward,
    attention_forward_blocked,
)

S, T, D, E = 4, 6, 3, 2
FIGURE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "attention_memory.py"


def draw(seed=0, front=(), s=S, t=T, d=D, e=E):
    rng = np.random.default_rng(seed)
    q, k, v = rng.normal(size=(*front, s, d)), rng.normal(size=(*front, t, d)), rng.normal(size=(*front, t, e))
    return q, k, v, rng.normal(size=(*front, s, e))


def both(q, k, v, dout, mask=None, block=4):
    """Outputs and gradients of the plain and of the blocked functions."""
    out, cache = attention_forward(q, k, v, mask)
    blocked, blocked_cache = attention_forward_blocked(q, k, v, mask, block)
    return (out, *attention_backward(dout, cache)), (blocked, *attention_backward_blocked(dout, blocked_cache))


def some_mask(seed=3, shape=(S, T)):
    mask = np.random.default_rng(seed).random(shape) < 0.6
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("front", [(), (2,), (2, 3)])
@pytest.mark.parametrize("sizes", [(S, T, D, E), (1, 5, 2, 3), (3, 1, 2, 4), (2, 3, 1, 1)])
def test_gradients_agree_with_differences(front, sizes):
    q, k, v, dout = draw(front=front, s=sizes[0], t=sizes[1], d=sizes[2], e=sizes[3])
    mask = some_mask(shape=sizes[:2])
    plain, _ = both(q, k, v, dout, mask)
    for array, gradient in zip((q, k, v), plain[1:], strict=True):
        numeric = eval_numerical_gradient_array(lambda _: attention_forward(q, k, v, mask)[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("block", [1, 2, 4, T, 50])
@pytest.mark.parametrize("mask", [None, some_mask(), np.tril(np.ones((S, T)), 1), np.arange(T) >= 4], ids=str)
def test_blocks_change_nothing(block, mask):
    arrays = draw(front=(2, 3))
    for one, other in zip(*both(*arrays, mask, block), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_the_log_sum_exp_is_one_number_for_each_query():
    q, k, v, _ = draw()
    lse = attention_forward_blocked(q, k, v)[1].lse
    np.testing.assert_allclose(lse[:, 0], np.log(np.exp(q @ k.T / np.sqrt(D)).sum(axis=1)))


@pytest.mark.parametrize("shape", [(S, T), (1, T), (T,), (S, 1), (2, 1, S, T), (2, 1, 1, T), (3, 1, 1)])
def test_a_mask_broadcasts(shape):
    mask = np.random.default_rng(8).random(shape) < 0.7
    arrays = draw(front=(2, 3))
    expected, _ = both(*arrays, np.broadcast_to(mask, (2, 3, S, T)))
    for got in both(*arrays, mask):
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_masks_of_booleans_integers_and_floats_mean_the_same():
    q, k, v, _ = draw()
    expected = attention_forward(q, k, v, some_mask())[0]
    for dtype in (int, np.float32, np.uint8):
        np.testing.assert_array_equal(attention_forward(q, k, v, some_mask().astype(dtype))[0], expected)


def test_a_masked_key_is_as_good_as_absent():
    q, k, v, dout = draw()
    mask = np.ones((S, T), bool)
    mask[:, [1, 4]] = False
    rest = [0, 2, 3, 5]
    expected, _ = both(q, k[rest], v[rest], dout)
    for out, dq, dk, dv in both(q, k, v, dout, mask):
        np.testing.assert_allclose(out, expected[0])
        np.testing.assert_allclose(dq, expected[1])
        np.testing.assert_allclose(dk[rest], expected[2])
        np.testing.assert_allclose(dv[rest], expected[3])
        assert not dk[[1, 4]].any() and not dv[[1, 4]].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_query_that_may_look_at_nothing_gets_zeros_and_never_nan(dtype):
    # the seed's torch layer returned NaN
    arrays = [a.astype(dtype) for a in draw()]
    mask = some_mask()
    mask[2] = False
    others = [0, 1, 3]
    expected, _ = both(arrays[0][others], *arrays[1:3], arrays[3][others], mask[others])
    for out, dq, dk, dv in both(*arrays, mask, block=2):
        assert not out[2].any() and not dq[2].any()
        np.testing.assert_allclose(out[others], expected[0], rtol=1e-5)
        np.testing.assert_allclose(dk, expected[2], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(dv, expected[3], rtol=1e-4, atol=1e-6)
    for out, *gradients in both(*arrays, np.zeros((S, T), bool)):
        assert not out.any() and not any(g.any() for g in gradients)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("first", [0, 5], ids=["the large score comes first", "last"])
def test_a_large_masked_score_does_not_hide_the_others(first):
    q, k, v, dout = draw()
    k[first] = 1e4
    mask = np.ones((S, T), bool)
    mask[:, first] = False
    rest = np.delete(np.arange(T), first)
    expected, _ = both(q, k[rest], v[rest], dout)
    for out, dq, *_ in both(q, k, v, dout, mask, block=1):
        np.testing.assert_allclose(out, expected[0])
        np.testing.assert_allclose(dq, expected[1])


@pytest.mark.filterwarnings("error")
def test_large_scores_stay_finite_in_float32():
    q, k, v, dout = (a.astype(np.float32) for a in draw())
    for got in both(1e4 * q, k, v, dout):
        assert all(np.isfinite(a).all() for a in got)
        exact, _ = both((1e4 * q).astype(float), k.astype(float), v.astype(float), dout.astype(float))
        np.testing.assert_allclose(got[0], exact[0], atol=1e-2)  # scores of 1e4 have a rounding error of 1e-3


def test_float32_keeps_its_digits():
    arrays = [a.astype(np.float32) for a in draw(s=50, t=70, d=16, e=8)]
    exact, _ = both(*(a.astype(float) for a in arrays))
    for got in both(*arrays, block=16):
        for one, other in zip(got, exact, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mask", [None, some_mask()], ids=["no mask", "a mask"])
def test_dtype_is_kept(dtype, mask):
    # the scale was a tensor of one float32 in the seed: half the digits of a float64 check
    for got in both(*(a.astype(dtype) for a in draw()), mask):
        assert {a.dtype for a in got} == {np.dtype(dtype)}
    cache = attention_forward_blocked(*(a.astype(dtype) for a in draw()[:3]), mask)[1]
    assert cache.lse.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_the_scale_has_all_digits_of_the_type(dtype):
    # a root of D in float32 leaves the dtype alone and is wrong in the eighth digit
    q, k, v, dout = (a.astype(dtype) for a in draw())
    e = np.exp(q @ k.T / float(D) ** 0.5)
    p = e / e.sum(axis=1, keepdims=True)
    dp = dout @ v.T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / float(D) ** 0.5
    for got in both(q, k, v, dout):
        for one, other in zip(got, (p @ v, ds @ k, ds.T @ q, p.T @ dout), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    arrays = draw(front=(2, 3))
    mask = some_mask()
    plain, _ = both(*arrays, mask)
    views = [np.asfortranarray(a) for a in arrays]
    for view in (*views, mask):
        view.flags.writeable = False
    for got in both(*views, mask):
        for one, other in zip(got, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_the_sums_that_the_page_proves():
    q, k, v, dout = draw()
    (_, dq, dk, dv), _ = both(q, k, v, dout)
    np.testing.assert_allclose(dk.sum(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(dv.sum(axis=0), dout.sum(axis=0))
    np.testing.assert_allclose((q * dq).sum(), (k * dk).sum())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q": np.zeros((S, D), int)}, "q: expected real floating-point numbers, got dtype int64"),
        ({"v": np.zeros(T)}, r"v: expected at least two axes, none of the last two empty, got \(6,\)"),
        ({"k": np.zeros((0, D)), "v": np.zeros((0, E))}, r"k: .*got \(0, 3\)"),
        ({"k": np.zeros((T, D + 1))}, r"expected k of shape \(6, 3\) for q of shape \(4, 3\), got \(6, 4\)"),
        ({"k": np.zeros((2, T, D))}, r"expected k of shape \(6, 3\)|expected k of shape \(T"),
        ({"v": np.zeros((T + 1, E))}, r"one value for each key, v of shape \(6, 2\), got \(7, 2\)"),
        ({"mask": np.ones((T, S), bool)}, r"a mask that broadcasts to \(4, 6\), one row for each query, got \(6, 4\)"),
        ({"mask": np.ones((2, S, T), bool)}, r"broadcasts to \(4, 6\).*got \(2, 4, 6\)"),
        ({"mask": np.where(some_mask(), 0, -np.inf)}, "mask: expected booleans, or 0 and 1, .* got other numbers"),
    ],
)
@pytest.mark.parametrize("function", [attention_forward, attention_forward_blocked])
def test_bad_input_is_named(function, change, message):
    arguments = dict(zip("qkv", draw(), strict=False)) | change
    with pytest.raises(ValueError, match=message):
        function(**arguments)


def test_bad_blocks_and_gradients_are_named():
    q, k, v, dout = draw()
    with pytest.raises(ValueError, match="block: expected at least one key, got 0"):
        attention_forward_blocked(q, k, v, block=0)
    pairs = (attention_forward, attention_backward), (attention_forward_blocked, attention_backward_blocked)
    for forward, backward in pairs:
        cache = forward(q, k, v)[1]
        with pytest.raises(ValueError, match=r"dout of shape \(4, 2\), got \(2, 4\)"):
            backward(dout.T, cache)
        with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
            backward(dout.astype(int), cache)


def test_memory_is_linear_in_blocks_and_quadratic_without():
    spec = importlib.util.spec_from_file_location("attention_memory", FIGURE)
    assert spec is not None and spec.loader is not None
    figure = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figure)
    plain, blocks = figure.WAYS
    assert 3.5 < figure.peak(plain, 1024) / figure.peak(plain, 512) < 4.1
    assert 1.9 < figure.peak(blocks, 1024) / figure.peak(blocks, 512) < 2.1
    assert abs(figure.peak(plain, 1024) - 13.3) < 0.2 and abs(figure.peak(blocks, 1024) - 2.5) < 0.1  # as the page says
    drawn, committed = (figure.draw(dict.fromkeys(figure.WAYS, [1.0] * 5)), figure.OUTPUT.read_text("utf-8"))
    assert drawn.count("<text") == committed.count("<text") and "prefers-color-scheme: dark" in committed


@pytest.mark.torch
@pytest.mark.parametrize("mask", [None, some_mask()], ids=["no mask", "a mask"])
def test_pytorch_agrees(mask):
    import torch

    q, k, v, dout = draw(front=(2, 3))
    inputs = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *inputs, attn_mask=None if mask is None else torch.tensor(mask)
    )
    theirs.backward(torch.tensor(dout))
    for got in both(q, k, v, dout, mask):
        np.testing.assert_allclose(got[0], theirs.detach().numpy(), rtol=1e-10)
        for gradient, tensor in zip(got[1:], inputs, strict=True):
            np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
