import inspect
import itertools

import numpy as np
import pytest

from cs231n.optim import schedules
from cs231n.optim.schedules import cosine, exponential_decay, inverse_time_decay, linear_warmup, step_decay

EACH = [
    pytest.param(lambda step: step_decay(step, 7, 0.3), id="step"),
    pytest.param(lambda step: exponential_decay(step, 0.97), id="exponential"),
    pytest.param(lambda step: inverse_time_decay(step, 0.2), id="inverse time"),
    pytest.param(lambda step: linear_warmup(step, 9), id="warm-up"),
    pytest.param(lambda step: cosine(step, 60, warmup=9, least=0.05), id="cosine"),
]


@pytest.mark.parametrize("schedule", EACH)
def test_a_factor_is_a_plain_number_from_0_to_1_and_depends_on_the_step_alone(schedule):
    factors = [schedule(step) for step in range(100)]
    assert all(type(factor) is float and 0 <= factor <= 1 for factor in factors)
    assert [schedule(step) for step in reversed(range(100))] == factors[::-1]
    assert schedule(np.int64(33)) == pytest.approx(factors[33], rel=1e-14)


@pytest.mark.parametrize("schedule", EACH)
def test_the_first_step_is_not_lost(schedule):
    assert schedule(0) > 0


@pytest.mark.parametrize("schedule", EACH[:3])
def test_a_decay_starts_at_1_and_never_rises(schedule):
    factors = [schedule(step) for step in range(100)]
    assert factors[0] == 1
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors))


def test_the_staircase_falls_at_whole_stairs():
    assert [step_decay(step, 3, 0.5) for step in (0, 2, 3, 5, 6, 8, 9)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert [step_decay(step, 1, 0.5) for step in range(4)] == [exponential_decay(step, 0.5) for step in range(4)]


def test_the_warm_up_is_a_line_that_arrives_where_the_plateau_begins():
    factors = np.array([linear_warmup(step, 4) for step in range(8)])
    np.testing.assert_allclose(factors, [0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1], rtol=1e-15)
    assert [linear_warmup(step, 0) for step in range(3)] == [1, 1, 1]


def test_the_cosine_starts_at_1_passes_the_middle_and_stays_at_its_end():
    factors = [cosine(step, 20, least=0.2) for step in range(30)]
    assert factors[0] == 1
    assert factors[10] == pytest.approx(0.6, rel=1e-15)
    assert factors[20:] == [0.2] * 10
    assert all(later < earlier for earlier, later in itertools.pairwise(factors[:21]))
    # what is above the mean on the left is missing on the right
    np.testing.assert_allclose(np.array(factors[:21]) + factors[20::-1], 1.2, rtol=1e-14)


def test_warm_up_and_cosine_meet_without_a_jump():
    factors = np.array([cosine(step, 1000, warmup=100) for step in range(1001)])
    assert factors.argmax() == 100
    assert factors[100] == 1
    assert abs(np.diff(factors)).max() < 0.01
    np.testing.assert_allclose(factors[:100], [linear_warmup(step, 100) for step in range(100)], rtol=1e-15)
    np.testing.assert_allclose(factors[100:], [cosine(step, 900) for step in range(901)], rtol=1e-13)


def test_the_last_step_of_a_run_is_not_lost_either():
    assert 0 < cosine(19, 20) < 0.01
    assert cosine(0, 1) == 1


def test_nothing_but_the_schedules_is_public_and_none_is_taken_for_an_update_rule():
    from cs231n import optim

    public = {name for name, f in vars(schedules).items() if inspect.isfunction(f) and not name.startswith("_")}
    assert public == {"step_decay", "exponential_decay", "inverse_time_decay", "linear_warmup", "cosine"}
    assert not public & set(optim.__all__)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_decay(-1, 3), "step: expected a whole number, at least 0, got -1"),
        (lambda: step_decay(1.0, 3), "step: expected a whole number, at least 0, got 1.0"),
        (lambda: step_decay(True, 3), "step: expected a whole number, at least 0, got True"),
        (lambda: step_decay(1, 0), "every: expected a whole number, at least 1, got 0"),
        (lambda: step_decay(1, 3, 0.0), "expected 0 < factor <= 1, got 0.0"),
        (lambda: exponential_decay(1, 1.1), "expected 0 < rate <= 1, got 1.1"),
        (lambda: exponential_decay(1, float("nan")), "expected 0 < rate <= 1, got nan"),
        (lambda: inverse_time_decay(1, -0.5), "expected a finite rate >= 0, got -0.5"),
        (lambda: inverse_time_decay(1, float("inf")), "expected a finite rate >= 0, got inf"),
        (lambda: linear_warmup(1, -1), "warmup: expected a whole number, at least 0, got -1"),
        (lambda: cosine(1, 0), "total: expected a whole number, at least 1, got 0"),
        (lambda: cosine(1, 5, warmup=5), "expected warmup < total, got warmup 5 and total 5"),
        (lambda: cosine(1, 5, least=1.5), "expected 0 <= least <= 1, got 1.5"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    def factors(make, steps=25):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = make(optimizer)
        seen = []
        for _ in range(steps):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return seen

    kinds = torch.optim.lr_scheduler
    for make, ours in (
        (lambda o: kinds.StepLR(o, 7, 0.3), lambda s: step_decay(s, 7, 0.3)),
        (lambda o: kinds.ExponentialLR(o, 0.9), lambda s: exponential_decay(s, 0.9)),
        (lambda o: kinds.LinearLR(o, 1 / 5, 1, 4), lambda s: linear_warmup(s, 4)),
        (lambda o: kinds.CosineAnnealingLR(o, 25, 0.1), lambda s: cosine(s, 25, least=0.1)),
    ):
        np.testing.assert_allclose([ours(step) for step in range(25)], factors(make), rtol=1e-9)
