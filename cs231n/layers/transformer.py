r"""The transformer block: attention and a feed-forward network, each with a way around it and a normalization.

Derivation: [Transformer block](../layers/transformer.md)
"""

from typing import Any, NamedTuple

import numpy as np

from cs231n.layers.activations import gelu_backward, gelu_forward, silu_backward, silu_forward
from cs231n.layers.affine import affine_backward, affine_forward
from cs231n.layers.layernorm import LayernormCache, layernorm_backward, layernorm_forward
from cs231n.layers.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from cs231n.layers.relu import relu_backward, relu_forward

_ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "relu": (relu_forward, relu_backward),
    "gelu": (gelu_forward, gelu_backward),
}
_ATTENTION = ("wq", "bq", "wk", "bk", "wv", "bv", "wo", "bo")
_FEED_FORWARD = {"relu": ("w1", "b1", "w2", "b2"), "gelu": ("w1", "b1", "w2", "b2"), "swiglu": ("wg", "wu", "wd")}


class FeedForwardCache(NamedTuple):
    """What the backward needs: the caches of the three layers, and which function stands between."""

    first: Any
    middle: Any
    second: Any
    activation: str


class SwigluCache(NamedTuple):
    """What the backward needs; `g` and `u` are the two products of x, `h` what is sent down."""

    x: np.ndarray
    wg: np.ndarray
    wu: np.ndarray
    wd: np.ndarray
    gate: np.ndarray
    u: np.ndarray
    h: np.ndarray
    silu: Any


class SublayerCache(NamedTuple):
    """One of the parts of a block: what its layer and its normalization need."""

    name: str
    layer: Any
    norm: LayernormCache


class DecoderLayerCache(NamedTuple):
    """The parts of the block in the order of the forward, and the two choices."""

    parts: list[SublayerCache]
    norm: str
    activation: str
    has_memory: bool


