import inspect
import io
import pickle

import numpy as np
import pytest

from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.layers import affine_forward, conv_forward_naive, max_pool_forward_naive
from cs231n.solver import Solver

N, C, H, W, F, M, K = 3, 2, 5, 7, 4, 6, 8


def network(**settings):
    """A network whose biases are random too: at 0 many mistakes do not show."""
    defaults = {"input_dim": (C, H, W), "num_filters": F, "filter_size": 3, "hidden_dim": M, "num_classes": K}
    net = ThreeLayerConvNet(**(defaults | {"weight_scale": 0.4, "reg": 0.3, "dtype": np.float64, "rng": 2} | settings))
    rng = np.random.default_rng(3)
    for name in ("b1", "b2", "b3"):
        net.params[name] = rng.normal(size=net.params[name].shape).astype(net.params[name].dtype)
    return net


def batch(height=H, width=W, channels=C):
    return np.random.default_rng(4).normal(size=(N, channels, height, width)), np.array([3, 0, 7])


def test_the_star_import_of_the_course_brings_layers_losses_and_compositions():
    names: dict[str, object] = {}
    exec("from cs231n.classifiers.cnn import *", names)
    assert {"ThreeLayerConvNet", "conv_forward_naive", "batchnorm_backward", "conv_relu_pool_backward"} <= set(names)
    assert {"affine_relu_forward", "softmax_loss", "max_pool_backward_naive"} <= set(names)


def test_the_signature_of_the_course():
    parameters = list(inspect.signature(ThreeLayerConvNet).parameters.values())
    sizes = ["input_dim", "num_filters", "filter_size", "hidden_dim", "num_classes"]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [*sizes, "weight_scale", "reg", "dtype"]


def test_the_scores_are_those_of_the_plain_layers():
    net, (X, _) = network(), batch()
    p = net.params
    a, _ = conv_forward_naive(X, p["W1"], p["b1"], {"stride": 1, "pad": 1})
    v, _ = max_pool_forward_naive(np.maximum(0, a), {"pool_height": 2, "pool_width": 2, "stride": 2})
    h = np.maximum(0, affine_forward(v, p["W2"], p["b2"])[0])
    np.testing.assert_allclose(net.loss(X), h @ p["W3"] + p["b3"], rtol=1e-12)


def test_the_loss_is_the_mean_over_the_batch_plus_half_the_penalty_on_all_weights():
    net, (X, y) = network(), batch()
    s = net.loss(X)
    data = np.mean([np.log(np.exp(s[n]).sum()) - s[n, y[n]] for n in range(N)])
    squares = sum((net.params[name] ** 2).sum() for name in ("W1", "W2", "W3"))
    assert net.loss(X, y)[0] == pytest.approx(data + 0.3 / 2 * squares, rel=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {},  # odd in both directions
        {"reg": 0.0},
        {"input_dim": (C, 4, 5)},
        {"input_dim": (C, 6, 5), "filter_size": 2},  # an even kernel: the convolution loses a row and a column
        {"input_dim": (C, 3, 2), "filter_size": 5},  # a kernel larger than the image
        {"input_dim": (1, 2, 2), "num_filters": 1, "filter_size": 1, "hidden_dim": 1},
    ],
    ids=str,
)
def test_gradients_agree_with_differences(settings):
    net = network(**settings)
    channels, height, width = settings.get("input_dim", (C, H, W))
    X, y = batch(height, width, channels)
    loss, grads = net.loss(X, y)
    assert grads.keys() == net.params.keys()
    for name, grad in grads.items():
        # as the notebook does it: the array is changed in place, and the function ignores its argument
        numeric = eval_numerical_gradient(lambda _: net.loss(X, y)[0], net.params[name], verbose=False)
        assert grad.shape == net.params[name].shape
        np.testing.assert_allclose(grad, numeric, rtol=1e-6, atol=1e-8, err_msg=name)
    assert net.loss(X, y)[0] == loss


@pytest.mark.parametrize(
    ("height", "width", "filter_size", "features"),
    [(5, 5, 3, 8), (5, 7, 3, 12), (4, 6, 3, 12), (32, 32, 7, 512), (32, 32, 4, 450), (2, 3, 1, 2)],
)
def test_the_hidden_layer_has_a_row_for_each_pooled_pixel(height, width, filter_size, features):
    # the text this project came from takes F H W // 4: 12 for the first of these
    net = ThreeLayerConvNet((3, height, width), 2, filter_size, 4, 5)
    assert net.params["W2"].shape == (features, 4)
    assert net.loss(np.zeros((2, 3, height, width))).shape == (2, 5)


def test_the_dtype_of_the_parameters_is_kept_whatever_the_data():
    # the text this project came from does not cast: one batch in double precision turns all parameters into it
    net, (X, y) = network(dtype=np.float32, reg=np.float64(0.3)), batch()
    loss, grads = net.loss(X, y)
    assert {a.dtype for a in (loss, net.loss(X), *grads.values(), *net.params.values())} == {np.dtype("f4")}
    expected, dexpected = network().loss(X, y)
    assert loss == pytest.approx(expected, rel=1e-4)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, dexpected[name], atol=2e-5, err_msg=name)
    assert ThreeLayerConvNet().params["W1"].dtype == np.float32


