"""What the official notebooks of 2018 to 2026 import and call is here, with the same names and arguments.

The tables were read off the notebooks and their starter code: names and arguments only. PyTorch and TensorFlow are left
out. A name that a later chapter brings stands in `OWED`: take it out there when it comes.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array, grad_check_sparse

#: Module, then name and parameters of the newest starter code that has it. `...` is any default.
STARTER: dict[str, list[str]] = {
    "classifiers": ["KNearestNeighbor()", "LinearSVM()", "Softmax()"],
    "classifiers.cnn": [
        "ThreeLayerConvNet(input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10, "
        "weight_scale=0.001, reg=0.0, dtype=np.float32)",
    ],
    "classifiers.fc_net": [
        "FullyConnectedNet(hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout_keep_ratio=1, "
        "normalization=None, reg=0.0, weight_scale=0.01, dtype=np.float32, seed=None)",
        "TwoLayerNet(input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=0.001, reg=0.0)",
    ],
    "classifiers.linear_classifier": ["LinearSVM()", "Softmax()"],
    "classifiers.linear_svm": ["svm_loss_naive(W, X, y, reg)", "svm_loss_vectorized(W, X, y, reg)"],
    "classifiers.neural_net": ["TwoLayerNet(input_size, hidden_size, output_size, std=0.0001)"],
    "classifiers.softmax": ["softmax_loss_naive(W, X, y, reg)", "softmax_loss_vectorized(W, X, y, reg)"],
    "data_utils": [
        "get_CIFAR10_data(num_training=49000, num_validation=1000, num_test=1000, subtract_mean=True)",
        "load_CIFAR10(ROOT)",
        "load_imagenet_val(num=None)",
    ],
    "fast_layers": [
        "conv_backward_fast(dout, cache)",  # there one of several functions, chosen at import
        "conv_forward_fast(x, w, b, conv_param)",
        "max_pool_backward_fast(dout, cache)",
        "max_pool_forward_fast(x, pool_param)",
    ],
    "features": [
        "color_histogram_hsv(im, nbin=10, xmin=0, xmax=255, normalized=True)",
        "extract_features(imgs, feature_fns, verbose=False)",
        "hog_feature(im)",
    ],
    "gradient_check": [
        "eval_numerical_gradient(f, x, verbose=True, h=1e-05)",
        "eval_numerical_gradient_array(f, x, df, h=1e-05)",
        "grad_check_sparse(f, x, analytic_grad, num_checks=10, h=1e-05)",
    ],
    "layer_utils": [
        "affine_relu_backward(dout, cache)",
        "affine_relu_forward(x, w, b)",
        "conv_relu_backward(dout, cache)",
        "conv_relu_forward(x, w, b, conv_param)",
        "conv_relu_pool_backward(dout, cache)",
        "conv_relu_pool_forward(x, w, b, conv_param, pool_param)",
    ],
    "layers": [
        "affine_backward(dout, cache)",
        "affine_forward(x, w, b)",
        "batchnorm_backward(dout, cache)",
        "batchnorm_backward_alt(dout, cache)",
        "batchnorm_forward(x, gamma, beta, bn_param)",
        "conv_backward_naive(dout, cache)",
        "conv_forward_naive(x, w, b, conv_param)",
        "dropout_backward(dout, cache)",
        "dropout_forward(x, dropout_param)",
        "layernorm_backward(dout, cache)",
        "layernorm_forward(x, gamma, beta, ln_param)",
        "max_pool_backward_naive(dout, cache)",
        "max_pool_forward_naive(x, pool_param)",
        "relu_backward(dout, cache)",
        "relu_forward(x)",
        "softmax_loss(x, y)",
        "spatial_batchnorm_backward(dout, cache)",
        "spatial_batchnorm_forward(x, gamma, beta, bn_param)",
        "spatial_groupnorm_backward(dout, cache)",
        "spatial_groupnorm_forward(x, gamma, beta, G, gn_param)",
        "svm_loss(x, y)",
    ],
    "optim": [
        "adam(w, dw, config=None)",
        "rmsprop(w, dw, config=None)",
        "sgd(w, dw, config=None)",
        "sgd_momentum(w, dw, config=None)",
    ],
    "solver": ["Solver(model, data)"],
    "vis_utils": ["visualize_grid(Xs, ubound=255.0, padding=1)"],
    # the third assignment
    "captioning_solver": ["CaptioningSolver(model, data)"],
    "classifiers.rnn": [
        "CaptioningRNN(word_to_idx, input_dim=512, wordvec_dim=128, hidden_dim=128, cell_type='rnn', dtype=np.float32)",
    ],
    "coco_utils": [
        "decode_captions(captions, idx_to_word)",
        "load_coco_data(base_dir=..., max_train=None, pca_features=True)",
        "sample_coco_minibatch(data, batch_size=100, split='train')",
    ],
    "image_utils": ["image_from_url(url)"],
    "rnn_layers": [
        "lstm_backward(dh, cache)",
        "lstm_forward(x, h0, Wx, Wh, b)",
        "lstm_step_backward(dnext_h, dnext_c, cache)",
        "lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b)",
        "rnn_backward(dh, cache)",
        "rnn_forward(x, h0, Wx, Wh, b)",
        "rnn_step_backward(dnext_h, cache)",
        "rnn_step_forward(x, prev_h, Wx, Wh, b)",
        "temporal_affine_backward(dout, cache)",
        "temporal_affine_forward(x, w, b)",
        "temporal_softmax_loss(x, y, mask, verbose=False)",
        "word_embedding_backward(dout, cache)",
        "word_embedding_forward(x, W)",
    ],
}

#: What later chapters still bring, now nothing: a whole module, or one name. A line must go when its name comes.
OWED: set[str] = set()

#: How many arguments some notebook passes by position, and which by keyword, where the list above does not say it.
CALLS: dict[str, list[tuple[int, str]]] = {
    "captioning_solver.CaptioningSolver": [
        (2, "update_rule num_epochs batch_size optim_config lr_decay verbose print_every")
    ],
    "classifiers.cnn.ThreeLayerConvNet": [
        (0, ""),
        (0, "num_filters filter_size input_dim hidden_dim dtype"),
        (0, "weight_scale hidden_dim reg"),
    ],
    "classifiers.fc_net.FullyConnectedNet": [
        (1, "input_dim num_classes reg weight_scale dtype normalization dropout_keep_ratio seed"),
        (1, "input_dim num_classes weight_scale dtype dropout seed"),  # until 2020
    ],
    "classifiers.fc_net.TwoLayerNet": [(3, ""), (0, "input_dim hidden_dim num_classes weight_scale")],
    "classifiers.neural_net.TwoLayerNet": [(3, "std")],
    "classifiers.rnn.CaptioningRNN": [
        (1, "input_dim wordvec_dim hidden_dim cell_type dtype"),
        (0, "word_to_idx input_dim wordvec_dim hidden_dim cell_type dtype"),
    ],
    "coco_utils.load_coco_data": [(0, "pca_features max_train")],
    "coco_utils.sample_coco_minibatch": [(1, "batch_size split")],
    "data_utils.load_imagenet_val": [(0, "num")],
    "features.color_histogram_hsv": [(1, "nbin")],
    "features.extract_features": [(2, "verbose")],
    "gradient_check.eval_numerical_gradient": [(2, "verbose h")],
    "optim.adam": [(2, "config")],
    "optim.rmsprop": [(2, "config")],
    "optim.sgd_momentum": [(2, "config")],
    "rnn_layers.temporal_softmax_loss": [(3, "verbose")],
    "solver.Solver": [(2, "print_every num_epochs batch_size update_rule optim_config verbose")],
    "vis_utils.visualize_grid": [(1, "padding")],
}

#: Names that a notebook has only because of a star import.
STARS: dict[str, str] = {
    "classifiers.cnn": "ThreeLayerConvNet",
    "classifiers.fc_net": (
        "FullyConnectedNet TwoLayerNet affine_backward affine_forward batchnorm_backward batchnorm_backward_alt "
        "batchnorm_forward dropout_backward dropout_forward layernorm_backward layernorm_forward relu_backward "
        "relu_forward softmax_loss svm_loss"
    ),
    "fast_layers": "conv_backward_fast conv_forward_fast max_pool_backward_fast max_pool_forward_fast",
    "features": "color_histogram_hsv extract_features hog_feature",
    "gradient_check": "eval_numerical_gradient eval_numerical_gradient_array grad_check_sparse",
    "layers": (
        "batchnorm_backward batchnorm_backward_alt batchnorm_forward conv_backward_naive conv_forward_naive "
        "max_pool_backward_naive max_pool_forward_naive spatial_batchnorm_backward spatial_batchnorm_forward "
        "spatial_groupnorm_backward spatial_groupnorm_forward"
    ),
    "rnn_layers": (
        "lstm_forward lstm_step_backward lstm_step_forward rnn_backward rnn_forward rnn_step_forward "
        "temporal_affine_backward temporal_affine_forward word_embedding_backward word_embedding_forward"
    ),
}

NAMES = {f"{module}.{line.partition('(')[0]}": line for module, lines in STARTER.items() for line in lines}


def owed(name: str) -> bool:
    return name in OWED or name.rpartition(".")[0] in OWED


PRESENT = [name for name in NAMES if not owed(name)]


def module_of(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"cs231n.{name}")
    except ModuleNotFoundError as error:
        if error.name and f"cs231n.{name}".startswith(error.name):
            return None
        raise


def found(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(module_of(module), attribute, None)


# --------------------------------------------------------------------------------------------- names and arguments


def test_imports_say_nothing_and_need_nothing_compiled() -> None:
    """One process that only imports: no banner asking for a build, no warning, whatever was imported before here."""
    modules = (
        "captioning_solver classifiers coco_utils data_utils fast_layers features gradient_check image_utils "
        "layer_utils layers losses optim rnn_layers solver vis_utils"
    )
    lines = "; ".join(f"import cs231n.{module}" for module in modules.split())
    child = subprocess.run([sys.executable, "-W", "error", "-c", lines], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")


@pytest.mark.parametrize("name", PRESENT)
def test_a_name_is_imported_as_the_notebooks_import_it(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    notebook: dict[str, Any] = {}
    exec(f"from cs231n.{module} import {attribute}", notebook)
    assert callable(notebook[attribute])


@pytest.mark.parametrize("name", ["SQUEEZENET_MEAN", "SQUEEZENET_STD"])
def test_the_constants_of_images_have_a_number_for_each_colour(name: str) -> None:
    constant = found(f"image_utils.{name}")
    assert constant.shape == (3,) and (constant > 0.2).all() and (constant < 0.5).all()


@pytest.mark.parametrize("name", PRESENT)
def test_a_signature_begins_as_that_of_the_starter_code(name: str) -> None:
    starter: dict[str, Any] = {"np": np}
    line = NAMES[name]
    exec(f"def {line}: ...", starter)
    expected = list(inspect.signature(starter[line.partition("(")[0]]).parameters.values())
    ours = list(inspect.signature(found(name)).parameters.values())
    assert [p.name for p in ours[: len(expected)]] == [p.name for p in expected]
    for our, their in zip(ours, expected, strict=False):
        assert our.kind is our.POSITIONAL_OR_KEYWORD, our
        if their.default is ...:
            assert our.default is not our.empty
        else:
            assert our.default is their.default or our.default == their.default, f"{our} and not {their}"
    for extra in ours[len(expected) :]:
        assert extra.default is not extra.empty or extra.kind is extra.VAR_KEYWORD, f"{extra} must be optional"


@pytest.mark.parametrize("name", [name for name in CALLS if not owed(name)])
def test_the_arguments_of_the_notebooks_are_taken(name: str) -> None:
    for positional, keywords in CALLS[name]:
        inspect.signature(found(name)).bind(*range(positional), **dict.fromkeys(keywords.split()))


@pytest.mark.parametrize("module", [module for module in STARS if module not in OWED])
def test_a_star_import_brings_what_notebooks_expect_and_hides_nothing(module: str) -> None:
    notebook: dict[str, Any] = {}
    exec(f"from cs231n.{module} import *", notebook)
    for name in STARS[module].split():
        assert callable(notebook.get(name)), name
    assert not {"plt", "time", "rel_error", "data", "X", "y"} & set(notebook)
    assert notebook.get("np", np) is np


def test_what_is_owed_is_a_name_of_the_table() -> None:
    assert set(NAMES) | set(STARTER) >= OWED
    assert not [name for name in OWED if name.rpartition(".")[0] in OWED]


def require_absent(name: str) -> None:
    here = module_of(name) if name in STARTER else found(name)
    assert here is None, f"{name} has come: take it out of OWED, so that it is checked"


def test_what_is_owed_is_not_there_yet() -> None:
    for name in OWED:
        require_absent(name)


@pytest.mark.parametrize("line", ["relu_forward(z)", "relu_forward(x, y)", "relu_forward(x=1)"])
def test_the_checks_can_fail(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMES, "layers.relu_forward", line)
    with pytest.raises(AssertionError):
        test_a_signature_begins_as_that_of_the_starter_code("layers.relu_forward")
    monkeypatch.setitem(CALLS, "layers.relu_forward", [(1, "inplace")])
    with pytest.raises(TypeError, match="inplace"):
        test_the_arguments_of_the_notebooks_are_taken("layers.relu_forward")
    with pytest.raises(AssertionError, match="has come"):
        require_absent("layers.relu_forward")
    assert module_of("no_such_module") is None


# ------------------------------------------------------------------------------------------------ instances


def test_classes_have_the_methods_that_notebooks_call(rng: np.random.Generator) -> None:
    from cs231n.classifiers import KNearestNeighbor, LinearSVM, Softmax
    from cs231n.classifiers.neural_net import TwoLayerNet

    X, y = rng.normal(size=(12, 5)), np.arange(12) % 3
    knn = KNearestNeighbor()
    knn.train(X, y)
    two, one, none = (
        knn.compute_distances_two_loops(X),
        knn.compute_distances_one_loop(X),
        knn.compute_distances_no_loops(X),
    )
    assert np.linalg.norm(two - one, ord="fro") < 1e-6 and np.linalg.norm(two - none, ord="fro") < 1e-6
    assert (knn.predict_labels(two, k=1) == y).all() and (knn.predict(X, k=1) == y).all()

    for linear in (LinearSVM(), Softmax()):
        history = linear.train(X, y, learning_rate=1e-2, reg=1e-3, num_iters=20, verbose=False)
        assert len(history) == 20 and linear.predict(X).shape == (12,) and linear.W.shape == (5, 3)

    net = TwoLayerNet(5, 4, 3, std=1e-1)
    stats = net.train(
        X, y, X, y, num_iters=3, batch_size=6, learning_rate=1e-3, learning_rate_decay=0.95, reg=0.25, verbose=False
    )
    assert set(stats) == {"loss_history", "train_acc_history", "val_acc_history"}
    assert net.predict(X).shape == (12,) and sorted(net.params) == ["W1", "W2", "b1", "b2"]


def test_a_softmax_classifier_is_saved_under_the_name_of_the_notebook(rng: np.random.Generator, tmp_path: Any) -> None:
    from cs231n.classifiers import Softmax

    classifier = Softmax()
    classifier.train(rng.normal(size=(6, 4)), np.arange(6) % 2, num_iters=2)
    classifier.save(tmp_path / "softmax.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "softmax.npy"), classifier.W)


def test_the_solver_is_called_as_the_notebooks_call_it(rng: np.random.Generator) -> None:
    from cs231n.classifiers.fc_net import FullyConnectedNet
    from cs231n.solver import Solver

    X, y = rng.normal(size=(20, 3, 2, 2)), np.arange(20) % 4
    model = FullyConnectedNet([6], input_dim=12, num_classes=4, weight_scale=0.1, dtype=np.float64)
    solver = Solver(
        model,
        {"X_train": X, "y_train": y, "X_val": X, "y_val": y},
        print_every=10,
        num_epochs=2,
        batch_size=10,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 1e-2},
        verbose=False,
    )
    solver.train()
    assert len(solver.loss_history) == 4
    assert len(solver.train_acc_history) == len(solver.val_acc_history) > 2
    assert 0 <= solver.check_accuracy(X, y) <= 1


def test_networks_have_the_attributes_that_notebooks_set_and_read(rng: np.random.Generator) -> None:
    from cs231n.classifiers.cnn import ThreeLayerConvNet
    from cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet

    X, y = rng.normal(size=(3, 2, 4, 5)), np.array([1, 0, 2])
    networks = {
        "cnn": ThreeLayerConvNet(
            num_filters=3, filter_size=3, input_dim=(2, 4, 5), hidden_dim=4, num_classes=3, dtype=np.float64
        ),
        "two": TwoLayerNet(input_dim=40, hidden_dim=4, num_classes=3, weight_scale=0.1),
        "deep": FullyConnectedNet([4, 5], input_dim=40, num_classes=3, dtype=np.float64),
    }
    for name, net in networks.items():
        loss, grads = net.loss(X, y)
        assert grads.keys() == net.params.keys() and net.loss(X).shape == (3, 3)
        if name != "deep":  # "model.reg = 0.5" between two calls
            net.reg = 0.5
            assert net.loss(X, y)[0] > loss
    assert sorted(networks["two"].params) == ["W1", "W2", "b1", "b2"]  # read and set by name there
    networks["two"].params["b2"] = np.array([0.0, 9.0, 0.0])
    assert (networks["two"].loss(X).argmax(axis=1) == 1).all()


@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_the_captioning_network_and_its_solver_are_called_as_the_notebooks_call_them(
    cell_type: str, rng: np.random.Generator
) -> None:
    from cs231n.captioning_solver import CaptioningSolver
    from cs231n.classifiers.rnn import CaptioningRNN
    from cs231n.coco_utils import decode_captions, sample_coco_minibatch

    words = ["<NULL>", "<START>", "<END>", "cat", "dog"]
    captions, features = np.array([[1, 3, 2, 0], [1, 4, 4, 2]]), rng.normal(size=(2, 6))
    data = {
        "train_captions": captions,
        "train_image_idxs": np.array([0, 1]),
        "train_features": features,
        "train_urls": np.array(["http://example.org/cat", "http://example.org/dog"]),
    }
    model = CaptioningRNN(
        cell_type=cell_type,
        word_to_idx={word: number for number, word in enumerate(words)},
        input_dim=data["train_features"].shape[1],
        hidden_dim=8,
        wordvec_dim=5,
    )
    solver = CaptioningSolver(
        model,
        data,
        update_rule="adam",
        num_epochs=2,
        batch_size=25,
        optim_config={"learning_rate": 5e-3},
        lr_decay=0.95,
        verbose=False,
        print_every=10,
    )
    solver.train()
    assert len(solver.loss_history) == 2
    gt_captions, features, urls = sample_coco_minibatch(data, split="train", batch_size=2)
    decoded = decode_captions(model.sample(features), words)
    assert len(decoded) == len(decode_captions(gt_captions, words)) == len(urls) == 2
    assert "Wx" in model.params and model.loss(features, gt_captions)[1].keys() == model.params.keys()


# ------------------------------------------------- the array is moved in place, and the function ignores its argument


def layer_checks(rng: np.random.Generator) -> dict[str, tuple[list[np.ndarray], Any, Any]]:
    """For each layer its arrays, its forward and its backward, as the notebooks put them together."""
    from cs231n import fast_layers, layer_utils, layers, rnn_layers

    x, image = rng.normal(size=(4, 5)), rng.normal(size=(2, 4, 5, 3))
    w, b = rng.normal(size=(5, 3)), rng.normal(size=3)
    gamma, beta = rng.normal(size=5), rng.normal(size=5)
    gamma_c, beta_c = rng.normal(size=4), rng.normal(size=4)
    kernel, bias = rng.normal(size=(3, 4, 3, 2)), rng.normal(size=3)
    conv_param, pool_param = {"stride": 2, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 1}
    train, group, empty = {"mode": "train"}, {}, {}
    drop = {"mode": "train", "p": 0.7, "seed": 123}
    by_group = (1, 4, 1, 1)
    scale, shift = gamma_c.reshape(by_group), beta_c.reshape(by_group)
    sequence, state, table = rng.normal(size=(2, 4, 5)), rng.normal(size=(2, 3)), rng.normal(size=(6, 3))
    words = np.array([[0, 5, 0], [3, 1, 3]])
    Wx, Wh, bh = (rng.normal(size=s) for s in ((5, 12), (3, 12), 12))
    plain_Wx, plain_Wh, plain_b = Wx[:, :3].copy(), Wh[:, :3].copy(), bh[:3].copy()
    return {
        "affine": ([x, w, b], lambda: layers.affine_forward(x, w, b), layers.affine_backward),
        "relu": ([x], lambda: layers.relu_forward(x), layers.relu_backward),
        "affine_relu": (
            [x, w, b],
            lambda: layer_utils.affine_relu_forward(x, w, b),
            layer_utils.affine_relu_backward,
        ),
        "batchnorm": (
            [x, gamma, beta],
            lambda: layers.batchnorm_forward(x, gamma, beta, train),
            layers.batchnorm_backward,
        ),
        "batchnorm_alt": (
            [x, gamma, beta],
            lambda: layers.batchnorm_forward(x, gamma, beta, train),
            layers.batchnorm_backward_alt,
        ),
        "layernorm": (
            [x, gamma, beta],
            lambda: layers.layernorm_forward(x, gamma, beta, empty),
            layers.layernorm_backward,
        ),
        "dropout": ([x], lambda: layers.dropout_forward(x, drop), layers.dropout_backward),
        "conv": (
            [image, kernel, bias],
            lambda: layers.conv_forward_naive(image, kernel, bias, conv_param),
            layers.conv_backward_naive,
        ),
        "max_pool": (
            [image],
            lambda: layers.max_pool_forward_naive(image, pool_param),
            layers.max_pool_backward_naive,
        ),
        "conv_fast": (
            [image, kernel, bias],
            lambda: fast_layers.conv_forward_fast(image, kernel, bias, conv_param),
            fast_layers.conv_backward_fast,
        ),
        "max_pool_fast": (
            [image],
            lambda: fast_layers.max_pool_forward_fast(image, pool_param),
            fast_layers.max_pool_backward_fast,
        ),
        "conv_relu": (
            [image, kernel, bias],
            lambda: layer_utils.conv_relu_forward(image, kernel, bias, conv_param),
            layer_utils.conv_relu_backward,
        ),
        "conv_relu_pool": (
            [image, kernel, bias],
            lambda: layer_utils.conv_relu_pool_forward(image, kernel, bias, {"stride": 1, "pad": 1}, pool_param),
            layer_utils.conv_relu_pool_backward,
        ),
        "spatial_batchnorm": (
            [image, gamma_c, beta_c],
            lambda: layers.spatial_batchnorm_forward(image, gamma_c, beta_c, train),
            layers.spatial_batchnorm_backward,
        ),
        "spatial_groupnorm": (
            [image, scale, shift],
            lambda: layers.spatial_groupnorm_forward(image, scale, shift, 2, group),
            layers.spatial_groupnorm_backward,
        ),
        "rnn": (
            [sequence, state, plain_Wx, plain_Wh, plain_b],
            lambda: rnn_layers.rnn_forward(sequence, state, plain_Wx, plain_Wh, plain_b),
            rnn_layers.rnn_backward,
        ),
        "lstm": (
            [sequence, state, Wx, Wh, bh],
            lambda: rnn_layers.lstm_forward(sequence, state, Wx, Wh, bh),
            rnn_layers.lstm_backward,
        ),
        "temporal_affine": (
            [sequence, w, b],
            lambda: rnn_layers.temporal_affine_forward(sequence, w, b),
            rnn_layers.temporal_affine_backward,
        ),
        "word_embedding": (
            [table],
            lambda: rnn_layers.word_embedding_forward(words, table),
            rnn_layers.word_embedding_backward,
        ),
    }


@pytest.mark.parametrize("layer", layer_checks(np.random.default_rng(0)))
def test_numeric_gradients_of_layers_look_at_the_array_itself(layer: str, rng: np.random.Generator) -> None:
    arrays, forward, backward = layer_checks(rng)[layer]
    out, cache = forward()
    dout = rng.normal(size=out.shape)
    grads = backward(dout, cache)
    for array, grad in zip(arrays, grads if isinstance(grads, tuple) else (grads,), strict=True):
        numeric = eval_numerical_gradient_array(lambda _: forward()[0], array, dout)
        assert abs(numeric).max() > 1e-3  # a copied array would not move, and the difference would be 0
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", ["softmax_loss", "svm_loss"])
def test_numeric_gradients_of_losses_look_at_the_array_itself(loss: str, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(6, 4)), np.array([3, 0, 1, 1, 2, 0])
    function = found(f"layers.{loss}")
    numeric = eval_numerical_gradient(lambda _: function(x, y)[0], x, verbose=False)
    assert abs(numeric).max() > 1e-3
    np.testing.assert_allclose(function(x, y)[1], numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "loss",
    [
        "linear_svm.svm_loss_naive",
        "linear_svm.svm_loss_vectorized",
        "softmax.softmax_loss_naive",
        "softmax.softmax_loss_vectorized",
    ],
)
def test_numeric_gradients_of_linear_classifiers_look_at_the_array_itself(
    loss: str, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    W, X, y = rng.normal(size=(5, 3)), rng.normal(size=(7, 5)), np.arange(7) % 3
    function = found(f"classifiers.{loss}")
    _, grad = function(W, X, y, 0.3)
    numeric = eval_numerical_gradient(lambda _: function(W, X, y, 0.3)[0], W, verbose=False)
    np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-8)
    grad_check_sparse(lambda _: function(W, X, y, 0.3)[0], W, grad, 10)
    errors = [float(line.rpartition("relative error: ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert len(errors) == 10 and max(errors) < 1e-5


def networks() -> dict[str, Any]:
    from cs231n.classifiers import fc_net, neural_net

    deep = {"input_dim": 6, "num_classes": 3, "weight_scale": 0.5, "reg": 0.2, "dtype": np.float64, "rng": 1}
    return {
        "TwoLayerNet": fc_net.TwoLayerNet(input_dim=6, hidden_dim=5, num_classes=3, weight_scale=0.5, reg=0.2, rng=1),
        "SelfTrainingNet": neural_net.TwoLayerNet(6, 5, 3, std=0.5, rng=1),
        "deep": fc_net.FullyConnectedNet([5, 4], **deep),
        "batchnorm": fc_net.FullyConnectedNet([5, 4], normalization="batchnorm", **deep),
        "layernorm": fc_net.FullyConnectedNet([5, 4], normalization="layernorm", **deep),
        "dropout": fc_net.FullyConnectedNet([5, 4], dropout_keep_ratio=0.75, seed=123, **deep),
    }


@pytest.mark.parametrize("network", networks())
def test_numeric_gradients_of_networks_look_at_the_parameters_themselves(
    network: str, rng: np.random.Generator
) -> None:
    net = networks()[network]
    X, y = rng.normal(size=(5, 6)), np.array([0, 2, 1, 1, 0])
    _, grads = net.loss(X, y)
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(X, y)[0], net.params[name], verbose=False)
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("cell_type", ["rnn", "lstm"])
def test_numeric_gradients_of_the_captioning_network_look_at_the_parameters_themselves(
    cell_type: str, rng: np.random.Generator
) -> None:
    from cs231n.classifiers.rnn import CaptioningRNN

    words = {"<NULL>": 0, "<START>": 1, "cat": 2, "dog": 3}
    net = CaptioningRNN(words, 3, 4, 2, cell_type=cell_type, dtype=np.float64, rng=1)
    features, captions = rng.normal(size=(3, 3)), np.array([[1, 2, 3], [1, 3, 0], [1, 2, 2]])
    _, grads = net.loss(features, captions)
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(features, captions)[0], net.params[name], verbose=False)
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-8, err_msg=name)
