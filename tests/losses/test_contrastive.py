import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.contrastive import nt_xent_loss, simclr_loss
from cs231n.losses.softmax import softmax_loss


def draw(N=4, D=3, seed=0):
    """Left and right embeddings whose lengths differ much."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, D)) * rng.uniform(0.5, 4, size=(N, 1)), rng.normal(size=(N, D))


def halves(N):
    return (np.arange(2 * N) + N) % (2 * N)


def equation_1(z, partner, tau):
    """Equation (1) of the SimCLR paper with its indicator, row by row."""
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    total = 0.0
    for i in range(len(z)):
        others = sum(np.exp(u[i] @ u[k] / tau) for k in range(len(z)) if k != i)
        total -= np.log(np.exp(u[i] @ u[partner[i]] / tau) / others)
    return total / len(z)


@pytest.mark.parametrize(("N", "D", "tau"), [(1, 2, 0.5), (1, 1, 1.0), (5, 1, 0.3), (4, 3, 0.07), (2, 7, 2.0)])
def test_it_is_equation_1(N, D, tau):
    left, right = draw(N, D)
    z = np.concatenate([left, right])
    expected = equation_1(z, halves(N), tau)
    np.testing.assert_allclose(nt_xent_loss(z, halves(N), tau)[0], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(simclr_loss(left, right, tau)[0], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("tau", [0.05, 0.5, 3.0])
def test_gradients_agree_with_differences(tau):
    left, right = draw()
    z = np.concatenate([left, right])
    numeric = eval_numerical_gradient(lambda z: nt_xent_loss(z, halves(4), tau)[0], z, verbose=False)
    np.testing.assert_allclose(nt_xent_loss(z, halves(4), tau)[1], numeric, rtol=1e-5, atol=1e-8)
    _, dleft, dright = simclr_loss(left, right, tau)
    np.testing.assert_allclose(np.concatenate([dleft, dright]), numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("tau", [0.01, 0.5])
def test_the_fast_form_gives_the_same_numbers(tau):
    left, right = draw(6, 5)
    loss, dz = nt_xent_loss(np.concatenate([left, right]), halves(6), tau)
    same, dleft, dright = simclr_loss(left, right, tau)
    np.testing.assert_allclose(same, loss, rtol=1e-13)
    np.testing.assert_allclose(np.concatenate([dleft, dright]), dz, rtol=1e-9, atol=1e-12)


def test_any_order_of_the_rows_gives_the_same_loss():
    z = np.concatenate(draw(5))
    order = np.random.default_rng(1).permutation(10)
    where = np.argsort(order)
    loss, dz = nt_xent_loss(z, halves(5), 0.2)
    moved, dmoved = nt_xent_loss(z[order], where[halves(5)[order]], 0.2)
    np.testing.assert_allclose(moved, loss, rtol=1e-13)
    np.testing.assert_allclose(dmoved, dz[order], rtol=1e-11, atol=1e-15)


def test_left_and_right_can_be_exchanged():
    left, right = draw()
    loss, dleft, dright = simclr_loss(left, right, 0.5)
    same, dleft_too, dright_too = simclr_loss(right, left, 0.5)
    np.testing.assert_allclose(same, loss, rtol=1e-13)
    np.testing.assert_allclose(dleft_too, dright, rtol=1e-11)
    np.testing.assert_allclose(dright_too, dleft, rtol=1e-11)


def test_partners_need_not_be_mutual():
    z, partner = np.concatenate(draw(3)), np.array([1, 2, 0, 0, 0, 4])
    numeric = eval_numerical_gradient(lambda z: nt_xent_loss(z, partner, 0.5)[0], z, verbose=False)
    np.testing.assert_allclose(nt_xent_loss(z, partner, 0.5)[1], numeric, rtol=1e-6, atol=1e-9)


def test_it_is_a_softmax_loss_over_the_other_rows():
    z = np.concatenate(draw(3))
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    scores = (u @ u.T / 0.5)[~np.eye(6, dtype=bool)].reshape(6, 5)
    labels = halves(3) - (halves(3) > np.arange(6))  # one column is gone
    np.testing.assert_allclose(nt_xent_loss(z, halves(3), 0.5)[0], softmax_loss(scores, labels)[0], rtol=1e-12)


def test_no_gradient_points_along_its_row():
    z = np.concatenate(draw())
    _, dz = nt_xent_loss(z, halves(4), 0.1)
    np.testing.assert_allclose((z * dz).sum(axis=1), 0, atol=1e-14)
    assert np.abs(dz).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tau", [0.01, 1e-3])
def test_small_temperatures_give_no_nan(dtype, tau):
    # wishes: exponentials before the logarithm are NaN at 0.01 in float32
    left, right = (a.astype(dtype) for a in draw(6))
    right[:3] = left[:3] + dtype(0.01)
    for loss, *gradients in (
        simclr_loss(left, right, tau),
        nt_xent_loss(np.concatenate([left, right]), halves(6), tau),
    ):
        assert loss.dtype == gradients[0].dtype == dtype
        exact = simclr_loss(left.astype(float), right.astype(float), tau)
        np.testing.assert_allclose(loss, exact[0], rtol=1e-4)
        np.testing.assert_allclose(
            np.concatenate(gradients), np.concatenate(exact[1:]), rtol=2e-2, atol=1e-3 * np.abs(exact[1]).max()
        )


def test_a_row_far_from_all_others_does_not_underflow():
    # a shift by 1/τ, the row's own score, would leave a sum of zeros
    z = np.array([[1, 0], [-1, 0.01], [-1, -0.01], [-1, 0]], np.float32)
    exact, dexact = nt_xent_loss(z.astype(float), halves(2), 0.01)
    with np.errstate(all="raise", under="ignore"):
        loss, dz = nt_xent_loss(z, halves(2), 0.01)
        same, dleft, dright = simclr_loss(z[:2], z[2:], 0.01)
    np.testing.assert_allclose([loss, same], exact, rtol=1e-4)
    for ours in (dz, np.concatenate([dleft, dright])):
        np.testing.assert_allclose(ours, dexact, rtol=1e-3, atol=1e-4 * np.abs(dexact).max())


@pytest.mark.parametrize("angle", np.linspace(0.4, 0.8, 9))
def test_on_both_sides_of_the_fall_back_the_numbers_are_the_same(angle):
    # the sum of one row is exp(−(1 − cos) / τ), from 1e-4 to 1e-14
    others = np.array([[np.cos(angle), np.sin(angle)], [np.cos(angle), np.sin(angle)], [np.cos(angle), np.sin(angle)]])
    z = np.concatenate([[[1.0, 0.0]], others * [[1], [2], [3]]])
    loss, dz = nt_xent_loss(z, halves(2), 0.01)
    same, dleft, dright = simclr_loss(z[:2], z[2:], 0.01)
    np.testing.assert_allclose(same, loss, rtol=1e-12)
    np.testing.assert_allclose(np.concatenate([dleft, dright]), dz, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_a_zero_row_gives_no_nan_and_gets_no_gradient(value):
    # wishes: a zero vector was NaN
    left, right = draw()
    left[1] = value / 3
    with np.errstate(all="raise"):
        loss, dleft, dright = simclr_loss(left, right, 0.5)
    assert np.isfinite(loss) and np.isfinite(dright).all() and np.abs(dright[1]).max() >= 0
    assert (dleft[1] == 0).all() and np.abs(dleft[[0, 2, 3]]).min() > 0
    again, dz = nt_xent_loss(np.concatenate([left, right]), halves(4), 0.5)
    np.testing.assert_allclose(again, loss, rtol=1e-13)
    assert (dz[1] == 0).all()


def test_all_rows_zero():
    loss, dleft, _ = simclr_loss(np.zeros((3, 2)), np.zeros((3, 2)), 0.5)
    np.testing.assert_allclose(loss, np.log(5))
    assert (dleft == 0).all()


def test_nan_is_not_hidden():
    left, right = draw()
    left[0, 1] = np.nan
    assert np.isnan(simclr_loss(left, right, 0.5)[0])


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    left, right = draw()
    views = np.asfortranarray(left), np.repeat(right, 2, axis=1)[:, ::2]
    for view in views:
        view.flags.writeable = False
    for a, b in zip(simclr_loss(*views, 0.5), simclr_loss(left, right, 0.5), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_temperature_in_double_precision_does_not_promote():
    left, right = (a.astype(np.float32) for a in draw())
    assert simclr_loss(left, right, np.float64(0.5))[1].dtype == np.float32
    z = np.concatenate([left, right])
    assert nt_xent_loss(z, halves(4), np.float64(0.5))[1].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.zeros((4, 3), int)}, "z: expected real floating-point numbers, got dtype int64"),
        ({"z": np.zeros(4)}, r"\(A, D\) with A >= 2 and D >= 1, got \(4,\)"),
        ({"z": np.zeros((1, 3))}, r"A >= 2 and D >= 1, got \(1, 3\)"),
        ({"partner": np.array([1, 0, 3])}, r"partner of shape \(4,\), got int64 of shape \(3,\)"),
        ({"partner": np.array([1.0, 0, 3, 2])}, "got float64"),
        ({"partner": np.array([1, 0, 3, 3])}, r"another row from 0 to 3, got \[1 0 3 3\]"),
        ({"partner": np.array([1, 0, 3, 4])}, r"another row from 0 to 3, got \[1 0 3 4\]"),
        ({"partner": np.array([1, 0, 3, -2])}, "another row from 0 to 3"),
        ({"tau": 0.0}, "positive temperature tau, got 0.0"),
        ({"tau": np.nan}, "positive temperature tau, got nan"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"z": np.eye(4, 3), "partner": np.array([1, 0, 3, 2]), "tau": 0.5} | change
    with pytest.raises(ValueError, match=message):
        nt_xent_loss(**given)


@pytest.mark.parametrize(
    ("left", "right", "tau", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 3)), 1, "left: expected real floating-point numbers, got dtype int64"),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), 1, "right: expected real floating-point numbers, got dtype bool"),
        (np.zeros(3), np.zeros(3), 1, r"left of shape \(N, D\) with N >= 1 and D >= 1, got \(3,\)"),
        (np.zeros((0, 3)), np.zeros((0, 3)), 1, r"got \(0, 3\)"),
        (np.zeros((2, 3)), np.zeros((3, 2)), 1, r"right of shape \(2, 3\), got \(3, 2\)"),
        (np.zeros((2, 3)), np.zeros((2, 3)), -1, "positive temperature tau, got -1"),
    ],
)
def test_bad_pairs_are_named(left, right, tau, message):
    with pytest.raises(ValueError, match=message):
        simclr_loss(left, right, tau)


@pytest.mark.torch
@pytest.mark.parametrize("tau", [0.01, 0.5])
def test_pytorch_agrees(tau):
    import torch

    left, right = draw(5, 4)
    tensors = [torch.tensor(a, requires_grad=True) for a in (left, right)]
    u = torch.nn.functional.normalize(torch.cat(tensors), dim=1)
    scores = (u @ u.T / tau).masked_fill(torch.eye(10, dtype=torch.bool), -torch.inf)
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(halves(5)))
    expected.backward()
    loss, dleft, dright = simclr_loss(left, right, tau)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-10)
    np.testing.assert_allclose(dleft, tensors[0].grad.numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(dright, tensors[1].grad.numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.torch
def test_pytorch_sends_a_huge_gradient_to_a_short_row():
    """What the page says of `cosine_similarity`: it divides by ε."""
    import torch

    left, right = torch.zeros(1, 3, dtype=torch.double, requires_grad=True), torch.tensor([[1.0, 2.0, 2.0]]).double()
    torch.nn.functional.cosine_similarity(left, right).sum().backward()
    np.testing.assert_allclose(left.grad.numpy() * 1e-8, right.numpy() / 3, rtol=1e-6)