def test_nothing_is_changed_whatever_the_layout_and_no_gradient_is_a_parameter():
    net, (X, y) = network(), batch()
    expected, _ = net.loss(X, y)
    before = {name: array.copy() for name, array in net.params.items()}
    X = np.asfortranarray(X)
    for array in (X, y, *net.params.values()):
        array.flags.writeable = False
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected, rel=1e-13)
    for name, array in before.items():
        np.testing.assert_array_equal(net.params[name], array)
        assert not np.shares_memory(grads[name], net.params[name])


def test_small_weights_start_at_the_logarithm_of_the_number_of_classes():
    # as the notebook does: 50 random images, no penalty, then some
    net = ThreeLayerConvNet(rng=0)
    X, y = np.random.default_rng(0).normal(size=(10, 3, 32, 32)), np.arange(10)
    loss, _ = net.loss(X, y)
    assert loss == pytest.approx(np.log(10), abs=1e-3)
    net.reg = 0.5
    assert net.loss(X, y)[0] > loss


def test_weights_are_drawn_with_the_scale_asked_for_and_biases_are_zero():
    net = ThreeLayerConvNet(weight_scale=0.02, rng=0)
    assert {name: array.shape for name, array in net.params.items()} == {
        "W1": (32, 3, 7, 7),
        "b1": (32,),
        "W2": (8192, 100),
        "b2": (100,),
        "W3": (100, 10),
        "b3": (10,),
    }
    for i in (1, 2, 3):
        assert abs(net.params[f"W{i}"].std() / 0.02 - 1) < 0.05
        assert not net.params[f"b{i}"].any()


def test_a_seed_fixes_the_weights_and_the_global_state_stays():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    first, again, other = (network(rng=seed).params["W1"] for seed in (1, 1, 2))
    unseeded = [network(rng=None).params["W1"] for _ in range(2)]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and (unseeded[0] != unseeded[1]).any()
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_it_learns_a_few_images_by_heart():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(16, 1, 5, 6)), rng.integers(3, size=16)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    net = ThreeLayerConvNet((1, 5, 6), 6, 3, 15, 3, weight_scale=0.1, rng=0)
    solver = Solver(net, data, update_rule="adam", optim_config={"learning_rate": 1e-2}, num_epochs=40, rng=0)
    solver.train()
    assert solver.best_val_acc == 1


def test_parameters_survive_saving_and_loading(tmp_path):
    net, (X, _) = network(), batch()
    net.save(tmp_path / "best")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]  # NumPy would add a suffix
    other = network(rng=9)
    assert (other.loss(X) != net.loss(X)).any()
    other.load(tmp_path / "best")
    np.testing.assert_array_equal(other.loss(X), net.loss(X))


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_unpickled(tmp_path):
    net = network()
    before = dict(net.params)
    network(hidden_dim=M + 1).save(tmp_path / "wider")
    with pytest.raises(ValueError, match=r"'W2': \(24, 6\).*got .*'W2': \(24, 7\)"):
        net.load(tmp_path / "wider")
    pickled = io.BytesIO()
    np.save(pickled, np.array(net.params, dtype=object), allow_pickle=True)
    (tmp_path / "pickled.npy").write_bytes(pickled.getvalue())
    with pytest.raises(ValueError, match="allow_pickle"):
        net.load(tmp_path / "pickled.npy")
    with pytest.raises(FileNotFoundError):
        net.load(tmp_path / "missing")
    assert net.params == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_dim": (32, 32)}, r"input_dim = \(channels, height, width\), got \(32, 32\)"),
        ({"input_dim": (3, 0, 32)}, r"input_dim\[1\] >= 1, got 0"),
        ({"num_filters": 0}, "num_filters >= 1, got 0"),
        ({"filter_size": -1}, "filter_size >= 1, got -1"),
        ({"hidden_dim": 0}, "hidden_dim >= 1, got 0"),
        ({"num_classes": 0}, "num_classes >= 1, got 0"),
        ({"dtype": int}, "floating-point dtype, got int64"),
        ({"input_dim": (3, 1, 9)}, "at least 2 x 2 pixels for the pooling, got 1 x 9"),
        ({"input_dim": (3, 2, 2), "filter_size": 2}, "got 2 x 2 under kernels of 2 x 2 with padding 0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ThreeLayerConvNet(**settings)


def test_bad_data_are_named():
    net, (X, y) = network(), batch()
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        net.loss(X.astype(int), y)
    with pytest.raises(ValueError, match=r"expected w of shape \(F, 1, R, Q\)"):
        net.loss(X[:, :1], y)
    with pytest.raises(ValueError, match=r"and w \(24, 6\)"):
        net.loss(X[:, :, :3], y)
    with pytest.raises(ValueError, match="labels from 0 to 7, got labels from 1 to 8"):
        net.loss(X, y + 1)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    net, (X, y) = network(), batch()
    params = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    a = torch.nn.functional.conv2d(torch.tensor(X), params["W1"], params["b1"], padding=1)
    v = torch.nn.functional.max_pool2d(torch.relu(a), 2)
    scores = torch.relu(v.flatten(1) @ params["W2"] + params["b2"]) @ params["W3"] + params["b3"]
    penalty = sum((params[name] ** 2).sum() for name in ("W1", "W2", "W3"))
    total = torch.nn.functional.cross_entropy(scores, torch.tensor(y)) + 0.3 / 2 * penalty
    total.backward()
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    for name, tensor in params.items():
        np.testing.assert_allclose(grads[name], tensor.grad.numpy(), rtol=1e-10, atol=1e-12)
