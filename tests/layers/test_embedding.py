import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.embedding import word_embedding_backward, word_embedding_forward

N, T, V, D = 3, 5, 7, 4


def draw(seed=0, shape=(N, T)):
    rng = np.random.default_rng(seed)
    return rng.integers(V, size=shape), rng.normal(size=(V, D)), rng.normal(size=(*shape, D))


def one_by_one(dout, x, V=V):
    dW = np.zeros((V, dout.shape[-1]), dout.dtype)
    for place in np.ndindex(x.shape):
        dW[x[place]] += dout[place]
    return dW


@pytest.mark.parametrize("shape", [(N, T), (1, 1), (1, 6), (6, 1), (4,), (2, 3, 2), ()])
def test_each_word_gets_its_row_and_gives_back_what_arrives(shape):
    x, W, dout = draw(shape=shape)
    out, cache = word_embedding_forward(x, W)
    assert out.shape == (*shape, D)
    for place in np.ndindex(x.shape):
        np.testing.assert_array_equal(out[place], W[x[place]])
    np.testing.assert_allclose(word_embedding_backward(dout, cache), one_by_one(dout, x), rtol=1e-12, atol=1e-15)


def test_the_gradient_agrees_with_differences():
    x, W, dout = draw()
    numeric = eval_numerical_gradient_array(lambda _: word_embedding_forward(x, W)[0], W, dout)
    np.testing.assert_allclose(word_embedding_backward(dout, word_embedding_forward(x, W)[1]), numeric, atol=1e-9)


@pytest.mark.parametrize("x", [np.zeros((N, T), int), np.full((N, T), V - 1), np.arange(N * T).reshape(N, T) % 2])
def test_repeated_words_add_up(x):
    # dW[x] = dout and dW[x] += dout both keep the last of them
    _, W, dout = draw()
    dW = word_embedding_backward(dout, word_embedding_forward(x, W)[1])
    np.testing.assert_allclose(dW, one_by_one(dout, x), rtol=1e-12)
    assigned = np.zeros_like(W)
    assigned[x] += dout
    assert abs(assigned - dW).max() > 0.1


def test_nothing_is_lost_and_other_rows_stay_zero():
    x, W, dout = draw()
    x[x == 2] = 3
    dW = word_embedding_backward(dout, word_embedding_forward(x, W)[1])
    np.testing.assert_allclose(dW.sum(axis=0), dout.sum(axis=(0, 1)))
    assert not dW[2].any()


def test_no_words_and_one_word():
    _, W, _ = draw()
    out, cache = word_embedding_forward(np.zeros((2, 0), int), W)
    assert out.shape == (2, 0, D)
    np.testing.assert_array_equal(word_embedding_backward(out, cache), np.zeros((V, D)))
    single, cache = word_embedding_forward(np.zeros((2, 3), np.uint8), W[:1])
    np.testing.assert_allclose(word_embedding_backward(single, cache), 6 * W[:1])


def test_no_features():
    out, cache = word_embedding_forward(np.array([[1, 0]]), np.zeros((3, 0)))
    assert word_embedding_backward(out, cache).shape == (3, 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    # the text this project came from summed into a float64 buffer
    x, W, dout = draw()
    out, cache = word_embedding_forward(x, W.astype(dtype))
    assert out.dtype == word_embedding_backward(dout.astype(dtype), cache).dtype == dtype


@pytest.mark.parametrize("words", [np.int8, np.uint8, np.int32, np.uint64])
def test_any_integers_are_words(words):
    x, W, dout = draw()
    dW = word_embedding_backward(dout, word_embedding_forward(x.astype(words), W)[1])
    np.testing.assert_allclose(dW, one_by_one(dout, x), rtol=1e-12)


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, W, dout = draw()
    plain = word_embedding_backward(dout, word_embedding_forward(x, W)[1])
    views = np.asfortranarray(x), np.repeat(W, 2, axis=0)[::2], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    out, cache = word_embedding_forward(*views[:2])
    np.testing.assert_allclose(word_embedding_backward(views[2], cache), plain, rtol=1e-12)
    assert out.base is None  # a copy: changing it changes no table


def test_a_frequent_word_in_float32_keeps_its_digits():
    rng = np.random.default_rng(1)
    dout = rng.uniform(0.5, 1.5, size=(4000, 1)).astype(np.float32)
    dW = word_embedding_backward(dout, word_embedding_forward(np.zeros(4000, int), np.zeros((2, 1), np.float32))[1])
    np.testing.assert_allclose(dW[0, 0], dout.sum(dtype=np.float64), rtol=1e-4)


@pytest.mark.parametrize(
    ("x", "W", "message"),
    [
        (np.array([[0, 7]]), np.zeros((7, 2)), "words from 0 to 6, got words from 0 to 7"),
        (np.array([[-1, 0]]), np.zeros((7, 2)), "words from 0 to 6, got words from -1 to 0"),
        (np.array([[0.0, 1.0]]), np.zeros((7, 2)), "x: expected words as integers, got dtype float64"),
        (np.array([[True]]), np.zeros((7, 2)), "x: expected words as integers, got dtype bool"),
        (np.array([[0]]), np.zeros((7, 2), int), "W: expected real floating-point numbers, got dtype int64"),
        (np.array([[0]]), np.zeros(7), r"W of shape \(V, D\) with V >= 1, got \(7,\)"),
        (np.array([[0]]), np.zeros((0, 2)), r"V >= 1, got \(0, 2\)"),
    ],
)
def test_bad_input_is_named(x, W, message):
    with pytest.raises(ValueError, match=message):
        word_embedding_forward(x, W)


@pytest.mark.parametrize(
    ("dout", "message"),
    [
        (np.zeros((T, N, D)), r"dout of shape \(3, 5, 'D'\), got \(5, 3, 4\)"),
        (np.zeros((N, T)), r"got \(3, 5\)"),
        (np.zeros((N, T, D), int), "dout: expected real floating-point numbers, got dtype int64"),
    ],
)
def test_bad_dout_is_named(dout, message):
    x, W, _ = draw()
    with pytest.raises(ValueError, match=message):
        word_embedding_backward(dout, word_embedding_forward(x, W)[1])


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, W, dout = draw()
    weight = torch.tensor(W, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor(x), weight).backward(torch.tensor(dout))
    dW = word_embedding_backward(dout, word_embedding_forward(x, W)[1])
    np.testing.assert_allclose(dW, weight.grad.numpy(), rtol=1e-12)
