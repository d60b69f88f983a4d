import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.affine import affine_backward, affine_forward

N, SHAPE, D, M = 3, (2, 5), 10, 4


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, *SHAPE)), rng.normal(size=(D, M)), rng.normal(size=M), rng.normal(size=(N, M))


def test_images_are_flattened_in_reading_order(data):
    x, w, b, _ = data
    out, _ = affine_forward(x, w, b)
    expected = [
        [sum(x[n, i, j] * w[5 * i + j, m] for i in range(2) for j in range(5)) + b[m] for m in range(M)]
        for n in range(N)
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_gradients_agree_with_differences_for_examples_of_several_axes(data):
    x, w, b, dout = data
    dx, dw, db = affine_backward(dout, affine_forward(x, w, b)[1])
    assert (dx.shape, dw.shape, db.shape) == (x.shape, w.shape, b.shape)
    for array, gradient in ((x, dx), (w, dw), (b, db)):
        numeric = eval_numerical_gradient_array(lambda _: affine_forward(x, w, b)[0], array, dout)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-9)


def test_memory_layout_does_not_matter_and_nothing_is_changed(data):
    x, w, b, dout = data
    plain = affine_backward(dout, affine_forward(x, w, b)[1])
    x2, w2, dout2 = np.asfortranarray(x), np.repeat(w, 2, axis=1)[:, ::2], np.ascontiguousarray(dout.T).T
    for array in (x2, w2, b, dout2):
        array.flags.writeable = False
    for gradient, expected in zip(affine_backward(dout2, affine_forward(x2, w2, b)[1]), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_float32_stays_float32(data):
    x, w, b, dout = (a.astype(np.float32) for a in data)
    out, cache = affine_forward(x, w, b)
    assert [a.dtype for a in (out, *affine_backward(dout, cache))] == [np.float32] * 4


@pytest.mark.parametrize("n", [0, 1])
def test_a_batch_of_one_or_of_none(n):
    rng = np.random.default_rng(1)
    out, cache = affine_forward(rng.normal(size=(n, 2, 1)), rng.normal(size=(2, 3)), rng.normal(size=3))
    dx, dw, db = affine_backward(rng.normal(size=(n, 3)), cache)
    assert (out.shape, dx.shape, dw.shape, db.shape) == ((n, 3), (n, 2, 1), (2, 3), (3,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, w, b: (x, w[:-1], b), r"w \(d_1 ⋯ d_k, M\), got x \(3, 2, 5\) and w \(9, 4\)"),
        (lambda x, w, b: (x, w, b[:-1]), r"b of shape \(4,\).*got \(3,\)"),
        (lambda x, w, b: (x, w, b[None]), r"b of shape \(4,\).*got \(1, 4\)"),
        (lambda x, w, b: (x[:, 0, 0], w, b), r"got x \(3,\)"),
        (lambda x, w, b: (x.astype(int), w, b), "x: expected real floating-point numbers, got dtype int64"),
        (lambda x, w, b: (x, w > 0, b), "w: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(data, change, message):
    with pytest.raises(ValueError, match=message):
        affine_forward(*change(*data[:3]))


def test_bad_dout_is_named(data):
    x, w, b, dout = data
    _, cache = affine_forward(x, w, b)
    with pytest.raises(ValueError, match=r"dout of shape \(3, 4\), got \(4, 3\)"):
        affine_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        affine_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees(data):
    import torch

    x, w, b, dout = data
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    out = torch.nn.functional.linear(inputs[0].flatten(1), inputs[1].T, inputs[2])  # its weight is (M, D)
    out.backward(torch.tensor(dout))
    ours, cache = affine_forward(x, w, b)
    np.testing.assert_allclose(ours, out.detach().numpy(), rtol=1e-12)
    for gradient, tensor in zip(affine_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-12)
