import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.attention import attention_backward, attention_forward
from cs231n.layers.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward

N, S, T, D, H, E = 2, 3, 5, 6, 4, 2
NAMES = ("query", "key", "value", "wq", "bq", "wk", "bk", "wv", "bv", "wo", "bo")


def draw(seed=0, n=N, s=S, t=T, d=D, h=H, e=E):
    """The eleven arrays by name, and an incoming gradient."""
    rng = np.random.default_rng(seed)
    shapes = [(n, s, d), (n, t, d), (n, t, d), *[(d, h, e), (h, e)] * 3, (h, e, d), (d,)]
    arrays = {name: rng.normal(size=shape) for name, shape in zip(NAMES, shapes, strict=True)}
    return arrays, rng.normal(size=(n, s, d))


def draw_mask_and_keep(seed=1, n=N, s=S, t=T, h=H):
    rng = np.random.default_rng(seed)
    mask = rng.random((n, 1, s, t)) < 0.7
    mask[..., 0] = True
    return mask, (rng.random((n, h, s, t)) < 0.8) / 0.8


@pytest.mark.parametrize("sizes", [{}, {"h": 1, "s": 1}, {"t": 1, "e": 3}, {"n": 1, "d": 1, "e": 1}], ids=str)
def test_all_eleven_gradients_agree_with_differences(sizes):
    arrays, dout = draw(**sizes)
    mask, keep = draw_mask_and_keep(**{k: v for k, v in sizes.items() if k in "nsth"})
    gradients = multi_head_attention_backward(dout, multi_head_attention_forward(**arrays, mask=mask, keep=keep)[1])
    for (name, array), gradient in zip(arrays.items(), gradients, strict=True):
        numeric = eval_numerical_gradient_array(
            lambda _: multi_head_attention_forward(**arrays, mask=mask, keep=keep)[0], array, dout
        )
        assert gradient.shape == array.shape, name
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7, err_msg=name)


def test_it_is_made_of_affine_layers_and_attention():
    arrays, dout = draw()
    mask, _ = draw_mask_and_keep()
    out, cache = multi_head_attention_forward(**arrays, mask=mask)
    q, k, v = (
        np.einsum("nia,ahe->nhie", arrays[x], arrays[f"w{c}"]) + arrays[f"b{c}"][:, None]
        for x, c in (("query", "q"), ("key", "k"), ("value", "v"))
    )
    found, inner = attention_forward(q, k, v, mask)
    np.testing.assert_allclose(out, np.einsum("nhie,hef->nif", found, arrays["wo"]) + arrays["bo"])
    dy = np.einsum("nif,hef->nhie", dout, arrays["wo"])
    dq, dk, dv = attention_backward(dy, inner)
    gradients = dict(zip(NAMES, multi_head_attention_backward(dout, cache), strict=True))
    for x, c, d in (("query", "q", dq), ("key", "k", dk), ("value", "v", dv)):
        np.testing.assert_allclose(gradients[x], np.einsum("nhie,ahe->nia", d, arrays[f"w{c}"]))
        np.testing.assert_allclose(gradients[f"w{c}"], np.einsum("nia,nhie->ahe", arrays[x], d))
        np.testing.assert_allclose(gradients[f"b{c}"], d.sum(axis=(0, 2)), atol=1e-14)


def test_the_bias_of_the_keys_changes_nothing_and_gets_exact_zeros():
    arrays, dout = draw()
    mask, keep = draw_mask_and_keep()
    out, cache = multi_head_attention_forward(**arrays, mask=mask, keep=keep)
    moved, _ = multi_head_attention_forward(**arrays | {"bk": arrays["bk"] + 3}, mask=mask, keep=keep)
    np.testing.assert_allclose(moved, out, rtol=1e-9)
    assert not multi_head_attention_backward(dout, cache)[6].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_query_that_may_look_at_nothing_gets_the_last_bias_and_never_nan(dtype):
    arrays, dout = draw()
    arrays = {name: a.astype(dtype) for name, a in arrays.items()}
    mask = np.ones((N, 1, S, T), bool)
    mask[1, 0, 2] = False
    out, cache = multi_head_attention_forward(**arrays, mask=mask)
    np.testing.assert_array_equal(out[1, 2], arrays["bo"])
    gradients = multi_head_attention_backward(dout.astype(dtype), cache)
    assert all(np.isfinite(g).all() for g in gradients)
    assert not gradients[0][1, 2].any()


@pytest.mark.parametrize("shape", [(S, T), (T,), (H, S, T), (N, 1, 1, T), (N, H, S, T)])
def test_a_mask_broadcasts(shape):
    arrays, _ = draw()
    mask = np.random.default_rng(5).random(shape) < 0.7
    full = np.broadcast_to(mask, (N, H, S, T))
    expected = multi_head_attention_forward(**arrays, mask=full)[0]
    np.testing.assert_allclose(multi_head_attention_forward(**arrays, mask=mask)[0], expected)
    np.testing.assert_allclose(multi_head_attention_forward(**arrays, mask=mask.astype(float))[0], expected)


