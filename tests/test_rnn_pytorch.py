"""The course's PyTorch modules of captioning against the NumPy chapters, and what they must not do."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n import layers
from cs231n.captioning_solver import CaptioningSolver
from cs231n.classifiers import rnn
from cs231n.losses import temporal_softmax_loss

CODE = Path(__file__).resolve().parent.parent / "cs231n"
SOURCES = [
    CODE / name for name in ("rnn_layers_pytorch.py", "classifiers/rnn_pytorch.py", "captioning_solver_pytorch.py")
]
WORDS = {word: number for number, word in enumerate(["<NULL>", "<START>", "<END>", "one", "two", "three", "four"])}
N, T, D, H = 3, 5, 4, 2


def test_no_device_is_chosen_in_the_source() -> None:
    """Wishes no. 50: a device was chosen at import."""
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "cuda" not in text.lower(), path.name
        assert "pip install -e '.[torch]'" in text, path.name


def tensors(*arrays: np.ndarray) -> list[Any]:
    import torch

    return [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def close(ours: Any, theirs: Any) -> None:
    ours = ours.detach().numpy() if hasattr(ours, "detach") else ours
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


# --------------------------------------------------------------------------------------------------- the layers


def cell(rng: np.random.Generator, blocks: int, time: tuple[int, ...]) -> list[np.ndarray]:
    shapes = [(N, *time, D), (N, H), (D, blocks * H), (H, blocks * H), (blocks * H,)]
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "blocks", "time"),
    [
        ("affine", 3, None),
        ("temporal_affine", 3, None),
        ("rnn_step", 1, ()),
        ("rnn", 1, (T,)),
        ("rnn", 1, (1,)),
        ("lstm", 4, (T,)),
        ("lstm", 4, (1,)),
    ],
)
def test_a_layer_and_its_gradients_are_those_of_the_chapter(
    name: str, blocks: int, time: Any, rng: np.random.Generator, upstream: Any
) -> None:
    import torch

    from cs231n import rnn_layers_pytorch

    if time is None:
        arrays = [rng.normal(size=(N, T, D)), rng.normal(size=(D, blocks)), rng.normal(size=blocks)]
        if name == "affine":
            arrays[1] = rng.normal(size=(T * D, blocks))
    else:
        arrays = cell(rng, blocks, time)
    given = tensors(*arrays)
    out, cache = getattr(layers, f"{name}_forward")(*arrays)
    theirs = getattr(rnn_layers_pytorch, f"{name}_forward")(*given)
    close(theirs, out)
    dout = upstream(*out.shape)
    theirs.backward(torch.tensor(dout))
    for tensor, gradient in zip(given, getattr(layers, f"{name}_backward")(dout, cache), strict=True):
        close(tensor.grad, gradient)


@pytest.mark.torch
def test_an_lstm_step_gets_gradients_by_state_and_cell(rng: np.random.Generator, upstream: Any) -> None:
    import torch

    from cs231n.rnn_layers_pytorch import lstm_step_forward

    x, h, Wx, Wh, b = cell(rng, 4, ())
    arrays = x, h, rng.normal(size=(N, H)), Wx, Wh, b
    given = tensors(*arrays)
    next_h, next_c, cache = layers.lstm_step_forward(*arrays)
    theirs_h, theirs_c = lstm_step_forward(*given)
    close(theirs_h, next_h)
    close(theirs_c, next_c)
    dnext_h, dnext_c = upstream(N, H), upstream(N, H)
    torch.autograd.backward([theirs_h, theirs_c], [torch.tensor(dnext_h), torch.tensor(dnext_c)])
    for tensor, gradient in zip(given, layers.lstm_step_backward(dnext_h, dnext_c, cache), strict=True):
        close(tensor.grad, gradient)


@pytest.mark.torch
def test_embedding_adds_up_the_gradients_of_a_word(rng: np.random.Generator, upstream: Any) -> None:
    import torch

    from cs231n.rnn_layers_pytorch import word_embedding_forward

    x, W = np.array([[3, 1, 3], [0, 3, 1]]), rng.normal(size=(5, D))
    words, table = tensors(x, W)
    out, cache = layers.word_embedding_forward(x, W)
    theirs = word_embedding_forward(words, table)
    close(theirs, out)
    dout = upstream(*out.shape)
    theirs.backward(torch.tensor(dout))
    close(table.grad, layers.word_embedding_backward(dout, cache))
    for wrong in (-1, 5):  # indexing would take the last row for −1
        with pytest.raises(IndexError):
            word_embedding_forward(torch.tensor([wrong]), table)


@pytest.mark.torch
@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_and_its_gradient_are_those_of_the_chapter(
    scale: float, weighted: bool, rng: np.random.Generator
) -> None:
    from cs231n.rnn_layers_pytorch import temporal_softmax_loss as in_pytorch

    x, y = scale * rng.normal(size=(N, T, 7)), rng.integers(7, size=(N, T))
    mask = rng.random((N, T)) if weighted else rng.random((N, T)) < 0.5
    scores, words, counts = tensors(x, y, mask)
    theirs = in_pytorch(scores, words, counts, verbose=False)
    theirs.backward()
    loss, dx = temporal_softmax_loss(x, y, mask)
    close(theirs, loss)
    close(scores.grad, dx)


@pytest.mark.torch
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_left_out_never_makes_a_nan(bad: float, rng: np.random.Generator) -> None:
    """A loss that is multiplied by the mask is NaN here: 0 · NaN. Nor does the word at such a position matter."""
    from cs231n.rnn_layers_pytorch import temporal_softmax_loss as in_pytorch

    x, y, mask = rng.normal(size=(N, T, 7)), rng.integers(7, size=(N, T)), rng.random((N, T)) < 0.5
    expected, dx = temporal_softmax_loss(x, y, mask)
    x[~mask], y[~mask] = bad, -100
    scores, words, counts = tensors(x, y, mask)
    theirs = in_pytorch(scores, words, counts)
    theirs.backward()
    close(theirs, expected)
    close(scores.grad, dx)

    nothing = in_pytorch(scores, words, counts & False)
    scores.grad = None
    nothing.backward()
    assert nothing.item() == 0 and (scores.grad == 0).all()


@pytest.mark.torch
def test_a_sequence_may_be_empty() -> None:
    import torch

    from cs231n.rnn_layers_pytorch import lstm_forward, rnn_forward

    for forward, blocks in ((rnn_forward, 1), (lstm_forward, 4)):
        sizes = [(N, 0, D), (N, H), (D, blocks * H), (H, blocks * H), (blocks * H,)]
        assert forward(*(torch.zeros(size) for size in sizes)).shape == (N, 0, H)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_device_and_precision_are_those_of_what_comes_in(dtype: str) -> None:
    """On the device "meta" nothing is computed, and a tensor that was made elsewhere would be refused."""
    import torch

    from cs231n import rnn_layers_pytorch as p
    from cs231n.classifiers.rnn_pytorch import CaptioningRNN

    def there(*shape: int) -> Any:
        return torch.empty(shape, dtype=getattr(torch, dtype), device="meta")

    def words(*shape: int) -> Any:
        return torch.zeros(shape, dtype=torch.long, device="meta")

    x, h, b = there(N, T, D), there(N, H), there(H)
    outs = [
        p.rnn_forward(x, h, there(D, H), there(H, H), b),
        p.rnn_step_forward(x[:, 0], h, there(D, H), there(H, H), b),
        p.lstm_forward(x, h, there(D, 4 * H), there(H, 4 * H), there(4 * H)),
        *p.lstm_step_forward(x[:, 0], h, h, there(D, 4 * H), there(H, 4 * H), there(4 * H)),
        p.word_embedding_forward(words(N, T), there(7, D)),
        p.temporal_affine_forward(x, there(D, H), b),
        p.temporal_softmax_loss(x, words(N, T), words(N, T) == 0),
    ]
    for cell_type in ("rnn", "lstm"):
        net = CaptioningRNN(WORDS, D, 5, H, cell_type, getattr(torch, dtype), device="meta")
        outs.append(net.loss(torch.zeros(N, D), torch.zeros(N, T, dtype=torch.int32)))
    assert {(out.device.type, out.dtype) for out in outs} == {("meta", getattr(torch, dtype))}


@pytest.mark.torch
@pytest.mark.parametrize("wrong", ["state", "bias"])
def test_a_state_or_a_bias_is_not_repeated(wrong: str) -> None:
    """PyTorch adds (1, H) to (N, H) without a word."""
    import torch

    from cs231n import rnn_layers_pytorch as p

    h, b = (torch.zeros(1, H), torch.zeros(H)) if wrong == "state" else (torch.zeros(N, H), torch.zeros(1))
    x, Wx, Wh = torch.zeros(N, T, D), torch.zeros(D, H), torch.zeros(H, H)
    name = "h0|prev_h" if wrong == "state" else "b"
    with pytest.raises(ValueError, match=f"expected ({name}) of shape"):
        p.rnn_forward(x, h, Wx, Wh, b)
    with pytest.raises(ValueError, match=f"expected ({name}) of shape"):
        p.rnn_step_forward(x[:, 0], h, Wx, Wh, b)
    Wx, Wh, b = (a.repeat_interleave(4, -1) for a in (Wx, Wh, b))
    with pytest.raises(ValueError, match=f"expected ({name}) of shape"):
        p.lstm_forward(x, h, Wx, Wh, b)
    with pytest.raises(ValueError, match=f"expected ({name}) of shape"):
        p.lstm_step_forward(x[:, 0], h, torch.zeros(N, H), Wx, Wh, b)
    with pytest.raises(ValueError, match="expected y of shape"):
        p.temporal_softmax_loss(x, torch.zeros(N, 1, dtype=torch.long), torch.zeros(N, T) == 0)
    with pytest.raises(ValueError, match="expected mask of shape"):
        p.temporal_softmax_loss(x, torch.zeros(N, T, dtype=torch.long), torch.zeros(T) == 0)


# -------------------------------------------------------------------------------------------------- the network


def both(cell_type: str, seed: int = 0) -> tuple[rnn.CaptioningRNN, Any]:
    import torch

    from cs231n.classifiers import rnn_pytorch

    ours = rnn.CaptioningRNN(WORDS, D, 5, 8, cell_type, np.float64, rng=seed)
    return ours, rnn_pytorch.CaptioningRNN(WORDS, D, 5, 8, cell_type, torch.float64, rng=seed)


CAPTIONS = np.array([[1, 3, 2, 0], [1, 4, 6, 2], [1, 2, 0, 0]])


@pytest.mark.torch
@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_the_loss_and_all_eight_gradients_are_those_of_the_chapter(cell_type: str, rng: np.random.Generator) -> None:
    import torch

    ours, theirs = both(cell_type)
    features = rng.normal(size=(N, D))
    for name, tensor in theirs.params.items():
        np.testing.assert_array_equal(tensor.numpy(), ours.params[name])  # one seed, the same weights
        tensor.requires_grad_()
    loss, grads = ours.loss(features, CAPTIONS)
    value = theirs.loss(torch.tensor(features), torch.tensor(CAPTIONS, dtype=torch.int32))
    value.backward()
    close(value, loss)
    assert len(grads) == 8
    for name, gradient in grads.items():
        close(theirs.params[name].grad, gradient)


@pytest.mark.torch
@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_it_says_the_same_words(cell_type: str, rng: np.random.Generator) -> None:
    from cs231n.coco_utils import decode_captions

    features = 3 * rng.normal(size=(20, D))
    seen = set()
    for seed in range(4):
        ours, theirs = both(cell_type, seed)
        captions = theirs.sample(features, max_length=6)
        np.testing.assert_array_equal(captions.numpy(), ours.sample(features, max_length=6))
        assert not captions.requires_grad
        seen |= set(captions.flatten().tolist())
        words = list(WORDS)
        assert decode_captions(captions, words) == decode_captions(captions.numpy(), words)
    assert {0, 2} < seen  # some ended, and had <NULL> behind


@pytest.mark.torch
@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_the_first_word_that_is_read_is_start(cell_type: str) -> None:
    """Wishes, part 4: it read <NULL> first, and a column of the result stayed empty."""
    import torch

    _, net = both(cell_type)
    for name, tensor in net.params.items():
        tensor.zero_()
        if name == "b":
            tensor[: 2 * 8] = 50  # gates of an LSTM: open
            tensor[2 * 8 : 3 * 8] = 50
    if cell_type == "rnn":
        net.params["b"].zero_()
    net.params["W_embed"][WORDS["<START>"], 0] = 1
    net.params["W_embed"][WORDS["<NULL>"], 0] = -1
    net.params["Wx"][0, -1] = 1
    net.params["W_vocab"][-1, WORDS["three"]] = 1
    net.params["W_vocab"][-1, WORDS["four"]] = -1
    assert net.sample(torch.zeros(1, D), max_length=1).tolist() == [[WORDS["three"]]]


@pytest.mark.torch
def test_what_the_network_refuses() -> None:
    import torch

    from cs231n.classifiers.rnn_pytorch import CaptioningRNN

    features = torch.zeros(N, D)
    _, net = both("rnn")
    with pytest.raises(ValueError, match="floating-point"):
        CaptioningRNN(WORDS, dtype=torch.int64)
    with pytest.raises(ValueError, match="cell_type"):
        CaptioningRNN(WORDS, cell_type="gru")
    with pytest.raises(ValueError, match="<NULL>"):
        CaptioningRNN({"cat": 0})
    with pytest.raises(ValueError, match="<START>"):
        CaptioningRNN({"<NULL>": 0, "cat": 1}, D).sample(features)
    with pytest.raises(ValueError, match="max_length"):
        net.sample(features, max_length=-1)
    with pytest.raises(ValueError, match="T >= 1"):
        net.loss(features, torch.zeros(N, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="a caption for each image"):
        net.loss(features, torch.zeros(N - 1, T, dtype=torch.long))
    with pytest.raises(ValueError, match="integers"):
        net.loss(features, torch.zeros(N, T))
    with pytest.raises(IndexError):
        net.loss(features, torch.full((N, T), len(WORDS)))


@pytest.mark.torch
def test_seeds_and_a_vocabulary_without_end() -> None:
    import torch

    from cs231n.classifiers.rnn_pytorch import CaptioningRNN

    before = torch.get_rng_state()
    nets = [CaptioningRNN(WORDS, D, 5, H, rng=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    wx = [net.params["Wx"] for net in nets]
    assert wx[0].dtype == torch.float32 and not wx[0].requires_grad
    assert torch.equal(wx[0], wx[1]) and not torch.equal(wx[0], wx[2])
    with torch.random.fork_rng():
        drawn = []
        for _ in range(2):
            torch.manual_seed(7)
            drawn.append(CaptioningRNN(WORDS, D, 5, H).params["Wx"])
        drawn.append(CaptioningRNN(WORDS, D, 5, H).params["Wx"])
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])

    endless = CaptioningRNN({"<NULL>": 0, "<START>": 1, "cat": 2}, D, 5, H, rng=0)
    endless.params["b_vocab"][2] = 99
    assert endless.sample(torch.zeros(2, D), max_length=3).tolist() == [[2, 2, 2]] * 2
    assert endless.sample(torch.zeros(2, D), max_length=0).shape == (2, 0)


# --------------------------------------------------------------------------------------------------- the solver


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    features = np.random.default_rng(0).normal(size=(N, D))
    idxs = np.array([0, 1, 2, 2, 1, 0])
    return {"train_features": features, "train_captions": CAPTIONS[idxs], "train_image_idxs": idxs}


@pytest.mark.torch
@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_training_goes_the_way_of_the_other_solver(cell_type: str, data: dict[str, np.ndarray]) -> None:
    """Same seed, same batches, and Adam is Adam."""
    from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch

    ours, theirs = both(cell_type)
    settings: dict[str, Any] = {"batch_size": 4, "num_epochs": 8, "rng": 5, "verbose": False}
    numpy_solver = CaptioningSolver(
        ours, data, update_rule="adam", optim_config={"learning_rate": 0.02}, lr_decay=1.0, **settings
    )
    numpy_solver.train()
    solver = CaptioningSolverPytorch(theirs, data, learning_rate=0.02, **settings)
    solver.train()
    np.testing.assert_allclose(solver.loss_history, numpy_solver.loss_history, rtol=1e-7)
    assert solver.epoch == 8 and all(isinstance(loss, float) for loss in solver.loss_history)
    for name, tensor in theirs.params.items():
        np.testing.assert_allclose(tensor.numpy(), ours.params[name], rtol=1e-5, atol=1e-7)
        assert not tensor.requires_grad and tensor.grad is None


@pytest.mark.torch
def test_it_learns_by_heart_and_goes_on(data: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch

    _, net = both("rnn")
    solver = CaptioningSolverPytorch(net, data, batch_size=100, num_epochs=60, learning_rate=0.02, rng=0)
    solver.train()
    assert len(solver.loss_history) == 60  # a batch holds at most what there is
    assert solver.loss_history[-1] < 0.1 < solver.loss_history[0]
    np.testing.assert_array_equal(net.sample(data["train_features"], max_length=3), CAPTIONS[:, 1:])
    solver.num_epochs = 61
    solver.train()
    assert len(solver.loss_history) == 61
    assert capsys.readouterr() == ("", "")


@pytest.mark.torch
def test_new_tensors_are_trained_and_not_the_old_ones(data: dict[str, np.ndarray]) -> None:
    from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch

    _, net = both("rnn")
    solver = CaptioningSolverPytorch(net, data, num_epochs=1)
    net.params = {name: tensor.clone() for name, tensor in net.params.items()}
    before = net.params["Wx"].clone()
    solver.train()
    assert not bool((net.params["Wx"] == before).all())


@pytest.mark.torch
def test_ctrl_c_ends_the_training_and_not_the_program(data: dict[str, np.ndarray]) -> None:
    from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch

    _, net = both("rnn")
    solver = CaptioningSolverPytorch(net, data, batch_size=3, num_epochs=3, rng=0)
    loss = net.loss

    def pressed(*batch: Any) -> Any:
        if len(solver.loss_history) == 3:
            signal.raise_signal(signal.SIGINT)
        return loss(*batch)

    net.loss = pressed
    solver.train()
    assert (solver.interrupted, len(solver.loss_history)) == (True, 3)
    assert not any(tensor.requires_grad for tensor in net.params.values())
    net.loss = loss
    solver.train()
    assert (solver.interrupted, solver.epoch) == (False, 3)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"num_epochs": -1}, "num_epochs >= 0"),
        ({"print_every": 0}, "print_every >= 1"),
        ({"data": {}}, "train_captions"),
    ],
)
def test_what_the_solver_refuses(settings: dict[str, Any], message: str, data: dict[str, np.ndarray]) -> None:
    from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch

    _, net = both("rnn")
    with pytest.raises(ValueError, match=message):
        CaptioningSolverPytorch(**{"model": net, "data": data} | settings)
    with pytest.raises(TypeError, match="lr_decay"):
        CaptioningSolverPytorch(**{"model": net, "data": data, "lr_decay": 0.9})
