"""The solver: the course's interface, and what its solver got wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n import optim
from cs231n.classifiers.fc_net import TwoLayerNet
from cs231n.layer_utils import affine_bn_relu_backward, affine_bn_relu_forward
from cs231n.losses import softmax_loss
from cs231n.optim.schedules import cosine, step_decay
from cs231n.solver import Solver
from cs231n.training.checkpoint import load_state, save_state

Data = dict[str, np.ndarray]


@pytest.fixture
def data() -> Data:
    """Three clouds in the plane, which a small network tells apart."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.array([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])[y] + 0.5 * rng.normal(size=(60, 2))
    return {"X_train": X[:40], "y_train": y[:40], "X_val": X[40:], "y_val": y[40:]}


def net(seed: int = 0, dtype: type = np.float64) -> TwoLayerNet:
    return TwoLayerNet(2, 8, 3, weight_scale=0.5, dtype=dtype, rng=seed)


def solver(data: Data, model: Any = None, **settings: Any) -> Solver:
    defaults: dict[str, Any] = {
        "update_rule": "sgd_momentum",
        "optim_config": {"learning_rate": 0.1},
        "batch_size": 8,
        "num_epochs": 4,
        "rng": 5,
    }
    return Solver(net() if model is None else model, data, **defaults | settings)