def test_more_axes_in_front_or_none_are_examples_too():
    arrays, dout = draw(n=6)
    out, cache = multi_head_attention_forward(**arrays)
    gradients = multi_head_attention_backward(dout, cache)
    split = {name: a.reshape(2, 3, *a.shape[1:]) if name in NAMES[:3] else a for name, a in arrays.items()}
    got, split_cache = multi_head_attention_forward(**split)
    np.testing.assert_allclose(got.reshape(out.shape), out)
    others = multi_head_attention_backward(dout.reshape(got.shape), split_cache)
    for one, other in zip(others, gradients, strict=True):
        np.testing.assert_allclose(one.ravel(), other.ravel(), atol=1e-13)
    single = {name: a[4] if name in NAMES[:3] else a for name, a in arrays.items()}
    np.testing.assert_allclose(multi_head_attention_forward(**single)[0], out[4])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    arrays, dout = draw()
    mask, keep = draw_mask_and_keep()
    out, cache = multi_head_attention_forward(
        **{name: a.astype(dtype) for name, a in arrays.items()}, mask=mask, keep=keep.astype(dtype)
    )
    gradients = multi_head_attention_backward(dout.astype(dtype), cache)
    assert {a.dtype for a in (out, *gradients)} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    arrays, dout = draw()
    mask, keep = draw_mask_and_keep()
    plain = multi_head_attention_backward(dout, multi_head_attention_forward(**arrays, mask=mask, keep=keep)[1])
    views = {name: np.asfortranarray(a) for name, a in arrays.items()}
    others = [np.asfortranarray(dout), mask, np.asfortranarray(keep)]
    for view in (*views.values(), *others):
        view.flags.writeable = False
    _, cache = multi_head_attention_forward(**views, mask=others[1], keep=others[2])
    for gradient, expected in zip(multi_head_attention_backward(others[0], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": np.zeros(D)}, r"query: expected at least two axes, none of the last two empty, got \(6,\)"),
        ({"key": np.zeros((N, 0, D))}, r"key: .*got \(2, 0, 6\)"),
        ({"wq": np.zeros((D, H * E))}, r"expected wq of shape \(D, H, E\), got \(6, 8\)"),
        ({"wk": np.zeros((H, E, D))}, r"expected wk of shape \(6, 4, 2\), got \(4, 2, 6\)"),
        ({"value": np.zeros((N, S, D))}, r"expected value of shape \(2, 5, 6\), got \(2, 3, 6\)"),
        ({"bv": np.zeros(H * E)}, r"expected bv of shape \(4, 2\), got \(8,\)"),
        ({"wo": np.zeros((H * E, D))}, r"expected wo of shape \(4, 2, 6\), got \(8, 6\)"),
        ({"query": np.zeros((N, S, D), int)}, "query: expected real floating-point numbers, got dtype int64"),
        ({"keep": np.ones((S, T))}, r"expected keep of shape \(2, 4, 3, 5\), got \(3, 5\)"),
        ({"mask": np.ones((T, S), bool)}, r"a mask that broadcasts to \(2, 4, 3, 5\).*got \(5, 3\)"),
        ({"mask": np.full((S, T), -np.inf)}, "mask: expected booleans, or 0 and 1"),
    ],
)
def test_bad_input_is_named(change, message):
    arrays, _ = draw()
    with pytest.raises(ValueError, match=message):
        multi_head_attention_forward(**arrays | change)


def test_bad_dout_is_named():
    arrays, dout = draw()
    _, cache = multi_head_attention_forward(**arrays)
    with pytest.raises(ValueError, match=r"dout of shape \(2, 3, 6\), got \(2, 3, 5\)"):
        multi_head_attention_backward(dout[..., :-1], cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        multi_head_attention_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    arrays, dout = draw(h=3, e=2, d=6)  # PyTorch wants D = H * E
    mask, _ = draw_mask_and_keep(h=3)
    layer = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    packed = np.concatenate([arrays[f"w{c}"].reshape(6, 6).T for c in "qkv"])
    biases = np.concatenate([arrays[f"b{c}"].ravel() for c in "qkv"])
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.tensor(packed))
        layer.in_proj_bias.copy_(torch.tensor(biases))
        layer.out_proj.weight.copy_(torch.tensor(arrays["wo"].reshape(6, 6).T))
        layer.out_proj.bias.copy_(torch.tensor(arrays["bo"]))
    inputs = [torch.tensor(arrays[name], requires_grad=True) for name in NAMES[:3]]
    forbidden = torch.tensor(~np.repeat(mask[:, 0], 3, axis=0))
    theirs, _ = layer(*inputs, attn_mask=forbidden, need_weights=False)
    theirs.backward(torch.tensor(dout))
    ours, cache = multi_head_attention_forward(**arrays, mask=mask)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9)
    gradients = dict(zip(NAMES, multi_head_attention_backward(dout, cache), strict=True))
    for name, tensor in zip(NAMES[:3], inputs, strict=True):
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), rtol=1e-8, atol=1e-11)
    weights = np.concatenate([gradients[f"w{c}"].reshape(6, 6).T for c in "qkv"])
    np.testing.assert_allclose(weights, layer.in_proj_weight.grad.numpy(), rtol=1e-8, atol=1e-11)
    biases = np.concatenate([gradients[f"b{c}"].ravel() for c in "qkv"])
    np.testing.assert_allclose(biases, layer.in_proj_bias.grad.numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(gradients["wo"].reshape(6, 6).T, layer.out_proj.weight.grad.numpy(), rtol=1e-8)
