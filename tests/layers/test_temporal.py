import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.affine import affine_backward, affine_forward
from cs231n.layers.temporal import temporal_affine_backward, temporal_affine_forward

N, T, D, M = 2, 5, 3, 4


def draw(seed=0, N=N, T=T, D=D, M=M):
    rng = np.random.default_rng(seed)
    shapes = (N, T, D), (D, M), (M,), (N, T, M)
    return tuple(rng.normal(size=shape) for shape in shapes)


def test_each_position_is_an_affine_layer_of_its_own_and_the_weights_add_up():
    x, w, b, dout = draw()
    out, cache = temporal_affine_forward(x, w, b)
    dx, dw, db = temporal_affine_backward(dout, cache)
    total_w, total_b = np.zeros_like(w), np.zeros_like(b)
    for t in range(T):
        step, step_cache = affine_forward(x[:, t], w, b)
        np.testing.assert_allclose(out[:, t], step, rtol=1e-12)
        step_dx, step_dw, step_db = affine_backward(dout[:, t], step_cache)
        np.testing.assert_allclose(dx[:, t], step_dx, rtol=1e-12)
        total_w, total_b = total_w + step_dw, total_b + step_db
    np.testing.assert_allclose(dw, total_w, rtol=1e-12)
    np.testing.assert_allclose(db, total_b, rtol=1e-12)


@pytest.mark.parametrize("sizes", [{}, {"N": 1}, {"T": 1}, {"D": 1}, {"M": 1}, {"N": 1, "T": 1, "D": 1, "M": 1}])
def test_gradients_agree_with_differences(sizes):
    x, w, b, dout = draw(**sizes)
    gradients = temporal_affine_backward(dout, temporal_affine_forward(x, w, b)[1])
    for array, gradient in zip((x, w, b), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: temporal_affine_forward(x, w, b)[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-9)


def test_positions_do_not_see_each_other():
    x, w, b, dout = draw()
    out, cache = temporal_affine_forward(x, w, b)
    x[1, 2], dout[0, 3] = np.nan, np.nan
    touched = np.isnan(temporal_affine_forward(x, w, b)[0]).all(axis=2)
    assert touched[1, 2] and touched.sum() == 1
    arrived = np.isnan(temporal_affine_backward(dout, cache)[0]).all(axis=2)
    assert arrived[0, 3] and arrived.sum() == 1
    assert np.isfinite(out).all()


def test_an_empty_batch():
    x, w, b, dout = draw(N=0)
    out, cache = temporal_affine_forward(x, w, b)
    dx, dw, db = temporal_affine_backward(dout, cache)
    assert out.shape == (0, T, M) and dx.shape == (0, T, D)
    assert not dw.any() and not db.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x, w, b, dout = (a.astype(dtype) for a in draw())
    out, cache = temporal_affine_forward(x, w, b)
    assert {a.dtype for a in (out, *cache, *temporal_affine_backward(dout, cache))} == {np.dtype(dtype)}


def test_outputs_stored_time_first_serve_as_well_and_nothing_is_changed():
    x, w, b, dout = draw()
    plain = temporal_affine_backward(dout, temporal_affine_forward(x, w, b)[1])
    views = (
        np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2),
        np.asfortranarray(w),
        np.repeat(b, 2)[::2],
        np.ascontiguousarray(dout.transpose(1, 0, 2)).transpose(1, 0, 2),
    )
    for view in views:
        view.flags.writeable = False
    _, cache = temporal_affine_forward(*views[:3])
    for gradient, expected in zip(temporal_affine_backward(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((N * T, D))}, r"x \(N, T, D\) and w \(D, M\), got x \(10, 3\) and w \(3, 4\)"),
        ({"w": np.zeros((M, D))}, r"got x \(2, 5, 3\) and w \(4, 3\)"),
        ({"b": np.zeros(D)}, r"b of shape \(4,\).*got \(3,\)"),
        ({"b": np.zeros((T, M))}, r"b of shape \(4,\).*got \(5, 4\)"),
        ({"x": np.zeros((N, T, D), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"w": np.zeros((D, M), bool)}, "w: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(change, message):
    x, w, b, _ = draw()
    with pytest.raises(ValueError, match=message):
        temporal_affine_forward(**({"x": x, "w": w, "b": b} | change))


def test_bad_dout_is_named():
    x, w, b, dout = draw()
    _, cache = temporal_affine_forward(x, w, b)
    with pytest.raises(ValueError, match=r"dout of shape \(2, 5, 4\), got \(5, 2, 4\)"):
        temporal_affine_backward(dout.transpose(1, 0, 2), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        temporal_affine_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, w, b, dout = draw()
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    theirs = torch.nn.functional.linear(tensors[0], tensors[1].T, tensors[2])
    theirs.backward(torch.tensor(dout))
    ours, cache = temporal_affine_forward(x, w, b)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)
    for gradient, tensor in zip(temporal_affine_backward(dout, cache), tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10)