class Normalized:
    """One affine layer with batch normalization: it has averages that belong to what is learnt."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.params = {
            "W": rng.normal(size=(2, 3)),
            "b": np.zeros(3),
            "gamma": np.ones(3),
            "beta": np.full(3, 0.5),
        }
        self.bn_params: list[dict[str, Any]] = [{"mode": "train"}]

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
        self.bn_params[0]["mode"] = "test" if y is None else "train"
        W, b, gamma, beta = self.params.values()
        scores, cache = affine_bn_relu_forward(X, W, b, gamma, beta, self.bn_params[0])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        _, dW, db, dgamma, dbeta = affine_bn_relu_backward(dscores, cache)
        return loss, {"W": dW, "b": db, "gamma": dgamma, "beta": dbeta}


# ------------------------------------------------------------------------------------------------ training


def test_it_learns(data: Data) -> None:
    trained = solver(data, num_epochs=20)
    assert trained.train() is None
    assert trained.loss_history[-1] < 0.1 < trained.loss_history[0]
    assert trained.best_val_acc == 1
    assert trained.check_accuracy(data["X_val"], data["y_val"]) == 1
    assert not trained.interrupted


def test_the_histories_have_the_lengths_of_the_course(data: Data) -> None:
    """A loss for each step; accuracies after the first step and after each epoch."""
    trained = solver(data)
    trained.train()
    assert len(trained.loss_history) == 4 * (40 // 8)
    assert len(trained.train_acc_history) == len(trained.val_acc_history) == 1 + 4
    assert trained.epoch == 4
    assert all(type(number) is float for number in trained.loss_history + trained.val_acc_history)


def test_the_first_step_is_that_of_the_update_rule(data: Data) -> None:
    model = net()
    everything = solver(data, model, batch_size=40, update_rule="sgd", num_epochs=1)
    before = {name: array.copy() for name, array in model.params.items()}
    _, grads = model.loss(data["X_train"], data["y_train"])
    everything.train()
    for name, w in before.items():
        np.testing.assert_allclose(model.params[name], w - 0.1 * grads[name], rtol=1e-12)


@pytest.mark.parametrize("rule", optim.__all__)
def test_every_update_rule_lowers_the_loss(data: Data, rule: str) -> None:
    trained = solver(data, update_rule=rule, optim_config={"learning_rate": 0.02}, num_epochs=10)
    trained.train()
    assert np.mean(trained.loss_history[-5:]) < np.mean(trained.loss_history[:5])


def test_the_learning_rate_decays_after_each_epoch(data: Data) -> None:
    trained = solver(data, lr_decay=0.5, num_epochs=3)
    trained.train()
    assert {config["learning_rate"] for config in trained.optim_configs.values()} == {0.1 * 0.5**3}


def test_a_schedule_multiplies_the_rate_of_each_step(data: Data) -> None:
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return cosine(step, 20, warmup=3)

    trained = solver(data, update_rule="sgd", lr_schedule=schedule)
    trained.train()
    assert asked == list(range(20))  # four epochs of five batches
    model, again = net(), solver(data)
    for step in range(20):
        if step % 5 == 0:
            order = again._batch_rng.permutation(40)
        chosen = order[step % 5 * 8 :][:8]
        loss, grads = model.loss(data["X_train"][chosen], data["y_train"][chosen])
        assert trained.loss_history[step] == pytest.approx(loss, rel=1e-9)
        rate = 0.1 * cosine(step, 20, warmup=3)
        model.params = {name: w - rate * grads[name] for name, w in model.params.items()}
    assert all(config["learning_rate"] == 0.1 for config in trained.optim_configs.values())  # nothing compounds


def test_the_decay_of_the_course_is_a_staircase(data: Data) -> None:
    decayed = solver(data, lr_decay=0.5)
    scheduled = solver(data, lr_schedule=lambda step: step_decay(step, every=5, factor=0.5))
    decayed.train()
    scheduled.train()
    np.testing.assert_allclose(scheduled.loss_history, decayed.loss_history, rtol=1e-12)
    both = solver(data, lr_decay=0.5, lr_schedule=lambda step: step_decay(step, every=5, factor=0.5))
    quarter = solver(data, lr_decay=0.25)
    both.train()
    quarter.train()
    np.testing.assert_allclose(both.loss_history, quarter.loss_history, rtol=1e-12)


@pytest.mark.parametrize("rule", optim.__all__)
def test_a_schedule_of_ones_changes_nothing(data: Data, rule: str) -> None:
    plain, scheduled = (solver(data, update_rule=rule, lr_schedule=s) for s in (None, lambda step: 1.0))
    plain.train()
    scheduled.train()
    assert plain.loss_history == scheduled.loss_history


def test_a_schedule_goes_on_where_a_checkpoint_was_written(data: Data, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"lr_schedule": lambda step: cosine(step, 20, warmup=3), "update_rule": "adam"}
    whole = solver(data, **settings)
    whole.train()
    solver(data, **settings, num_epochs=2, checkpoint_name=tmp_path / "run").train()
    resumed = solver(data, **settings, rng=99)
    resumed.load_checkpoint(tmp_path / "run_epoch_2.npz")
    resumed.train()
    assert resumed.loss_history == whole.loss_history


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_a_factor_that_cannot_be_one_is_named_and_no_step_is_taken(data: Data, factor: float) -> None:
    stopped = solver(data, lr_schedule=lambda step: 1.0 if step < 2 else factor)
    with pytest.raises(ValueError, match=f"lr_schedule: expected a finite factor >= 0, got {factor} at step 2"):
        stopped.train()
    assert len(stopped.loss_history) == 2


def test_an_epoch_goes_through_every_example_once(data: Data) -> None:
    seen: list[np.ndarray] = []

    class Watched(TwoLayerNet):
        def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
            if y is not None:
                seen.append(X)
            return super().loss(X, y)

    solver(data, Watched(2, 8, 3), num_epochs=1).train()
    assert sorted(map(tuple, np.concatenate(seen))) == sorted(map(tuple, data["X_train"]))


@pytest.mark.parametrize(("examples", "batch_size"), [(1, 1), (1, 100), (3, 100), (5, 3)])
def test_tiny_data_and_batches_larger_than_them(data: Data, examples: int, batch_size: int) -> None:
    few = {name: array[:examples] for name, array in data.items()}
    trained = solver(few, batch_size=batch_size, num_epochs=3)
    trained.train()
    assert len(trained.loss_history) == 3
    assert 0 <= trained.best_val_acc <= 1


def test_a_seed_fixes_the_run_and_the_global_state_stays(data: Data) -> None:
    before = repr(np.random.get_state())  # noqa: NPY002
    first, again, other = (solver(data, rng=seed) for seed in (1, 1, 2))
    for trained in (first, again, other):
        trained.train()
    assert first.loss_history == again.loss_history != other.loss_history
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_measuring_on_fewer_examples_does_not_change_the_batches(data: Data) -> None:
    runs = [solver(data, num_train_samples=samples, num_val_samples=samples) for samples in (None, 3, 7)]
    for trained in runs:
        trained.train()
    assert runs[0].loss_history == runs[1].loss_history == runs[2].loss_history


def test_accuracy_counts_every_example_whatever_the_batches(data: Data) -> None:
    model = net()
    X, y = data["X_train"], data["y_train"]
    expected = np.mean([np.argmax(model.loss(X[i : i + 1])) == y[i] for i in range(len(X))])
    measured = solver(data, model)
    assert measured.check_accuracy(X, y) == expected
    assert measured.check_accuracy(X, y, batch_size=7) == expected
    assert measured.check_accuracy(X, y, num_samples=1000) == expected
    assert measured.check_accuracy(X, y, num_samples=4) in {0, 0.25, 0.5, 0.75, 1}
    with pytest.raises(ValueError, match="at least 1 example, got 0"):
        measured.check_accuracy(X[:0], y[:0])


# ------------------------------------------------------------------------------------------ what is kept


def test_the_best_parameters_are_kept_and_later_steps_do_not_reach_them(data: Data) -> None:
    trained = solver(data, num_epochs=3)
    trained.train()
    kept = {name: array.copy() for name, array in trained.best_params.items()}
    best = trained.best_val_acc
    for array in trained.model.params.values():
        array += 100  # even in place
    for name, array in kept.items():
        np.testing.assert_array_equal(trained.best_params[name], array)
    assert trained.best_val_acc == best == max(trained.val_acc_history)


def test_a_rule_that_works_in_place_does_not_reach_them_either(data: Data) -> None:
    """The copies of the course's solver shared their arrays with the model."""
    trained = solver(data, num_epochs=1)
    kept = {name: array.copy() for name, array in trained.best_params.items()}

    def in_place(w: np.ndarray, dw: np.ndarray, config: dict[str, Any]) -> Any:
        w -= 0.1 * dw
        return w, config

    trained.update_rule = in_place
    trained._step(data["X_train"], data["y_train"])
    for name, array in kept.items():
        np.testing.assert_array_equal(trained.best_params[name], array)


