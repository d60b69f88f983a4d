import inspect
import json
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cs231n.cli import app
from cs231n.generative.gan import (
    ConvDiscriminator,
    ConvGenerator,
    Discriminator,
    Generator,
    conv_transpose_backward,
    conv_transpose_forward,
    discriminator_step,
    generator_step,
)
from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.layers import conv_backward_naive, conv_forward_naive
from cs231n.training.gan import DEFAULTS, RATES, Result, Settings, _grid, rows

DOCS = Path(__file__).resolve().parents[2] / "docs"

N, M, Z = 3, 2, 5
KINDS = ("fc", "conv")
GAMES = ("vanilla", "minimax", "ls")


def players(kind, dtype=np.float64):
    """Small networks whose biases are random too: at 0 many mistakes do not show."""
    if kind == "fc":
        pair = Generator(Z, 6, 4, dtype=dtype, rng=0), Discriminator(4, 7, dtype=dtype, rng=1)
    else:
        pair = ConvGenerator(Z, 1, 4, dtype=dtype, rng=0), ConvDiscriminator(1, 4, dtype=dtype, rng=1)
    rng = np.random.default_rng(2)
    for net in pair:
        for name, array in net.params.items():
            net.params[name] = array + (0.3 * rng.normal(size=array.shape)).astype(dtype)
    return pair


def batch(kind, dtype=np.float64):
    rng = np.random.default_rng(3)
    shape = (M, 4) if kind == "fc" else (M, 1, 4, 4)
    return rng.uniform(-1, 1, size=shape).astype(dtype), rng.normal(size=(N, Z)).astype(dtype)


