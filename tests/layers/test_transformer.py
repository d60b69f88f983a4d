from __future__ import annotations

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.activations import gelu_forward
from cs231n.layers.layernorm import layernorm_forward
from cs231n.layers.multi_head_attention import multi_head_attention_forward
from cs231n.layers.transformer import (
    feed_forward_backward,
    feed_forward_forward,
    swiglu_backward,
    swiglu_forward,
    transformer_decoder_layer_backward,
    transformer_decoder_layer_forward,
)

N, S, T, D, H, E, F = 2, 3, 4, 6, 2, 3, 5
PARTS = ("self", "cross", "ff")


def draw(seed=0, activation="relu", n=N, s=S, t=T, d=D, h=H, e=E, f=F):
    rng = np.random.default_rng(seed)
    shapes = {}
    for part in ("self", "cross"):
        shapes |= {f"{part}_w{c}": (d, h, e) for c in "qkv"} | {f"{part}_b{c}": (h, e) for c in "qkv"}
        shapes |= {f"{part}_wo": (h, e, d), f"{part}_bo": (d,)}
    if activation == "swiglu":
        shapes |= {"ff_wg": (d, f), "ff_wu": (d, f), "ff_wd": (f, d)}
    else:
        shapes |= {"ff_w1": (d, f), "ff_b1": (f,), "ff_w2": (f, d), "ff_b2": (d,)}
    shapes |= {f"{part}_{name}": (d,) for part in PARTS for name in ("gamma", "beta")}
    params = {name: 0.6 * rng.normal(size=shape) for name, shape in shapes.items()}
    return rng.normal(size=(n, s, d)), rng.normal(size=(n, t, d)), params, rng.normal(size=(n, s, d))


@pytest.mark.parametrize(
    ("norm", "activation", "sizes"),
    [
        ("post", "relu", {}),
        ("pre", "gelu", {}),
        ("pre", "swiglu", {"h": 1, "t": 1}),
        ("post", "swiglu", {"n": 1, "s": 1, "f": 1}),
    ],
)
def test_all_gradients_of_a_block_agree_with_differences(norm, activation, sizes):
    x, memory, params, dout = draw(activation=activation, **sizes)
    mask = np.tri(x.shape[1], dtype=bool)

    def out(_):
        return transformer_decoder_layer_forward(x, memory, params, mask, norm=norm, activation=activation)[0]

    _, cache = transformer_decoder_layer_forward(x, memory, params, mask, norm=norm, activation=activation)
    dx, dmemory, grads = transformer_decoder_layer_backward(dout, cache)
    assert grads.keys() == params.keys()
    for name, array, gradient in [
        ("x", x, dx),
        ("memory", memory, dmemory),
        *((n, params[n], grads[n]) for n in params),
    ]:
        numeric = eval_numerical_gradient_array(out, array, dout)
        assert gradient.shape == array.shape, name
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_block_is_what_the_table_of_the_page_says(norm):
    x, memory, params, _ = draw()
    names = ("wq", "bq", "wk", "bk", "wv", "bv", "wo", "bo")

    def normal(u, part):
        return layernorm_forward(u, params[f"{part}_gamma"], params[f"{part}_beta"], {})[0]

    def self_attention(u):
        return multi_head_attention_forward(u, u, u, *(params[f"self_{name}"] for name in names))[0]

    def cross_attention(u):
        return multi_head_attention_forward(u, memory, memory, *(params[f"cross_{name}"] for name in names))[0]

    def feed_forward(u):
        return np.maximum(0, u @ params["ff_w1"] + params["ff_b1"]) @ params["ff_w2"] + params["ff_b2"]

    expected = x
    for part, f in zip(PARTS, (self_attention, cross_attention, feed_forward), strict=True):
        expected = normal(expected + f(expected), part) if norm == "post" else expected + f(normal(expected, part))
    got, _ = transformer_decoder_layer_forward(x, memory, params, norm=norm)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_with_a_causal_mask_nothing_comes_from_later_nor_goes_there():
    x, memory, params, dout = draw()
    mask = np.tri(S, dtype=bool)
    out, _ = transformer_decoder_layer_forward(x, memory, params, mask)
    later = x.copy()
    later[:, 2] += 5
    np.testing.assert_array_equal(transformer_decoder_layer_forward(later, memory, params, mask)[0][:, :2], out[:, :2])
    first = np.zeros_like(dout)
    first[:, 0] = dout[:, 0]
    dx, _, _ = transformer_decoder_layer_backward(first, transformer_decoder_layer_forward(x, memory, params, mask)[1])
    assert dx[:, 0].any() and not dx[:, 1:].any()