def test_a_run_that_gets_worse_ends_with_its_best(data: Data) -> None:
    trained = solver(data, optim_config={"learning_rate": 0.1}, num_epochs=5)
    trained.train()
    for config in trained.optim_configs.values():
        config["learning_rate"] = 1e3
    trained.num_epochs = 8
    with np.errstate(all="ignore"):
        trained.train()
    assert trained.val_acc_history[-1] < trained.best_val_acc
    assert trained.check_accuracy(data["X_val"], data["y_val"]) == trained.best_val_acc


@pytest.mark.parametrize("num_epochs", [0, 2])
def test_it_never_ends_with_empty_parameters(data: Data, num_epochs: int) -> None:
    """An accuracy of 0 throughout left the course's solver with an empty dictionary."""
    hopeless = data | {"y_val": np.full(20, 77)}
    trained = solver(hopeless, num_epochs=num_epochs)
    trained.train()
    assert trained.best_val_acc == (0 if num_epochs else -np.inf)
    assert set(trained.model.params) == set(trained.best_params) == {"W1", "b1", "W2", "b2"}
    assert trained.model.loss(data["X_val"]).shape == (20, 3)


def test_the_averages_of_the_best_moment_come_back_with_its_parameters(data: Data) -> None:
    """The course's solver kept the averages of the last step, which belong to other parameters."""
    model = Normalized()
    trained = solver(data, model, num_epochs=6)
    scores_when_best: list[np.ndarray] = []
    check = trained.check

    def watched() -> None:
        before = trained.best_val_acc
        check()
        if trained.best_val_acc > before:
            scores_when_best.append(model.loss(data["X_val"]))

    trained.check = watched  # type: ignore[method-assign]
    trained.train()
    assert trained.val_acc_history.index(trained.best_val_acc) < 6  # or the last averages would be the right ones
    np.testing.assert_array_equal(model.loss(data["X_val"]), scores_when_best[-1])
    assert trained.check_accuracy(data["X_val"], data["y_val"]) == trained.best_val_acc
    assert model.bn_params is not trained.best_bn_params
    model.loss(data["X_train"], data["y_train"])  # moves the averages of the model, and not those that are kept
    assert not np.array_equal(model.bn_params[0]["running_mean"], trained.best_bn_params[0]["running_mean"])


def test_settings_are_copied(data: Data) -> None:
    config = {"learning_rate": 0.1, "momentum": 0.5}
    trained = solver(data, optim_config=config)
    config["learning_rate"] = 99.0
    trained.train()
    assert config == {"learning_rate": 99.0, "momentum": 0.5}
    assert {c["learning_rate"] for c in trained.optim_configs.values()} == {0.1}
    assert len({id(c["velocity"]) for c in trained.optim_configs.values()}) == 4


