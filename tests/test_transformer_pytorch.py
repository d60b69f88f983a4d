"""The course's PyTorch modules of transformers against the NumPy chapters, and what they must not do."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n.classifiers import captioning_transformer as chapter
from cs231n.layers.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from cs231n.layers.positional_encoding import positional_encoding_table

CODE = Path(__file__).resolve().parent.parent / "cs231n"
SOURCES = ("transformer_layers.py", "classifiers/transformer.py", "captioning_solver_transformer.py")
WORDS = {word: number for number, word in enumerate(["<NULL>", "<START>", "<END>", "one", "two", "three"])}
D, W, H, F = 5, 6, 2, 7
NULL = WORDS["<NULL>"]

pytestmark = pytest.mark.torch


def test_no_device_is_chosen_in_the_source() -> None:
    for name in SOURCES:
        text = (CODE / name).read_text(encoding="utf-8")
        assert "cuda" not in text.lower() and '"cpu"' not in text, name
        assert "pip install -e '.[torch]'" in text, name


def put(parameter: Any, array: np.ndarray) -> None:
    import torch

    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def attention_weights(layer: Any, arrays: list[np.ndarray]) -> None:
    """Give a layer the weights of the chapter, in its order."""
    E = layer.emd_dim
    for linear, w, b in zip((layer.query, layer.key, layer.value), arrays[0:6:2], arrays[1:6:2], strict=True):
        put(linear.weight, w.reshape(E, E).T)
        put(linear.bias, b.ravel())
    put(layer.proj.weight, arrays[6].reshape(E, E).T)
    put(layer.proj.bias, arrays[7])


def pair(seed: int = 0, layers: int = 2) -> tuple[Any, chapter.CaptioningTransformer]:
    """Two networks with the same weights in float64, the one of PyTorch in evaluation mode."""
    from cs231n.classifiers.transformer import CaptioningTransformer, TransformerDecoder, TransformerDecoderLayer

    ours = chapter.CaptioningTransformer(WORDS, D, W, H, layers, F, np.float64, rng=seed)
    rng = np.random.default_rng(seed)
    for array in ours.params.values():
        array += 0.2 * rng.normal(size=array.shape)
    theirs = CaptioningTransformer(WORDS, D, W, H, layers)
    theirs.transformer = TransformerDecoder(TransformerDecoderLayer(W, H, F), layers)
    theirs.double().eval()
    p = ours.params
    put(theirs.embedding.weight, p["W_embed"])
    put(theirs.visual_projection.weight, p["W_proj"].T)
    put(theirs.visual_projection.bias, p["b_proj"])
    put(theirs.output.weight, p["W_vocab"].T)
    put(theirs.output.bias, p["b_vocab"])
    names = [name + letter for letter in "qkvo" for name in "wb"]
    for i, layer in enumerate(theirs.transformer.layers):
        attention_weights(layer.self_attn, [p[f"layer{i}_self_{name}"] for name in names])
        attention_weights(layer.multihead_attn, [p[f"layer{i}_cross_{name}"] for name in names])
        for linear, k in ((layer.linear1, 1), (layer.linear2, 2)):
            put(linear.weight, p[f"layer{i}_ff_w{k}"].T)
            put(linear.bias, p[f"layer{i}_ff_b{k}"])
        for norm, part in ((layer.norm1, "self"), (layer.norm2, "cross"), (layer.norm3, "ff")):
            put(norm.weight, p[f"layer{i}_{part}_gamma"])
            put(norm.bias, p[f"layer{i}_{part}_beta"])
    return theirs, ours


def draw(N: int = 3) -> tuple[np.ndarray, np.ndarray]:
    captions = np.array([[1, 3, 4, 2, 0], [1, 5, 2, 0, 0], [1, 4, 4, 3, 2]])
    return np.random.default_rng(3).normal(size=(N, D)), np.resize(captions, (N, 5))


def test_scores_loss_and_gradients_are_those_of_the_chapter() -> None:
    import torch

    from cs231n.rnn_layers_pytorch import temporal_softmax_loss

    theirs, ours = pair()
    features, captions = draw()
    expected, grads = ours.loss(features, captions)
    following = torch.from_numpy(captions[:, 1:])
    scores = theirs(torch.from_numpy(features), torch.from_numpy(captions[:, :-1]))
    loss = temporal_softmax_loss(scores, following, following != NULL)
    loss.backward()
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-12)
    layer = theirs.transformer.layers[0]
    for parameter, gradient in (
        (theirs.visual_projection.weight, grads["W_proj"].T),
        (theirs.output.weight, grads["W_vocab"].T),
        (theirs.embedding.weight, grads["W_embed"]),
        (layer.linear1.weight, grads["layer0_ff_w1"].T),
        (layer.norm2.weight, grads["layer0_cross_gamma"]),
        (layer.self_attn.query.weight, grads["layer0_self_wq"].reshape(W, W).T),
        (layer.self_attn.proj.weight, grads["layer0_self_wo"].reshape(W, W).T),
    ):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient, rtol=1e-9, atol=1e-11)


def test_sampling_writes_what_the_chapter_writes() -> None:
    theirs, ours = pair(seed=4)
    features, _ = draw(8)
    np.testing.assert_array_equal(theirs.sample(features, max_length=9), ours.sample(features, max_length=9))


def test_sampling_drops_nothing_and_leaves_the_mode_alone() -> None:
    """Wishes no. 33: two calls gave two captions."""
    theirs, _ = pair(seed=4)
    features, _ = draw(8)
    expected = theirs.sample(features)
    theirs.train()
    for _ in range(3):
        np.testing.assert_array_equal(theirs.sample(features), expected)
    assert theirs.training and theirs.transformer.training


def test_captions_of_any_length_are_read_and_written() -> None:
    """Wishes no. 33: above 50 words it raised."""
    import torch

    from cs231n.classifiers.transformer import CaptioningTransformer

    net = CaptioningTransformer({w: n for w, n in WORDS.items() if w != "<END>"} | {"six": 2}, D, W, H, 1, max_length=4)
    captions = net.sample(torch.zeros(2, D), max_length=60)
    assert captions.shape == (2, 60) and isinstance(captions, np.ndarray)
    assert net.sample(torch.zeros(2, D), max_length=0).shape == (2, 0)
    with pytest.raises(ValueError, match="expected max_length >= 0, got -1"):
        net.sample(torch.zeros(2, D), max_length=-1)


def test_all_weights_are_drawn_alike_and_the_padding_is_zero() -> None:
    """Wishes no. 32: the output layer was drawn otherwise, and the padding was overwritten."""
    import torch

    from cs231n.classifiers.transformer import CaptioningTransformer

    torch.manual_seed(0)
    net = CaptioningTransformer({str(i): i for i in range(100)} | {"<NULL>": 100}, 40, 64)
    assert not net.embedding.weight[100].any()
    for weight in (net.output.weight, net.visual_projection.weight, net.transformer.layers[1].linear1.weight):
        assert 0.018 < weight.std().item() < 0.022
    assert not net.output.bias.any()


def test_the_memory_has_the_width_of_a_word_and_cross_attention_sees_nothing_else() -> None:
    """Wishes no. 56: it was described otherwise."""
    import torch

    from cs231n.classifiers.transformer import TransformerDecoderLayer

    layer = TransformerDecoderLayer(W, H, F).eval()
    seen = []
    layer.multihead_attn.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1:3]))
    memory = torch.randn(2, 3, W)
    layer(torch.randn(2, 4, W), memory)
    assert all(torch.equal(x, memory) for x in seen[0])
    doc = inspect.getdoc(TransformerDecoderLayer.forward)
    assert doc is not None and "memory: (N, S, W)" in doc


# ------------------------------------------------------------------------------------------------------- layers


def draw_attention(N: int = 2, S: int = 3, T: int = 4, E: int = 6, heads: int = 2) -> tuple[Any, ...]:
    from cs231n.transformer_layers import MultiHeadAttention

    rng = np.random.default_rng(1)
    shapes = [*[(E, heads, E // heads), (heads, E // heads)] * 3, (heads, E // heads, E), (E,)]
    arrays = [rng.normal(size=shape) for shape in shapes]
    layer = MultiHeadAttention(E, heads).double().eval()
    attention_weights(layer, arrays)
    return layer, arrays, [rng.normal(size=(N, length, E)) for length in (S, T, T)], rng.normal(size=(N, S, E))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_gives_the_numbers_of_the_chapter(masked: bool) -> None:
    """Wishes no. 12: the scale was rounded to float32."""
    import torch

    layer, arrays, inputs, dout = draw_attention()
    mask = np.tri(3, 4, dtype=bool) if masked else None
    out, cache = multi_head_attention_forward(*inputs, *arrays, mask=mask)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    theirs = layer(*tensors, attn_mask=None if mask is None else torch.from_numpy(mask))
    np.testing.assert_allclose(theirs.detach().numpy(), out, rtol=1e-12, atol=1e-13)
    theirs.backward(torch.tensor(dout))
    for tensor, gradient in zip(tensors, multi_head_attention_backward(dout, cache)[:3], strict=True):
        np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_query_that_may_look_at_nothing_gets_no_nan(dtype: str) -> None:
    """Wishes no. 13."""
    import torch

    layer, _, inputs, _ = draw_attention()
    layer = layer.to(getattr(torch, dtype))
    tensors = [torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True) for x in inputs]
    mask = torch.ones(3, 4)
    mask[1] = 0
    out = layer(*tensors, attn_mask=mask)
    assert out.dtype == getattr(torch, dtype)
    assert torch.equal(out[0, 1], layer.proj.bias)
    out.square().sum().backward()
    assert all(t.grad.isfinite().all() for t in (*tensors, *layer.parameters()))


def test_a_row_of_the_mask_is_a_query() -> None:
    """Wishes no. 13: the mask was described transposed."""
    import torch

    layer, _, inputs, _ = draw_attention()
    x, z, v = map(torch.tensor, inputs)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[2, 1] = False  # the third query may not look at the second key
    moved = v.clone()
    moved[:, 1] += 5
    change = (layer(x, z, moved, attn_mask=mask) - layer(x, z, v, attn_mask=mask)).abs().amax(dim=(0, 2))
    assert change[2] == 0 and (change[:2] > 0).all()
    with pytest.raises(RuntimeError):
        layer(x, z, v, attn_mask=mask.T)


def test_dropout_strikes_attention_weights_in_training_only() -> None:
    import torch

    from cs231n.transformer_layers import MultiHeadAttention

    torch.manual_seed(0)
    layer = MultiHeadAttention(4, 1, dropout=0.999)
    x = torch.randn(1, 3, 4)
    with torch.no_grad():
        assert torch.equal(layer(x, x, x)[0, 0], layer.proj.bias)  # all weights are struck out, and the bias is not
        assert not torch.equal(layer.eval()(x, x, x)[0, 0], layer.proj.bias)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_places_are_those_of_the_chapter_and_the_table_grows(dtype: str) -> None:
    import torch

    from cs231n.transformer_layers import PositionalEncoding

    layer = PositionalEncoding(6, dropout=0.25, max_len=3)
    x = torch.randn(2, 9, 6, dtype=getattr(torch, dtype))
    out = layer.eval()(x)
    assert out.dtype == x.dtype
    expected = x.numpy() + positional_encoding_table(9, 6)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-6)
    dropped = layer.train()(torch.ones(50, 3, 6))
    assert 0.15 < (dropped == 0).double().mean() < 0.35


def test_a_meta_tensor_shows_that_everything_follows_its_input() -> None:
    """Wishes nos. 12 and 33: some tensors stayed on the processor."""
    import torch

    from cs231n.classifiers.transformer import CaptioningTransformer

    net = CaptioningTransformer(WORDS, D, W, H).to("meta")
    scores = net(torch.zeros(2, D, device="meta"), torch.zeros(2, 5, dtype=torch.long, device="meta"))
    assert scores.device.type == "meta" and scores.shape == (2, 5, len(WORDS))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda layers: layers.MultiHeadAttention(6, 4), "expected num_heads that divides embed_dim, got 4 and 6"),
        (lambda layers: layers.PositionalEncoding(5), "expected an even embed_dim, a sine and a cosine each, got 5"),
    ],
)
def test_sizes_that_do_not_fit_are_named(make: Any, message: str) -> None:
    from cs231n import transformer_layers

    with pytest.raises(ValueError, match=message):
        make(transformer_layers)


# ------------------------------------------------------------------------------------------------------- solver


def solver(num_epochs: int = 2, **settings: Any) -> Any:
    import torch

    from cs231n.captioning_solver_transformer import CaptioningSolverTransformer
    from cs231n.classifiers.transformer import CaptioningTransformer

    features, captions = draw(6)
    data = {"train_features": features, "train_captions": captions, "train_image_idxs": np.arange(6)}
    torch.manual_seed(0)
    net = CaptioningTransformer(WORDS, D, 16, H)
    words = list(WORDS)
    return CaptioningSolverTransformer(net, data, idx_to_word=words, num_epochs=num_epochs, verbose=False, **settings)


def test_the_loss_is_the_sum_over_words_and_the_mean_over_captions() -> None:
    """Wishes no. 29: it was the mean over all positions, with the padding."""
    import torch

    one = solver(num_epochs=1)
    for parameter in (one.model.output.weight, one.model.output.bias):
        torch.nn.init.zeros_(parameter)
    one.train()
    captions = one.train_captions
    np.testing.assert_allclose(one.loss_history[0], (captions[:, 1:] != NULL).sum() / 6 * np.log(len(WORDS)), rtol=1e-6)


def test_it_learns_a_few_captions_by_heart_and_writes_them() -> None:
    some = solver(num_epochs=60, learning_rate=5e-3, rng=0)
    some.model.eval()
    some.train()
    assert not some.model.training
    assert some.loss_history[-1] < 0.3 * some.loss_history[0]
    assert all(p.requires_grad for p in some.model.parameters())
    np.testing.assert_array_equal(some.model.sample(some.train_features, 4), some.train_captions[:, 1:])


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="expected batch_size >= 1, got 0"):
        solver(batch_size=0)
