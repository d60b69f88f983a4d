import json
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cs231n.cli import app
from cs231n.generative.simclr import SimCLRNet, random_views
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses import simclr_loss
from cs231n.training.simclr import FEATURES, LABELS, Run, Settings, rows

DOCS = Path(__file__).resolve().parents[2] / "docs"
A, TAU = 6, 0.7
PARTNER = np.array([3, 4, 5, 0, 1, 2])


def network(dtype=np.float64):
    """A small network whose biases are random too: at 0 many mistakes do not show."""
    net = SimCLRNet(4, 5, 6, 3, dtype=dtype, rng=0)
    rng = np.random.default_rng(1)
    for name, array in net.params.items():
        net.params[name] = array + (0.3 * rng.normal(size=array.shape)).astype(dtype)
    return net


def views(dtype=np.float64):
    return np.random.default_rng(2).normal(size=(A, 4)).astype(dtype)


def test_all_gradients_agree_with_differences():
    net, X = network(), views()
    _, grads = net.loss(X, PARTNER, TAU)
    assert grads.keys() == net.params.keys()
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: net.loss(X, PARTNER, TAU)[0], net.params[name], verbose=False)
        assert abs(numeric).max() > 1e-5, name
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-9, err_msg=name)


def test_the_loss_is_that_of_the_embeddings_of_both_halves():
    net, X = network(), views()
    loss, _ = net.loss(X, PARTNER, TAU)
    assert loss == pytest.approx(simclr_loss(net.embeddings(X[:3]), net.embeddings(X[3:]), TAU)[0], rel=1e-12)