def test_the_dtype_of_the_model_is_kept(data: Data) -> None:
    trained = solver(data, net(dtype=np.float32), lr_decay=0.9)
    trained.train()
    assert {array.dtype for array in trained.model.params.values()} == {np.dtype(np.float32)}


# ---------------------------------------------------------------------------------------------- Ctrl-C


class Interrupting(TwoLayerNet):
    """Presses Ctrl-C in the middle of a step."""

    def __init__(self, at: int) -> None:
        super().__init__(2, 8, 3, weight_scale=0.5, rng=0)
        self.left = at

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> Any:
        found = super().loss(X, y)
        if y is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return found


@pytest.mark.parametrize("at", [0, 1, 3, 7])
def test_ctrl_c_ends_the_training_with_what_was_learnt(data: Data, at: int) -> None:
    trained = solver(data, Interrupting(at), num_epochs=1000)
    trained.train()
    assert trained.interrupted
    assert len(trained.loss_history) == at
    assert len(trained.val_acc_history) == len(trained.train_acc_history) > 0
    assert trained.best_val_acc == max(trained.val_acc_history)
    for name, array in trained.best_params.items():
        np.testing.assert_array_equal(trained.model.params[name], array)


def test_what_was_learnt_since_the_last_check_counts(data: Data) -> None:
    """One long epoch, interrupted: the parameters of the first step are not all there is."""
    trained = solver(data, Interrupting(39), batch_size=1, num_epochs=1, optim_config={"learning_rate": 0.03})
    trained.train()
    assert trained.epoch == 0
    assert trained.val_acc_history[-1] > trained.val_acc_history[0]
    assert trained.best_val_acc == trained.val_acc_history[-1]


def test_after_ctrl_c_training_goes_on(data: Data) -> None:
    model = Interrupting(7)
    trained = solver(data, model, num_epochs=3)
    trained.train()
    model.left = 10**6
    trained.train()
    assert trained.epoch == 3
    assert not trained.interrupted