def test_what_the_memory_mask_hides_gets_no_gradient():
    x, memory, params, dout = draw()
    visible = np.ones((S, T), bool)
    visible[:, 1] = False
    _, cache = transformer_decoder_layer_forward(x, memory, params, None, visible)
    _, dmemory, _ = transformer_decoder_layer_backward(dout, cache)
    assert not dmemory[:, 1].any() and dmemory[:, [0, 2, 3]].any(axis=(0, 2)).all()


def test_without_a_memory_there_is_no_second_part():
    x, _, params, dout = draw()
    _, cache = transformer_decoder_layer_forward(x, None, params)
    _, dmemory, grads = transformer_decoder_layer_backward(dout, cache)
    assert dmemory is None
    assert set(grads) == {name for name in params if not name.startswith("cross_")}


def test_a_part_without_parameters_is_left_out():
    x, memory, params, dout = draw()
    alone = {name: array for name, array in params.items() if name.startswith("ff_")}
    out, cache = transformer_decoder_layer_forward(x[0], None, alone, norm="pre")
    normal, _ = layernorm_forward(x[0], params["ff_gamma"], params["ff_beta"], {})
    part, _ = feed_forward_forward(normal, *(params[f"ff_{name}"] for name in ("w1", "b1", "w2", "b2")))
    np.testing.assert_array_equal(out, x[0] + part)
    assert transformer_decoder_layer_backward(dout[0], cache)[2].keys() == alone.keys()
    with pytest.raises(ValueError, match="expected cross_wq and the others that look at the memory, got none"):
        transformer_decoder_layer_forward(x, memory, alone)


def test_two_forwards_do_not_disturb_each_other():
    """A block keeps nothing but its cache, and gradients do not pile up."""
    x, memory, params, dout = draw()
    _, cache = transformer_decoder_layer_forward(x, memory, params)
    first = transformer_decoder_layer_backward(dout, cache)
    transformer_decoder_layer_forward(2 * x, memory, params)
    again = transformer_decoder_layer_backward(dout, cache)
    np.testing.assert_array_equal(again[0], first[0])
    for name, gradient in first[2].items():
        np.testing.assert_array_equal(again[2][name], gradient)


@pytest.mark.parametrize(("norm", "activation"), [("post", "relu"), ("pre", "gelu"), ("pre", "swiglu")])
def test_dtype_is_kept_and_nothing_is_changed(norm, activation):
    x, memory, params, dout = draw(activation=activation)
    x, memory, dout = (np.asfortranarray(a.astype(np.float32)) for a in (x, memory, dout))
    params = {name: np.asfortranarray(a.astype(np.float32)) for name, a in params.items()}
    for a in (x, memory, dout, *params.values()):
        a.flags.writeable = False
    out, cache = transformer_decoder_layer_forward(x, memory, params, norm=norm, activation=activation)
    dx, dmemory, grads = transformer_decoder_layer_backward(dout, cache)
    assert {a.dtype for a in (out, dx, dmemory, *grads.values())} == {np.dtype(np.float32)}


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
@pytest.mark.parametrize("shape", [(D,), (5, D), (2, 3, 4, D), (1, 1, D)])
def test_a_feed_forward_part_treats_each_position_alone(activation, shape):
    rng = np.random.default_rng(1)
    x, dout = rng.normal(size=(2, *shape))
    w1, w2, b1, b2 = rng.normal(size=(D, F)), rng.normal(size=(F, D)), rng.normal(size=F), rng.normal(size=D)
    wu = rng.normal(size=(D, F))
    if activation == "swiglu":
        a = x @ w1
        expected = (a / (1 + np.exp(-a)) * (x @ wu)) @ w2
        out, cache = swiglu_forward(x, w1, wu, w2)
        dx, *dweights = swiglu_backward(dout, cache)
        arrays = (w1, wu, w2)
    else:
        a = x @ w1 + b1
        expected = (np.maximum(a, 0) if activation == "relu" else gelu_forward(a)[0]) @ w2 + b2
        out, cache = feed_forward_forward(x, w1, b1, w2, b2, activation)
        dx, *dweights = feed_forward_backward(dout, cache)
        arrays = (w1, b1, w2, b2)
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
    assert dx.shape == x.shape and [d.shape for d in dweights] == [a.shape for a in arrays]