def test_views_may_stand_in_any_order():
    net, X = network(), views()
    loss, grads = net.loss(X, PARTNER, TAU)
    order = np.array([5, 0, 3, 2, 4, 1])
    same, others = net.loss(X[order], np.argsort(order)[PARTNER[order]], TAU)
    assert same == pytest.approx(loss, rel=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(others[name], grad, atol=1e-12)


def test_features_stand_before_the_head():
    net, X = network(), views()
    p = net.params
    h = np.maximum(0, np.maximum(0, X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
    np.testing.assert_allclose(net.features(X.reshape(A, 2, 2)), h, rtol=1e-12)
    before = net.features(X)
    p["W3"] = 0 * p["W3"]
    np.testing.assert_array_equal(net.features(X), before)


def test_a_call_changes_nothing_and_a_seed_fixes_everything():
    net, X = network(), views()
    X.flags.writeable = False
    before = pickle.dumps((net.params, np.random.get_state()))  # noqa: NPY002
    results = [net.loss(X, PARTNER, TAU) for _ in range(2)]
    assert pickle.dumps((net.params, np.random.get_state())) == before  # noqa: NPY002
    assert results[0][0] == results[1][0]
    one, other, another = (SimCLRNet(rng=seed).params for seed in (0, 0, 1))
    assert all((one[name] == other[name]).all() for name in one)
    assert (one["W1"] != another["W1"]).any()
    assert {name: a.shape for name, a in one.items()}["W4"] == (128, 32)
    assert one["W1"].std() == pytest.approx((2 / 64) ** 0.5, rel=0.05)


def test_the_dtype_of_the_parameters_is_kept_whatever_the_data():
    net, X = network(np.float32), views()
    loss, grads = net.loss(X, PARTNER, TAU)
    assert {a.dtype for a in (loss, net.features(X), net.embeddings(X), *grads.values())} == {np.dtype("f4")}
    assert loss == pytest.approx(network().loss(X, PARTNER, TAU)[0], rel=1e-4)


def test_one_step_down_the_gradient_lowers_the_loss():
    net, X = network(), views()
    loss, grads = net.loss(X, PARTNER, TAU)
    for name, grad in grads.items():
        net.params[name] = net.params[name] - 1e-3 * grad
    assert net.loss(X, PARTNER, TAU)[0] < loss


# ------------------------------------------------------------------------------------------------- the views

STILL = {"shift": 0, "turn": 0, "scale": 0, "contrast": 0, "noise": 0}


def pictures(N=3, H=5, W=4):
    return np.random.default_rng(3).random((N, H, W))


def test_without_changes_a_view_is_the_picture():
    X = pictures()
    np.testing.assert_allclose(random_views(X, np.random.default_rng(0), **STILL), X, atol=1e-12)


def test_a_view_is_another_one_each_time_and_a_seed_fixes_it():
    X = pictures()
    X.flags.writeable = False
    rng = np.random.default_rng(0)
    one, other, again = random_views(X, rng), random_views(X, rng), random_views(X, np.random.default_rng(0))
    assert (one != other).any()
    np.testing.assert_array_equal(one, again)
    assert random_views(X.astype("f4"), rng).dtype == np.float32
    assert random_views(X[:1, :1, :1], rng).shape == (1, 1, 1)


def test_a_shift_by_whole_pixels_moves_the_picture_and_brings_in_the_background():
    class Always:
        """Draws the end of each range."""

        def uniform(self, low, high, size):
            return np.full(size, high)

        def standard_normal(self, size):
            return np.zeros(size)

    X = pictures()
    moved = random_views(X, Always(), **STILL | {"shift": 1})
    np.testing.assert_allclose(moved[:, :-1, :-1], X[:, 1:, 1:], atol=1e-12)
    assert not moved[:, -1].any() and not moved[:, :, -1].any()
    far = random_views(X, Always(), **STILL | {"shift": 100})
    assert not far.any()

    square = pictures(H=4)
    turned = random_views(square, Always(), **STILL | {"turn": np.pi / 2})
    np.testing.assert_allclose(turned, np.rot90(square, -1, axes=(1, 2)), atol=1e-12)
    stronger = random_views(X, Always(), **STILL | {"contrast": 0.5})
    np.testing.assert_allclose(stronger, 1.5 * X, atol=1e-12)


def test_noise_has_the_deviation_asked_for():
    noisy = random_views(np.zeros((200, 8, 8)), np.random.default_rng(0), noise=0.3)
    assert noisy.std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SimCLRNet(head_dim=0), "head_dim >= 1, got 0"),
        (lambda: SimCLRNet(dtype=int), "floating-point dtype, got int64"),
        (lambda: network().loss(views().astype(int), PARTNER, TAU), "real floating-point numbers, got dtype int64"),
        (lambda: network().loss(views(), PARTNER[:5], TAU), "partner"),
        (lambda: network().loss(views(), np.arange(A), TAU), "another row"),
        (lambda: network().loss(views(), PARTNER, 0.0), "positive temperature"),
        (lambda: network().features(np.ones((2, 3))), r"got x \(2, 3\)"),
        (lambda: random_views(np.ones((2, 3)), np.random.default_rng(0)), r"\(N, H, W\)"),
        (lambda: random_views(np.ones((2, 3, 3), int), np.random.default_rng(0)), "got dtype int64"),
        (lambda: Settings(epochs=0), "epochs >= 1"),
        (lambda: Settings(batch_size=1), "at least 2 pictures"),
        (lambda: Settings(tau=-1), "temperature tau > 0"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ----------------------------------------------------------------------------------------------- the command


@pytest.mark.skipif(
    find_spec("sklearn") is None or find_spec("matplotlib") is None,
    reason="scikit-learn and matplotlib are not installed (pip install -e '.[train]')",
)
def test_a_short_run_writes_its_report(tmp_path):
    arguments = ["train", "simclr", "--seeds", "1", "--epochs", "6", "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(app, arguments, env={"COLUMNS": "140"})
    assert found.exit_code == 0, found.output
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["results.json", "simclr.svg", "table.md"]
    (run,) = json.loads((tmp_path / "run" / "results.json").read_text())["runs"]
    assert len(run["loss"]) == 6 and run["loss"][-1] < run["loss"][0]
    assert run["accuracy"].keys() == set(FEATURES)
    assert all(0.3 < accuracy <= 1 for each in run["accuracy"].values() for accuracy in each.values())


def test_settings_that_make_no_sense_end_in_one_line():
    assert CliRunner().invoke(app, ["train", "simclr", "--temperature", "0"]).exit_code == 2


def test_the_page_shows_what_the_runs_found():
    found = json.loads((DOCS / "assets" / "figures" / "simclr.json").read_text())
    assert found["settings"] == vars(Settings())
    page = (DOCS / "generative" / "simclr.md").read_text().replace("&NoBreak;", "")
    runs = [Run(run["seed"], run["loss"], run["accuracy"]) for run in found["runs"]]
    for row in rows(runs):
        assert f"| {' | '.join(row)} |" in page, row
    trained, untrained = "encoder, trained", "encoder, untrained"
    assert len(runs) == 5
    for labels in LABELS:
        assert all(run.accuracy[trained][labels] > run.accuracy[untrained][labels] for run in runs)
    for labels in ("1", "5", "10"):  # a clear margin: the worst is above the best
        worst = min(run.accuracy[trained][labels] for run in runs)
        assert worst > max(run.accuracy[untrained][labels] for run in runs)
