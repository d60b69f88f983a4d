import io
import pickle

import numpy as np
import pytest

from cs231n.classifiers.fc_net import TwoLayerNet
from cs231n.gradient_check import eval_numerical_gradient

N, SHAPE, D, H, C = 5, (2, 3), 6, 7, 4


@pytest.fixture
def net():
    net = TwoLayerNet(D, H, C, weight_scale=0.6, reg=0.3, rng=2)
    rng = np.random.default_rng(3)
    net.params["b1"], net.params["b2"] = rng.normal(size=H), rng.normal(size=C)
    return net


@pytest.fixture
def batch():
    return np.random.default_rng(4).normal(size=(N, *SHAPE)), np.array([3, 0, 1, 1, 2])


def test_the_star_import_of_the_course_brings_layers_losses_and_compositions():
    names: dict[str, object] = {}
    exec("from cs231n.classifiers.fc_net import *", names)
    assert {"TwoLayerNet", "affine_forward", "batchnorm_backward_alt", "dropout_forward", "layernorm_backward"} <= set(
        names
    )
    assert {"softmax_loss", "svm_loss", "affine_relu_forward", "affine_bn_relu_backward"} <= set(names)


def test_the_scores_entry_by_entry(net, batch):
    X, _ = batch
    W1, b1, W2, b2 = (net.params[name] for name in ("W1", "b1", "W2", "b2"))
    scores = net.loss(X)
    assert scores.shape == (N, C)
    for n in range(N):
        pixels = X[n].reshape(-1)
        hidden = [max(0.0, sum(pixels[d] * W1[d, j] for d in range(D)) + b1[j]) for j in range(H)]
        for c in range(C):
            assert scores[n, c] == pytest.approx(sum(hidden[j] * W2[j, c] for j in range(H)) + b2[c])


def test_the_loss_is_the_mean_over_the_batch_plus_half_the_penalty(net, batch):
    X, y = batch
    s = net.loss(X)
    data = np.mean([np.log(np.exp(s[n]).sum()) - s[n, y[n]] for n in range(N)])
    squares = (net.params["W1"] ** 2).sum() + (net.params["W2"] ** 2).sum()
    assert net.loss(X, y)[0] == pytest.approx(data + 0.3 / 2 * squares, rel=1e-12)


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_gradients_agree_with_differences(net, batch, reg):
    net.reg = reg
    _, grads = net.loss(*batch)
    assert set(grads) == set(net.params)
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(*batch)[0], net.params[name], verbose=False)
        np.testing.assert_allclose(grad, numeric, rtol=1e-6, atol=1e-9)


def test_small_weights_start_at_the_logarithm_of_the_number_of_classes(batch):
    loss, _ = TwoLayerNet(D, H, C, weight_scale=1e-4, rng=0).loss(*batch)
    assert loss == pytest.approx(np.log(C), abs=1e-5)


def test_weights_are_drawn_with_the_scale_asked_for_and_biases_are_zero():
    net = TwoLayerNet(60, 50, 40, weight_scale=1e-2, rng=0)
    assert {name: array.shape for name, array in net.params.items()} == {
        "W1": (60, 50),
        "b1": (50,),
        "W2": (50, 40),
        "b2": (40,),
    }
    assert abs(net.params["W1"].std() / 1e-2 - 1) < 0.05
    assert abs(net.params["W2"].std() / 1e-2 - 1) < 0.05
    assert not net.params["b1"].any() and not net.params["b2"].any()
    assert TwoLayerNet().params["W1"].shape == (3 * 32 * 32, 100)


def test_a_seed_fixes_the_weights_and_the_global_state_stays():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    first, again, other = (TwoLayerNet(D, H, C, rng=seed).params["W1"] for seed in (1, 1, 2))
    unseeded = [TwoLayerNet(D, H, C).params["W1"] for _ in range(2)]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (unseeded[0] != unseeded[1]).any()
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_the_dtype_of_the_parameters_is_kept_whatever_the_data(batch):
    net = TwoLayerNet(D, H, C, reg=np.float64(0.1), dtype=np.float32, rng=0)
    loss, grads = net.loss(*batch)
    assert {a.dtype for a in (loss, net.loss(batch[0]), *grads.values(), *net.params.values())} == {np.dtype("f4")}


def test_nothing_is_changed_and_no_gradient_is_a_parameter(net, batch):
    before = {name: array.copy() for name, array in net.params.items()}
    for array in (*batch, *net.params.values()):
        array.flags.writeable = False
    _, grads = net.loss(*batch)
    for name, array in before.items():
        np.testing.assert_array_equal(net.params[name], array)
        assert not np.shares_memory(grads[name], net.params[name])


def test_parameters_survive_saving_and_loading(net, batch, tmp_path):
    net.save(tmp_path / "best")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]  # NumPy would add a suffix
    other = TwoLayerNet(D, H, C, rng=9)
    other.load(tmp_path / "best")
    np.testing.assert_array_equal(other.loss(batch[0]), net.loss(batch[0]))


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_unpickled(net, tmp_path):
    before = dict(net.params)
    TwoLayerNet(D, H + 1, C).save(tmp_path / "wider")
    with pytest.raises(ValueError, match=r"'W1': \(6, 7\).*got .*'W1': \(6, 8\)"):
        net.load(tmp_path / "wider")
    pickled = io.BytesIO()
    np.save(pickled, np.array(net.params, dtype=object), allow_pickle=True)  # as the course saves
    (tmp_path / "pickled.npy").write_bytes(pickled.getvalue())
    with pytest.raises(ValueError, match="allow_pickle"):
        net.load(tmp_path / "pickled.npy")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ValueError, match="got no parameters"):
        net.load(tmp_path / "one.npy")
    with pytest.raises(FileNotFoundError):
        net.load(tmp_path / "missing")
    assert net.params == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dim": 0}, "hidden_dim >= 1, got 0"),
        ({"input_dim": -3}, "input_dim >= 1, got -3"),
        ({"dtype": int}, "floating-point dtype, got int64"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TwoLayerNet(**arguments)


def test_bad_data_are_named(net, batch):
    X, y = batch
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        net.loss(X.astype(int), y)
    with pytest.raises(ValueError, match=r"got x \(5, 2, 2\) and w \(6, 7\)"):
        net.loss(X[:, :, :2], y)
    with pytest.raises(ValueError, match="labels from 0 to 3, got labels from 1 to 4"):
        net.loss(X, y + 1)


@pytest.mark.torch
def test_pytorch_agrees(net, batch):
    import torch

    X, y = batch
    params = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    hidden = torch.relu(torch.tensor(X).flatten(1) @ params["W1"] + params["b1"])
    scores = hidden @ params["W2"] + params["b2"]
    penalty = (params["W1"] ** 2).sum() + (params["W2"] ** 2).sum()
    total = torch.nn.functional.cross_entropy(scores, torch.tensor(y)) + 0.3 / 2 * penalty
    total.backward()
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    for name, tensor in params.items():
        np.testing.assert_allclose(grads[name], tensor.grad.numpy(), rtol=1e-10, atol=1e-12)