def test_swiglu_agrees_with_differences():
    rng = np.random.default_rng(2)
    arrays = [rng.normal(size=shape) for shape in ((2, 3, D), (D, F), (D, F), (F, D))]
    dout = rng.normal(size=(2, 3, D))
    gradients = swiglu_backward(dout, swiglu_forward(*arrays)[1])
    for array, gradient in zip(arrays, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: swiglu_forward(*arrays)[0], array, dout)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_a_gate_far_from_zero_is_open_or_closed_and_never_nan(scale):
    x, wg, wu, wd = np.array([[1.0]]), np.array([[scale, -scale]]), np.ones((1, 2)), np.eye(2)[:, :1] + np.eye(2)[:, 1:]
    out, cache = swiglu_forward(x, wg, wu, wd)
    np.testing.assert_allclose(out, [[scale]])
    dx, *_ = swiglu_backward(np.array([[1.5]]), cache)
    np.testing.assert_allclose(dx, [[1.5 * 2 * scale]])  # it is proportional to x²


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm": "both"}, "norm: expected 'post' or 'pre', got 'both'"),
        ({"activation": "tanh"}, "activation: expected one of relu, gelu, swiglu, got 'tanh'"),
        ({"activation": "swiglu"}, "got no ff_wg, ff_wu, ff_wd"),
    ],
)
def test_a_wrong_choice_is_named(change, message):
    x, memory, params, _ = draw()
    with pytest.raises(ValueError, match=message):
        transformer_decoder_layer_forward(x, memory, params, **change)


def test_wrong_shapes_are_named():
    x, w, v = np.zeros((4, D)), np.zeros((D, F)), np.zeros((F, D))
    with pytest.raises(ValueError, match=r"expected x \(…, D\), w1 \(D, F\) and w2 \(F, D\).*\(6, 5\)"):
        feed_forward_forward(x, w, np.zeros(F), w, np.zeros(D))
    with pytest.raises(ValueError, match="activation: expected one of relu, gelu, got 'swiglu'"):
        feed_forward_forward(x, w, np.zeros(F), v, np.zeros(D), "swiglu")
    with pytest.raises(ValueError, match=r"expected x \(…, D\) and wg \(D, F\), got \(4, 6\) and \(5, 6\)"):
        swiglu_forward(x, v, w, v)
    with pytest.raises(ValueError, match=r"expected wd of shape \(5, 6\), got \(6, 5\)"):
        swiglu_forward(x, w, w, w)
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        swiglu_forward(x.astype(int), w, w, v)
    _, cache = swiglu_forward(x, w, w, v)
    with pytest.raises(ValueError, match=r"expected dout of shape \(4, 6\), got \(6,\)"):
        swiglu_backward(np.zeros(D), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        swiglu_backward(np.zeros((4, D), int), cache)


@pytest.mark.torch
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_pytorch_agrees(norm):
    import torch

    x, memory, params, dout = draw(d=H * E, h=H, e=E)
    d = H * E
    theirs = torch.nn.TransformerDecoderLayer(d, H, F, 0.0, batch_first=True, norm_first=norm == "pre").double()
    ours = {}
    for part, attention in (("self", theirs.self_attn), ("cross", theirs.multihead_attn)):
        weight = torch.cat([torch.tensor(params[f"{part}_w{c}"].reshape(d, d).T) for c in "qkv"])
        bias = torch.cat([torch.tensor(params[f"{part}_b{c}"].ravel()) for c in "qkv"])
        ours |= {attention.in_proj_weight: weight, attention.in_proj_bias: bias}
        ours |= {attention.out_proj.weight: torch.tensor(params[f"{part}_wo"].reshape(d, d).T)}
        ours |= {attention.out_proj.bias: torch.tensor(params[f"{part}_bo"])}
    for i, part in enumerate(PARTS, 1):
        layer = getattr(theirs, f"norm{i}")
        ours |= {layer.weight: torch.tensor(params[f"{part}_gamma"]), layer.bias: torch.tensor(params[f"{part}_beta"])}
    for i, layer in ((1, theirs.linear1), (2, theirs.linear2)):
        ours |= {layer.weight: torch.tensor(params[f"ff_w{i}"].T), layer.bias: torch.tensor(params[f"ff_b{i}"])}
    with torch.no_grad():
        for parameter, value in ours.items():
            parameter.copy_(value)
    tx, tm = (torch.tensor(a, requires_grad=True) for a in (x, memory))
    hidden = ~torch.tensor(np.tri(S, dtype=bool))  # true where a position may NOT look
    expected = theirs(tx, tm, tgt_mask=hidden)
    out, cache = transformer_decoder_layer_forward(x, memory, params, np.tri(S, dtype=bool), norm=norm)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-10, atol=1e-11)
    expected.backward(torch.tensor(dout))
    dx, dmemory, grads = transformer_decoder_layer_backward(dout, cache)
    np.testing.assert_allclose(dx, tx.grad.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(dmemory, tm.grad.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(grads["ff_w1"], theirs.linear1.weight.grad.numpy().T, rtol=1e-9, atol=1e-11)
    packed = theirs.self_attn.in_proj_weight.grad.numpy()[:d].T
    np.testing.assert_allclose(grads["self_wq"].reshape(d, d), packed, rtol=1e-9, atol=1e-11)