def feed_forward_forward(
    x: np.ndarray, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray, activation: str = "relu"
) -> tuple[np.ndarray, FeedForwardCache]:
    r"""An affine layer, ReLU or GELU, and an affine layer back to D features; the same at every position.

    Derivation: [Transformer block](../layers/transformer.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, equation 2.

    Args:
        x: (…, D) the features of each position.
        w1: (D, F) to the hidden units.
        b1: (F,) is added to them.
        w2: (F, D) and back.
        b2: (D,) is added to the output.
        activation: 'relu' or 'gelu'.

    Returns:
        out: the shape of `x`.
        cache: what `feed_forward_backward` needs.

    Raises:
        ValueError: another activation, shapes that do not fit, or an array that does not hold real numbers.

    >>> x = np.array([[1.0, -2.0]])
    >>> w1, w2 = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([[1.0, 0.0], [5.0, 5.0], [5.0, 5.0]])
    >>> feed_forward_forward(x, w1, np.zeros(3), w2, np.array([0.0, 0.5]))[0]
    array([[1. , 0.5]])
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
    if x.ndim < 1 or w1.ndim != 2 or w2.shape != w1.shape[::-1] or x.shape[-1] != len(w1):
        raise ValueError(f"expected x (…, D), w1 (D, F) and w2 (F, D), got {x.shape}, {w1.shape} and {w2.shape}")
    a, first = affine_forward(x.reshape(-1, len(w1)), w1, b1)
    h, middle = _ACTIVATIONS[activation][0](a)
    out, second = affine_forward(h, w2, b2)
    return out.reshape(x.shape), FeedForwardCache(first, middle, second, activation)


def feed_forward_backward(dout: np.ndarray, cache: FeedForwardCache) -> tuple[np.ndarray, ...]:
    r"""The gradients of the input, and of the weights and biases in the order of the forward.

    Derivation: [Transformer block](../layers/transformer.md)

    Source: Vaswani et al. (2017), equation 2; the backward is composed of those of its three layers.

    Args:
        dout: (…, D) gradient of the loss with respect to `out`.
        cache: what `feed_forward_forward` returned.

    Returns:
        dx: (…, D) gradient with respect to `x`.
        dw1: (D, F) gradient with respect to `w1`.
        db1: (F,) gradient with respect to `b1`.
        dw2: (F, D) gradient with respect to `w2`.
        db2: (D,) gradient with respect to `b2`.

    Raises:
        ValueError: `dout` has not as many rows and columns as `out`.

    >>> x = np.array([[1.0, -2.0]])
    >>> w1, w2 = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([[1.0, 0.0], [5.0, 5.0], [5.0, 5.0]])
    >>> _, cache = feed_forward_forward(x, w1, np.zeros(3), w2, np.zeros(2))
    >>> dx, dw1, *_ = feed_forward_backward(np.array([[3.0, 4.0]]), cache)  # one of three units is on
    >>> dx
    array([[3., 0.]])
    """
    first, middle, second, activation = cache
    dh, dw2, db2 = affine_backward(dout.reshape(-1, dout.shape[-1]), second)
    da = _ACTIVATIONS[activation][1](dh, middle)
    dx, dw1, db1 = affine_backward(da, first)
    return dx.reshape(dout.shape), dw1, db1, dw2, db2


def swiglu_forward(x: np.ndarray, wg: np.ndarray, wu: np.ndarray, wd: np.ndarray) -> tuple[np.ndarray, SwigluCache]:
    r"""A feed-forward network with a gate: SiLU of one product of `x` multiplies the other, entry by entry.

    Derivation: [Transformer block](../layers/transformer.md#swiglu)

    Source: Shazeer, GLU variants improve transformer, 2020, equation 6.

    Args:
        x: (…, D) the features of each position.
        wg: (D, F) the weights of the gate.
        wu: (D, F) the weights of what is gated ("up").
        wd: (F, D) back to D features ("down").

    Returns:
        out: the shape of `x`.
        cache: what `swiglu_backward` needs.

    Raises:
        ValueError: shapes that do not fit, or an array that does not hold real numbers.

    >>> x, wg, wu, wd = np.array([[2.0]]), np.array([[0.0, 50.0]]), np.array([[7.0, 0.25]]), np.array([[1.0], [0.1]])
    >>> swiglu_forward(x, wg, wu, wd)[0]  # a gate at 0 is closed, one at 100 multiplies by 100
    array([[5.]])
    """
    if wg.ndim != 2 or x.ndim < 1 or x.shape[-1] != len(wg):
        raise ValueError(f"expected x (…, D) and wg (D, F), got {x.shape} and {wg.shape}")
    for name, array, shape in (("wu", wu, wg.shape), ("wd", wd, wg.shape[::-1])):
        if array.shape != shape:
            raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
    for name, array in (("x", x), ("wg", wg), ("wu", wu), ("wd", wd)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    rows = x.reshape(-1, len(wg))
    gate, silu = silu_forward(rows @ wg)
    u = rows @ wu
    h = gate * u
    return (h @ wd).reshape(x.shape), SwigluCache(x, wg, wu, wd, gate, u, h, silu)


def swiglu_backward(dout: np.ndarray, cache: SwigluCache) -> tuple[np.ndarray, ...]:
    r"""A product sends to each factor the other one; the gate then goes through its own slope.

    Derivation: [Transformer block](../layers/transformer.md#swiglu)

    Source: Shazeer (2020), equation 6, differentiated.

    Args:
        dout: (…, D) gradient of the loss with respect to `out`.
        cache: what `swiglu_forward` returned.

    Returns:
        dx: (…, D) gradient with respect to `x`, from both products.
        dwg: (D, F) gradient with respect to `wg`.
        dwu: (D, F) gradient with respect to `wu`.
        dwd: (F, D) gradient with respect to `wd`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> x, wg, wu, wd = np.array([[2.0]]), np.array([[0.0, 50.0]]), np.array([[7.0, 0.25]]), np.array([[1.0], [0.1]])
    >>> _, cache = swiglu_forward(x, wg, wu, wd)
    >>> swiglu_backward(np.array([[1.0]]), cache)[0]  # the closed gate opens at the rate ½ · 0, the other at 50
    array([[5.]])
    """
    x, wg, wu, wd, gate, u, h, silu = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x.shape:
        raise ValueError(f"expected dout of shape {x.shape}, got {dout.shape}")
    rows, drows = x.reshape(-1, len(wg)), dout.reshape(-1, len(wg))
    dh = drows @ wd.T
    du = gate * dh
    dg = silu_backward(u * dh, silu)
    dx = dg @ wg.T + du @ wu.T
    return dx.reshape(x.shape), rows.T @ dg, rows.T @ du, h.T @ drows


def transformer_decoder_layer_forward(
    x: np.ndarray,
    memory: np.ndarray | None,
    params: dict[str, np.ndarray],
    mask: np.ndarray | None = None,
    memory_mask: np.ndarray | None = None,
    *,
    norm: str = "post",
    activation: str = "relu",
    eps: float = 1e-5,
) -> tuple[np.ndarray, DecoderLayerCache]:
    r"""A block: positions look at each other, then at a memory, then each thinks for itself.

    Each of the three parts is added to its own input. With `norm='post'`, as in the paper and the course, the sum is
    normalized; with `norm='pre'`, as in GPT-2 and most that came after it, the input of the part is. Without a memory
    there is no second part: an encoder's block, or with a causal mask that of a language model. A part of which
    `params` holds nothing is left out.

    The names of the parameters are those of [multi-head attention](../layers/multi_head_attention.md) behind `self_`
    and `cross_`, those of the feed-forward network behind `ff_`, and for each part `gamma` and `beta` of its
    normalization: `self_wq`, `cross_bo`, `ff_w1`, `ff_gamma`.

    Derivation: [Transformer block](../layers/transformer.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, sections 3.1 to 3.3.

    Args:
        x: (N, S, D) the sequences.
        memory: (N, T, D) what the second part looks at, or None: it is left out.
        params: the arrays, by name.
        mask: (S, S), or as `multi_head_attention_forward` takes it: true where a position may look at another.
        memory_mask: (S, T), the same for the memory.
        norm: 'post' or 'pre'.
        activation: 'relu', 'gelu' or 'swiglu'; the last has the weights `ff_wg`, `ff_wu`, `ff_wd`.
        eps: of the normalizations.

    Returns:
        out: (N, S, D) the sequences behind the block.
        cache: what `transformer_decoder_layer_backward` needs.

    Raises:
        ValueError: another norm or activation, a missing parameter, or shapes that do not fit.

    >>> rng = np.random.default_rng(0)
    >>> D, H, E, F = 4, 2, 3, 5
    >>> params = {f"self_{w}": rng.normal(size=(D, H, E)) for w in ("wq", "wk", "wv")}
    >>> params |= {f"self_{b}": np.zeros((H, E)) for b in ("bq", "bk", "bv")}
    >>> params |= {"self_wo": rng.normal(size=(H, E, D)), "self_bo": np.zeros(D)}
    >>> params |= {"ff_w1": rng.normal(size=(D, F)), "ff_b1": np.zeros(F)}
    >>> params |= {"ff_w2": rng.normal(size=(F, D)), "ff_b2": np.zeros(D)}
    >>> params |= {f"{part}_{w}": np.full(D, w == "gamma", float) for part in ("self", "ff") for w in ("gamma", "beta")}
    >>> x, causal = rng.normal(size=(2, 7, D)), np.tri(7, dtype=bool)
    >>> out, cache = transformer_decoder_layer_forward(x, None, params, causal)
    >>> out.shape, abs(out.mean(axis=-1)).max() < 1e-12
    ((2, 7, 4), np.True_)
    """
    if norm not in ("post", "pre"):
        raise ValueError(f"norm: expected 'post' or 'pre', got {norm!r}")
    if activation not in _FEED_FORWARD:
        raise ValueError(f"activation: expected one of {', '.join(_FEED_FORWARD)}, got {activation!r}")
    names = [part for part in ("self", "cross", "ff") if any(name.startswith(f"{part}_") for name in params)]
    if memory is None:
        names = [part for part in names if part != "cross"]
    elif "cross" not in names:
        raise ValueError("params: expected cross_wq and the others that look at the memory, got none of them")
    needed = [f"{part}_{name}" for part in names for name in _names(part, activation)]
    if missing := [name for name in needed if name not in params]:
        raise ValueError(f"params: expected {', '.join(needed)}, got no {', '.join(missing)}")

    attend: Any = multi_head_attention_forward
    think: Any = feed_forward_forward
    parts = []
    for part in names:
        arrays: Any = [params[f"{part}_{name}"] for name in _names(part, activation)]
        weights: Any = arrays[:-2]
        gamma, beta = arrays[-2:]
        u = x
        if norm == "pre":
            u, norm_cache = layernorm_forward(x, gamma, beta, {"eps": eps})
        f: np.ndarray
        layer: Any
        if part == "self":
            f, layer = attend(u, u, u, *weights, mask)
        elif part == "cross" and memory is not None:
            f, layer = attend(u, memory, memory, *weights, memory_mask)
        elif activation == "swiglu":
            f, layer = swiglu_forward(u, *weights)
        else:
            f, layer = think(u, *weights, activation)
        x = x + f
        if norm == "post":
            x, norm_cache = layernorm_forward(x, gamma, beta, {"eps": eps})
        parts.append(SublayerCache(part, layer, norm_cache))
    return x, DecoderLayerCache(parts, norm, activation, memory is not None)


def transformer_decoder_layer_backward(
    dout: np.ndarray, cache: DecoderLayerCache
) -> tuple[np.ndarray, np.ndarray | None, dict[str, np.ndarray]]:
    r"""The parts in reverse order; in each the gradient goes both through the part and around it.

    Derivation: [Transformer block](../layers/transformer.md)

    Source: Vaswani et al. (2017), sections 3.1 to 3.3; the backward is composed of those of its layers.

    Args:
        dout: (N, S, D) gradient of the loss with respect to `out`.
        cache: what `transformer_decoder_layer_forward` returned.

    Returns:
        dx: (N, S, D) gradient with respect to `x`.
        dmemory: (N, T, D) gradient with respect to `memory`, as keys and as values; None if there was none.
        grads: the gradient with respect to each entry of `params` that was used, under the same names.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> rng = np.random.default_rng(0)
    >>> params = {f"self_{w}": rng.normal(size=(4, 2, 3)) for w in ("wq", "wk", "wv")}
    >>> params |= {f"self_{b}": np.zeros((2, 3)) for b in ("bq", "bk", "bv")}
    >>> params |= {"self_wo": rng.normal(size=(2, 3, 4)), "self_bo": np.zeros(4)}
    >>> params |= {f"ff_{w}": rng.normal(size=(4, 5)) for w in ("wg", "wu")} | {"ff_wd": rng.normal(size=(5, 4))}
    >>> params |= {f"{part}_{w}": np.ones(4) for part in ("self", "ff") for w in ("gamma", "beta")}
    >>> x = rng.normal(size=(2, 7, 4))
    >>> _, cache = transformer_decoder_layer_forward(x, None, params, norm="pre", activation="swiglu")
    >>> dx, dmemory, grads = transformer_decoder_layer_backward(np.ones((2, 7, 4)), cache)
    >>> dx.shape, dmemory, grads.keys() == params.keys()
    ((2, 7, 4), None, True)
    """
    dx, dmemory = dout, None
    grads: dict[str, np.ndarray] = {}
    for part, layer, norm_cache in reversed(cache.parts):
        dgamma: np.ndarray
        if cache.norm == "post":
            dx, dgamma, dbeta = layernorm_backward(dx, norm_cache)
        if part == "ff":
            backward = swiglu_backward if cache.activation == "swiglu" else feed_forward_backward
            du, *dweights = backward(dx, layer)
        else:
            du, dkey, dvalue, *dweights = multi_head_attention_backward(dx, layer)
            if part == "self":
                du = du + dkey + dvalue
            else:
                dmemory = dkey + dvalue
        if cache.norm == "pre":
            du, dgamma, dbeta = layernorm_backward(du, norm_cache)
        dx = dx + du  # around the part, and through it
        names = _names(part, cache.activation)
        grads |= {f"{part}_{name}": d for name, d in zip(names, (*dweights, dgamma, dbeta), strict=True)}
    return dx, dmemory, grads


def _names(part: str, activation: str) -> tuple[str, ...]:
    """The parameters of a part, in the order of its function, and those of its normalization."""
    return (*(_FEED_FORWARD[activation] if part == "ff" else _ATTENTION), "gamma", "beta")