def assert_numeric(loss, grads, params):
    assert grads.keys() == params.keys()
    for name, grad in grads.items():
        numeric = eval_numerical_gradient(lambda _: loss(), params[name], verbose=False)
        assert abs(numeric).max() > 1e-6, name
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("kind", "game"), [*(("fc", game) for game in GAMES), ("conv", "vanilla")])
def test_gradients_of_both_players_agree_with_differences(kind, game):
    generator, discriminator = players(kind)
    real, z = batch(kind)
    _, grads = generator_step(generator, discriminator, z, game)
    assert_numeric(lambda: generator_step(generator, discriminator, z, game)[0], grads, generator.params)
    _, grads = discriminator_step(generator, discriminator, real, z, game)
    assert_numeric(lambda: discriminator_step(generator, discriminator, real, z, game)[0], grads, discriminator.params)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_at_the_pictures(kind):
    _, discriminator = players(kind)
    real, _ = batch(kind)
    scores, cache = discriminator.forward(real)
    above = np.random.default_rng(4).normal(size=scores.shape)
    dx, _ = discriminator.backward(above, cache)
    numeric = eval_numerical_gradient_array(lambda x: discriminator.forward(x)[0], real.copy(), above)
    np.testing.assert_allclose(dx, numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_learns_from_real_pictures_and_from_fakes(kind):
    # a second backward that overwrites the first loses half of it
    generator, discriminator = players(kind)
    real, z = batch(kind)
    _, grads = discriminator_step(generator, discriminator, real, z)
    _, others = discriminator_step(generator, discriminator, real[:1], z)
    assert all((grads[name] != others[name]).any() for name in grads)


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_minimax_game_what_one_feels_the_other_feels_turned_round(kind):
    generator, discriminator = players(kind)
    _, z = batch(kind)
    _, zero_sum = generator_step(generator, discriminator, z, "minimax")
    fakes, cache = generator.forward(z)
    scores, seen = discriminator.forward(fakes)
    odds = 1 / (1 + np.exp(-scores))
    dx, _ = discriminator.backward(odds / odds.size, seen)  # of the discriminator's own loss
    for name, grad in generator.backward(dx, cache).items():
        np.testing.assert_allclose(zero_sum[name], -grad, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_changes_nothing_and_can_be_repeated(kind):
    generator, discriminator = players(kind)
    real, z = batch(kind)
    before = pickle.dumps((generator.params, discriminator.params, real, z))
    state = pickle.dumps(np.random.get_state())  # noqa: NPY002
    results = [
        (discriminator_step(generator, discriminator, real, z), generator_step(generator, discriminator, z))
        for _ in range(2)
    ]
    assert pickle.dumps((generator.params, discriminator.params, real, z)) == before
    assert pickle.dumps(np.random.get_state()) == state  # noqa: NPY002
    for (loss, grads), (same, others) in zip(*results, strict=True):
        assert loss == same and all((grads[name] == others[name]).all() for name in grads)
    for one, other in zip(players(kind), players(kind), strict=True):
        assert all((one.params[name] == other.params[name]).all() for name in one.params)


@pytest.mark.parametrize("kind", KINDS)
def test_the_dtype_of_the_parameters_is_kept_whatever_the_data(kind):
    generator, discriminator = players(kind, np.float32)
    real, z = batch(kind)  # doubles
    loss, grads = generator_step(generator, discriminator, z)
    other, others = discriminator_step(generator, discriminator, real, z)
    assert {a.dtype for a in (loss, other, *grads.values(), *others.values())} == {np.dtype("f4")}
    exact, _ = generator_step(*players(kind), z)
    assert loss == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_lie_between_the_colours_whatever_the_noise(kind):
    generator, discriminator = players(kind)
    fakes, _ = generator.forward(1e6 * np.random.default_rng(0).normal(size=(2, Z)))
    assert abs(fakes).max() <= 1
    assert discriminator.forward(fakes)[0].shape == (2, 1)


@pytest.mark.parametrize("geometry", [(1, 0, 3, 2), (2, 1, 4, 4), (3, 0, 2, 2), (2, 1, 3, 5)], ids=str)
def test_the_transposed_convolution_is_the_backward_of_the_convolution(geometry):
    s, pad, R, Q = geometry
    rng = np.random.default_rng(5)
    x, w, b = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2, R, Q)), rng.normal(size=2)
    out, cache = conv_transpose_forward(x, w, b, {"stride": s, "pad": pad})
    assert out.shape == (2, 2, s * 3 + R - 2 * pad, s * 4 + Q - 2 * pad)
    _, other = conv_forward_naive(np.zeros(out.shape), w, np.zeros(3), {"stride": s, "pad": pad})
    np.testing.assert_allclose(out - b[:, None, None], conv_backward_naive(x, other)[0], rtol=1e-10, atol=1e-12)

    dout = rng.normal(size=out.shape)
    for array in (x, w, b, dout):
        array.flags.writeable = False
    for found, (index, array) in zip(conv_transpose_backward(dout, cache), enumerate((x, w, b)), strict=True):

        def changed(value, index=index):
            arguments = [x, w, b]
            arguments[index] = value
            return conv_transpose_forward(*arguments, {"stride": s, "pad": pad})[0]

        numeric = eval_numerical_gradient_array(changed, array.copy(), dout)
        np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-9)


