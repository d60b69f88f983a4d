import inspect
import io
import pickle

import numpy as np
import pytest

from cs231n.classifiers import neural_net
from cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.layers.dropout import dropout_forward
from cs231n.solver import Solver

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


# ----------------------------------------------------------------------------------- any number of hidden layers

OPTIONS = [
    {"hidden_dims": hidden, "normalization": normalization, keep: ratio}
    for hidden in ([], [7], [7, 5], (6, 6, 3))
    for normalization in (None, "batchnorm", "layernorm")
    for keep, ratio in (("dropout_keep_ratio", 1), ("dropout_keep_ratio", 0.7), ("dropout", 0.6))
]


def deep(hidden_dims=(7, 5), **settings):
    """A network whose biases, scales and shifts are random too: at 0 and 1 many mistakes do not show."""
    settings = {"weight_scale": 0.6, "reg": 0.3, "dtype": np.float64, "seed": 2} | settings
    net = FullyConnectedNet(hidden_dims, D, C, **settings)
    rng = np.random.default_rng(3)
    for name, array in net.params.items():
        if not name.startswith("W"):
            net.params[name] = (array + 0.5 * rng.normal(size=array.shape)).astype(array.dtype)
    return net


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_of_every_kind_of_network_agree_with_differences(batch, options):
    net = deep(**options)
    _, grads = net.loss(*batch)
    assert grads.keys() == net.params.keys()
    for name, grad in grads.items():
        # as the notebooks do it: the array is changed in place, and the function ignores its argument
        numeric = eval_numerical_gradient(lambda _: net.loss(*batch)[0], net.params[name], verbose=False)
        assert grad.shape == net.params[name].shape
        np.testing.assert_allclose(grad, numeric, rtol=2e-6, atol=2e-8, err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_float32_stays_float32_and_nothing_is_changed(batch, options):
    net = deep(**options, dtype=np.float32, reg=np.float64(0.1))
    expected, dexpected = deep(**options, reg=0.1).loss(*batch)
    before = {name: array.copy() for name, array in net.params.items()}
    X = np.repeat(batch[0], 2, axis=0)[::2]
    for array in (X, batch[1], *net.params.values()):
        array.flags.writeable = False
    loss, grads = net.loss(X, batch[1])
    found = [
        loss,
        net.loss(X),
        *grads.values(),
        *(a for p in net.bn_params for a in p.values() if not isinstance(a, str)),
    ]
    assert {a.dtype for a in found} == {np.dtype("f4")}
    assert loss == pytest.approx(expected, rel=1e-4)
    for name, array in before.items():
        np.testing.assert_array_equal(net.params[name], array)
        assert not np.shares_memory(grads[name], net.params[name])
        np.testing.assert_allclose(grads[name], dexpected[name], atol=2e-4, err_msg=name)


def test_one_hidden_layer_is_the_two_layer_network(net, batch):
    same = FullyConnectedNet([H], D, C, reg=0.3, dtype=np.float64)
    assert same.params.keys() == net.params.keys()
    same.params = net.params
    loss, grads = net.loss(*batch)
    np.testing.assert_array_equal(same.loss(batch[0]), net.loss(batch[0]))
    other, others = same.loss(*batch)
    assert other == pytest.approx(loss, rel=1e-14)
    for name, grad in grads.items():
        np.testing.assert_allclose(others[name], grad, rtol=1e-12)


def test_without_hidden_layers_it_is_a_linear_classifier(batch):
    # the text this project came from raises here: it stacks an empty list, which makes floats of the sizes
    net = FullyConnectedNet([], D, C, dtype=np.float64, seed=0)
    X, _ = batch
    np.testing.assert_allclose(net.loss(X), X.reshape(N, D) @ net.params["W1"] + net.params["b1"], rtol=1e-13)


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_test_mode_draws_nothing_and_moves_nothing(batch, normalization):
    net = deep(normalization=normalization, dropout_keep_ratio=0.5, seed=None)
    net.loss(*batch)  # moves the running averages
    averages = pickle.dumps([{k: v for k, v in p.items() if k != "mode"} for p in net.bn_params])
    scores = net.loss(batch[0])
    np.testing.assert_array_equal(net.loss(batch[0]), scores)
    assert pickle.dumps([{k: v for k, v in p.items() if k != "mode"} for p in net.bn_params]) == averages
    # an example does not feel its neighbours
    np.testing.assert_allclose(net.loss(batch[0][2:3]), scores[2:3], rtol=1e-12)
    # nor does dropout scale anything: without it the scores are the same
    net.dropout_keep_ratio = 1
    np.testing.assert_array_equal(net.loss(batch[0]), scores)


def test_test_mode_uses_the_running_averages(batch):
    net = deep([7], normalization="batchnorm")
    for _ in range(300):
        net.loss(*batch)
    X, params = batch[0].reshape(N, D), net.params
    a = X @ params["W1"] + params["b1"]
    x_hat = (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + 1e-5)
    h = np.maximum(params["gamma1"] * x_hat + params["beta1"], 0)
    np.testing.assert_allclose(net.loss(batch[0]), h @ params["W2"] + params["b2"], rtol=1e-6)


def test_layernorm_settings_reach_the_layer(batch):
    # the text this project came from prepares them, and then calls the layer with others
    net = deep(normalization="layernorm")
    before = net.loss(batch[0])
    net.bn_params[0]["eps"] = 3.0
    assert abs(net.loss(batch[0]) - before).max() > 1e-3


def masks(net, batch, monkeypatch):
    import cs231n.classifiers.fc_net as module

    seen = []

    def watching(x, dropout_param):
        out, cache = dropout_forward(x, dropout_param)
        seen.append(cache.mask)
        return out, cache

    monkeypatch.setattr(module, "dropout_forward", watching)
    net.loss(*batch)
    return seen


def test_layers_of_equal_width_drop_different_units(batch, monkeypatch):
    for seed in (5, None):
        first, second = masks(deep([40, 40], dropout_keep_ratio=0.5, seed=seed), batch, monkeypatch)
        assert (first != second).any()


def test_a_seed_fixes_the_masks_and_without_one_each_call_draws_anew(batch, monkeypatch):
    fixed, free = (deep([40, 30], dropout_keep_ratio=0.5, seed=seed) for seed in (0, None))
    for net, same in ((fixed, True), (free, False)):
        calls = [masks(net, batch, monkeypatch) for _ in range(2)]
        assert all((a == b).all() for a, b in zip(*calls, strict=True)) == same


def test_units_are_kept_with_the_probability_asked_for(monkeypatch):
    net = FullyConnectedNet([1000], 2, 3, dropout_keep_ratio=0.8, rng=0)
    (mask,) = masks(net, (np.zeros((50, 2)), np.zeros(50, int)), monkeypatch)
    assert mask.mean() == pytest.approx(0.8, abs=0.01)


def test_parameters_of_a_deep_network_are_drawn_with_the_scale_asked_for():
    net = FullyConnectedNet([60, 50], 80, 40, normalization="batchnorm", weight_scale=0.05, rng=0)
    assert {name: array.shape for name, array in net.params.items()} == {
        "W1": (80, 60),
        "b1": (60,),
        "gamma1": (60,),
        "beta1": (60,),
        "W2": (60, 50),
        "b2": (50,),
        "gamma2": (50,),
        "beta2": (50,),
        "W3": (50, 40),
        "b3": (40,),
    }
    for i in (1, 2, 3):
        assert abs(net.params[f"W{i}"].std() / 0.05 - 1) < 0.05
        assert not net.params[f"b{i}"].any()
    assert (net.params["gamma1"] == 1).all()
    assert not net.params["beta2"].any()
    assert net.params["W1"].dtype == np.float32
    assert FullyConnectedNet([100]).params["W1"].shape == (3 * 32 * 32, 100)


def test_the_signature_of_the_course():
    parameters = list(inspect.signature(FullyConnectedNet).parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    sizes = ["hidden_dims", "input_dim", "num_classes"]
    assert positional == [*sizes, "dropout_keep_ratio", "normalization", "reg", "weight_scale", "dtype", "seed"]
    names: dict[str, object] = {}
    exec("from cs231n.classifiers.fc_net import *", names)
    assert names["FullyConnectedNet"] is FullyConnectedNet


def test_a_seed_fixes_a_deep_network_and_the_global_state_stays(batch):
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    losses = [deep(dropout_keep_ratio=0.5, seed=seed).loss(*batch)[0] for seed in (1, 1, 2, None, None)]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 4
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_a_deep_network_survives_saving_and_loading(batch, normalization, tmp_path):
    net = deep(normalization=normalization)
    net.loss(*batch)
    net.save(tmp_path / "best")
    other = deep(normalization=normalization, seed=9)
    assert (other.loss(batch[0]) != net.loss(batch[0])).any()
    other.load(tmp_path / "best")
    np.testing.assert_array_equal(other.loss(batch[0]), net.loss(batch[0]))  # so the running averages came along
    assert other.params.keys() == net.params.keys()
    with pytest.raises(ValueError, match=r"expected parameters of the shapes .*'W1': \(6, 8\)"):
        deep([8, 5], normalization=normalization).load(tmp_path / "best")


def test_a_solver_learns_with_every_option():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, D)), rng.integers(C, size=12)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    for normalization in (None, "batchnorm", "layernorm"):
        net = FullyConnectedNet([30, 20], D, C, 0.9, normalization, weight_scale=0.3, dtype=np.float64, rng=0)
        solver = Solver(net, data, num_epochs=150, batch_size=12, optim_config={"learning_rate": 0.3}, rng=0)
        solver.train()
        assert solver.best_val_acc == 1, normalization


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dims": [5, 0]}, r"hidden_dims\[1\] >= 1, got 0"),
        ({"num_classes": 0}, "num_classes >= 1, got 0"),
        ({"dtype": int}, "floating-point dtype, got int64"),
        ({"normalization": "batch"}, "normalization None, 'batchnorm' or 'layernorm', got 'batch'"),
        ({"normalization": ""}, "got ''"),
        ({"dropout_keep_ratio": 0}, "0 < p <= 1, got 0"),
        ({"dropout": 1.5}, "0 < p <= 1, got 1.5"),
        ({"dropout": 0.5, "dropout_keep_ratio": 0.5}, "one of dropout_keep_ratio and dropout, got 0.5 and 0.5"),
    ],
)
def test_bad_settings_of_a_deep_network_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        FullyConnectedNet(**({"hidden_dims": [5]} | arguments))