def test_no_step_is_half_taken(data: Data) -> None:
    """Ctrl-C inside an update rule: all parameters are those before the step."""
    model = net()
    trained = solver(data, model)
    before = {name: array.copy() for name, array in model.params.items()}
    rule, calls = trained.update_rule, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return rule(*arguments)

    trained.update_rule = interrupted
    trained.train()
    assert trained.interrupted
    for name, array in before.items():
        np.testing.assert_array_equal(model.params[name], array)
        assert trained.optim_configs[name] == {"learning_rate": 0.1}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_a_real_ctrl_c() -> None:
    script = """
        import numpy as np
        from cs231n.classifiers.fc_net import TwoLayerNet
        from cs231n.solver import Solver
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(200, 30)), rng.integers(3, size=200)
        data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
        solver = Solver(TwoLayerNet(30, 20, 3, rng=0), data, batch_size=10, num_epochs=10**7)
        print("started", flush=True)
        solver.train()
        print("interrupted", solver.interrupted, len(solver.model.params), solver.best_val_acc > 0, flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert out == "interrupted True 4 True\n", err
    assert err == ""  # no bar where there is no terminal


# ------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("model", [net, Normalized])
def test_a_run_from_a_checkpoint_equals_one_without_a_break(
    data: Data, model: Callable[[], Any], tmp_path: Path
) -> None:
    whole = solver(data, model(), lr_decay=0.9)
    whole.train()
    solver(data, model(), lr_decay=0.9, num_epochs=2, checkpoint_name=tmp_path / "run").train()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run_epoch_1.npz", "run_epoch_2.npz"]

    resumed = solver(data, model(), lr_decay=0.9, rng=99)
    resumed.load_checkpoint(tmp_path / "run_epoch_2.npz")
    assert resumed.epoch == 2
    resumed.train()
    assert resumed.loss_history == whole.loss_history
    assert resumed.val_acc_history == whole.val_acc_history
    assert resumed.best_val_acc == whole.best_val_acc
    for name, array in whole.model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], array)
    np.testing.assert_array_equal(resumed.model.loss(data["X_val"]), whole.model.loss(data["X_val"]))


def test_a_checkpoint_holds_no_pickle_and_replaces_an_old_one_at_once(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "run_epoch_1.npz"
    path.write_text("an older file")
    solver(data, num_epochs=1, checkpoint_name=tmp_path / "run").train()
    assert [p.name for p in tmp_path.iterdir()] == ["run_epoch_1.npz"]  # nothing temporary is left
    with zipfile.ZipFile(path) as stored:
        for name in stored.namelist():
            assert b"'descr': '|O'" not in stored.read(name)
    with np.load(path, allow_pickle=False) as stored:
        assert json.loads(str(stored["state"]))["epoch"] == 1
        assert stored["array/params/W1"].shape == (2, 8)


def test_a_checkpoint_of_something_else_is_refused_and_changes_nothing(data: Data, tmp_path: Path) -> None:
    solver(data).save_checkpoint(tmp_path / "good.npz")
    other_rule = solver(data, update_rule="sgd")
    with pytest.raises(ValueError, match="of the update rule sgd, got sgd_momentum"):
        other_rule.load_checkpoint(tmp_path / "good.npz")
    wider = solver(data, TwoLayerNet(2, 9, 3))
    with pytest.raises(ValueError, match=r"'W1': \(2, 9\).*got .*'W1': \(2, 8\)"):
        wider.load_checkpoint(tmp_path / "good.npz")
    assert wider.model.params["W1"].shape == (2, 9)
    with pytest.raises(FileNotFoundError):
        wider.load_checkpoint(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.npz: expected a checkpoint"):
        wider.load_checkpoint(tmp_path / "text.npz")
    np.savez(tmp_path / "weights.npz", W1=np.zeros(3))
    with pytest.raises(ValueError, match=r"weights\.npz: expected a checkpoint"):
        wider.load_checkpoint(tmp_path / "weights.npz")


def test_the_state_of_a_run_survives_as_it_is(tmp_path: Path) -> None:
    state = {
        "number": 0.1,
        "large": 2**100,
        "nothing": None,
        "infinite": float("-inf"),
        "text": "ε",
        "single": np.float32(0.1),
        "list": [1, True, {"deep": np.arange(6).reshape(2, 3)}],
        "array": "array",
    }
    save_state(tmp_path / "state", state)
    found = load_state(tmp_path / "state")
    assert set(found) == set(state)
    for name in ("number", "large", "nothing", "infinite", "text", "array"):
        assert found[name] == state[name] and type(found[name]) is type(state[name])
    assert found["single"].dtype == np.float32 and found["single"] == np.float32(0.1)
    assert found["list"][:2] == [1, True]
    np.testing.assert_array_equal(found["list"][2]["deep"], np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"rule": print}, "/rule: expected .*, got builtin_function_or_method"),
        ({"a": [{1: 2}]}, r"/a/0: expected text as keys, got 1"),
        ({"a": np.array([print])}, "/a: expected numbers, got an array of objects"),
    ],
)
def test_what_cannot_be_kept_is_named(state: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("the old one")
    with pytest.raises(ValueError, match=message):
        save_state(tmp_path / "state", state)
    assert (tmp_path / "state").read_text() == "the old one"


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"update_rule": "sdg"}, "update_rule: expected one of .*sgd_momentum.*, got 'sdg'"),
        ({"update_rule": "__all__"}, "got '__all__'"),
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
        ({"num_epochs": -1}, "num_epochs >= 0, got -1"),
        ({"print_every": 0}, "print_every >= 1, got 0"),
        ({"num_val_samples": 0}, "num_val_samples >= 1, got 0"),
        (
            {"optim_config": {}, "lr_schedule": lambda step: 1.0},
            "lr_schedule: expected a learning_rate in optim_config",
        ),
    ],
)
def test_bad_settings_are_named(data: Data, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solver(data, **settings)


def test_an_unknown_setting_is_an_error(data: Data) -> None:
    with pytest.raises(TypeError, match="learning_rate"):
        solver(data, learning_rate=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_val": None}, "got no X_val"),
        ({"y_train": np.zeros(3, int)}, "X_train as in y_train, at least 1, got 40 and 3"),
        ({"X_val": np.zeros((0, 2)), "y_val": np.zeros(0, int)}, "at least 1, got 0 and 0"),
    ],
)
def test_bad_data_are_named(data: Data, change: Data, message: str) -> None:
    changed = {name: array for name, array in (data | change).items() if array is not None}
    with pytest.raises(ValueError, match=message):
        solver(changed)


def test_a_bar_on_a_terminal_only(
    data: Data, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    solver(data).train()
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes it for a terminal
    monkeypatch.setenv("TERM", "xterm")
    solver(data, verbose=False).train()
    assert capfd.readouterr() == ("", "")
    solver(data).train()
    out, err = capfd.readouterr()
    assert out == ""
    assert "4/4" in err and "val" in err and "loss" in err