def test_transposed_convolution_of_any_layout_and_precision():
    rng = np.random.default_rng(6)
    x, w = rng.normal(size=(5, 4, 3, 2)).astype("f4").T, rng.normal(size=(3, 2, 2, 2)).astype("f4")
    out, cache = conv_transpose_forward(x, w, np.zeros(2, "f4"), {"stride": 2, "pad": 0})
    assert out.dtype == np.float32
    same, _ = conv_transpose_forward(np.ascontiguousarray(x), w, np.zeros(2, "f4"), {"stride": 2, "pad": 0})
    np.testing.assert_allclose(out, same, rtol=1e-5)
    dout = rng.normal(size=out.shape[::-1]).astype("f4").T
    assert {a.dtype for a in conv_transpose_backward(dout, cache)} == {np.dtype("f4")}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Generator(0), "noise_dim >= 1, got 0"),
        (lambda: Discriminator(4, dtype=int), "floating-point dtype, got int64"),
        (lambda: ConvGenerator(size=6), "multiple of 4, got 6"),
        (lambda: ConvDiscriminator(size=10), "multiple of 4, got 10"),
        (lambda: generator_step(*players("fc"), np.ones((N, Z)), "wgan"), "vanilla, minimax, ls, got 'wgan'"),
        (lambda: generator_step(*players("fc"), np.ones((N, Z), int)), "real floating-point numbers, got dtype int64"),
        (lambda: players("conv")[1].forward(np.ones((2, 16))), "shape"),
        (lambda: transposed(x=np.ones((2, 3, 4))), r"\(N, F, P, U\)"),
        (lambda: transposed(w=np.ones((2, 3, 2, 2))), r"\(3, C, R, Q\)"),
        (lambda: transposed(b=np.ones(3)), r"b of shape \(2,\)"),
        (lambda: transposed(conv_param={"stride": 0, "pad": 0}), "stride >= 1"),
        (lambda: transposed(conv_param={"stride": 1, "pad": 3}), "leaves something"),
        (lambda: transposed(conv_param={"stride": 1}), "expected stride and pad"),
        (lambda: Settings(loss="wgan"), "loss: expected one of"),
        (lambda: Settings(steps=0), "steps >= 1"),
        (lambda: Settings(learning_rate=-1), "learning rate > 0"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def transposed(**given):
    usual = {"x": np.ones((2, 3, 4, 4)), "w": np.ones((3, 2, 2, 2)), "b": np.ones(2)}
    return conv_transpose_forward(**(usual | {"conv_param": {"stride": 1, "pad": 0}} | given))


def test_the_defaults_fit_each_other_and_the_digits():
    assert Generator(rng=0).forward(np.ones((1, 16)))[0].shape == (1, 64)
    fakes, _ = ConvGenerator(rng=0).forward(np.ones((1, 16)))
    assert fakes.shape == (1, 1, 8, 8) and ConvDiscriminator(rng=0).forward(fakes)[0].shape == (1, 1)
    assert inspect.signature(generator_step).parameters["game"].default == "vanilla"


# ------------------------------------------------------------------------------------------------ the command


def test_a_sheet_of_pictures():
    sheet = _grid(np.arange(8.0).reshape(2, 2, 2), 1)
    np.testing.assert_array_equal(sheet[1:3, 1:3], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(sheet[5:7, 1:3], [[4, 5], [6, 7]])


@pytest.mark.skipif(
    find_spec("sklearn") is None or find_spec("matplotlib") is None,
    reason="scikit-learn and matplotlib are not installed (pip install -e '.[train]')",
)
@pytest.mark.parametrize("model", KINDS)
def test_a_short_run_writes_its_report(model, tmp_path, monkeypatch):
    from cs231n.training import digits

    monkeypatch.setitem(digits.DEFAULTS["fc"], "epochs", 3)  # a judge that has learnt less
    arguments = ["train", "gan", "--model", model, "--loss", "ls", "--steps", "12", "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    assert found.exit_code == 0, found.output
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["gan.svg", "results.json", "table.md"]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["settings"]["model"] == model and results["settings"]["loss"] == "ls"
    assert len(results["generator_loss"]) == 1
    assert list(results["verdicts"]) == ["fakes", "real, test part", "pixels shuffled"]
    assert results["verdicts"]["real, test part"]["sure"] > results["verdicts"]["fakes"]["sure"]
    assert "fakes" in found.output


def test_a_setting_that_makes_no_sense_ends_in_one_line():
    found = CliRunner().invoke(app, ["train", "gan", "--learning-rate", "-1"])
    assert found.exit_code == 2


def test_the_page_shows_what_the_runs_found():
    runs = json.loads((DOCS / "assets" / "figures" / "gan.json").read_text())
    page = (DOCS / "generative" / "gan.md").read_text()
    assert (DOCS / "assets" / "figures" / "gan.svg").is_file()
    for name, found in runs.items():
        loss, model = name.split(", ")
        chosen = {"loss": loss, "model": model, "learning_rate": RATES[loss]} | DEFAULTS[model]
        assert vars(Settings(**chosen)) == found["settings"]
        for row in rows(Result(None, verdicts=found["verdicts"])):
            assert f"| {' | '.join(row[1:])} |" in page, (name, row)
        assert found["verdicts"]["fakes"]["sure"] > 0.5 > 2 * found["verdicts"]["pixels shuffled"]["sure"]
        assert min(found["verdicts"]["fakes"]["shares"]) > 0.02  # all classes