def test_bad_data_for_a_deep_network_are_named(batch):
    X, y = batch
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        deep().loss(X.astype(int), y)
    with pytest.raises(ValueError, match=r"got x \(5, 2, 2\) and w \(6, 7\)"):
        deep().loss(X[:, :, :2], y)
    with pytest.raises(ValueError, match="labels from 0 to 3, got labels from 1 to 4"):
        deep().loss(X, y + 1)


def test_sizes_of_one():
    for normalization in (None, "batchnorm", "layernorm"):
        net = FullyConnectedNet([1, 1], 1, 1, normalization=normalization, dtype=np.float64)
        loss, grads = net.loss(np.array([[2.0]]), np.array([0]))
        assert loss == 0
        assert not any(grad.any() for grad in grads.values())


# ------------------------------------------------------------------------------ the network that trains itself


def test_the_toy_network_of_the_notebook():
    # two_layer_net.ipynb of 2018–20 prints these; its weights come from NumPy's global state, here from a copy of it
    net = neural_net.TwoLayerNet(4, 10, 3, std=1e-1)
    state = np.random.RandomState(0)
    net.params["W1"], net.params["W2"] = 0.1 * state.randn(4, 10), 0.1 * state.randn(10, 3)
    X, y = 10 * np.random.RandomState(1).randn(5, 4), np.array([0, 1, 2, 2, 1])
    expected = [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
    np.testing.assert_allclose(net.loss(X), expected, atol=1e-7)
    loss, grads = net.loss(X, y, reg=0.05)
    assert loss == pytest.approx(1.30378789133, abs=1e-11)
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(X, y, reg=0.05)[0], net.params[name], verbose=False)
        np.testing.assert_allclose(grad, numeric, atol=1e-8)
    history = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=False, rng=0)
    assert history["loss_history"][-1] < 0.2
    np.testing.assert_array_equal(net.predict(X), y)


def test_it_trains_in_epochs_with_a_falling_rate(capsys):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, D)), rng.integers(C, size=50)
    net, once = (neural_net.TwoLayerNet(D, H, C, std=0.1, rng=0) for _ in range(2))
    history = net.train(X, y, X, y, learning_rate_decay=0.0, num_iters=202, batch_size=7, verbose=True, rng=0)
    assert [len(history[name]) for name in ("loss_history", "train_acc_history", "val_acc_history")] == [202, 29, 29]
    once.train(X, y, X, y, num_iters=1, batch_size=7, rng=0)
    np.testing.assert_array_equal(net.params["W1"], once.params["W1"])  # with the factor 0 only the first step counts
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"iteration {i} / 202" for i in (0, 100, 200)]


def test_its_runs_are_fixed_by_a_seed_and_its_dtype_stays(batch):
    X, y = batch
    runs = []
    for seed in (1, 1, 2):
        net = neural_net.TwoLayerNet(D, H, C, std=0.5, dtype=np.float32, rng=0)
        runs.append(net.train(X, y, X, y, learning_rate=np.float64(0.1), num_iters=4, batch_size=3, rng=seed))
        assert {array.dtype for array in net.params.values()} == {np.dtype("f4")}
    assert runs[0] == runs[1] != runs[2]


def test_what_it_cannot_train_on_is_named(batch):
    X, y = batch
    net = neural_net.TwoLayerNet(D, H, C)
    with pytest.raises(ValueError, match="got 5 examples and 4 labels, for validation 5 and 5"):
        net.train(X, y[1:], X, y)
    with pytest.raises(ValueError, match="num_iters >= 0, got -1"):
        net.train(X, y, X, y, num_iters=-1)
    with pytest.raises(ValueError, match="batch_size >= 1, got 0"):
        net.train(X, y, X, y, batch_size=0)
    with pytest.raises(ValueError, match="examples >= 1, got 0"):
        net.train(X[:0], y[:0], X, y)
