r"""Learning-rate schedules: by which factor the learning rate of the settings is multiplied at each step.

A schedule is a plain function of the number of steps made so far, 0 at the first. It returns a number from 0 to 1, and
keeps nothing in mind. Give it to the solver: `Solver(…, lr_schedule=lambda step: cosine(step, 1000, warmup=50))`.

Derivation: [Learning-rate schedules](../optim/schedules.md)
"""

import numpy as np


def step_decay(step: int, every: int, factor: float = 0.1) -> float:
    r"""A staircase: multiplied by `factor` after each `every` steps.

    Derivation: [Learning-rate schedules](../optim/schedules.md)

    Source: Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional neural networks, NIPS 2012,
    section 5, where a person decided when.

    Args:
        step: steps made so far.
        every: steps on each stair, at least 1.
        factor: the height of a stair over the one before it, above 0 and at most 1.

    Returns:
        factor: the number for the learning rate.

    Raises:
        ValueError: an argument out of its range.

    >>> [step_decay(step, every=2, factor=0.5) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    _require_counts(step=(step, 0), every=(every, 1))
    _require_ratio("factor", factor)
    return float(factor ** (step // every))


def exponential_decay(step: int, rate: float) -> float:
    r"""Multiplied by `rate` after each step.

    Derivation: [Learning-rate schedules](../optim/schedules.md)

    Source: Senior, Heigold, Ranzato & Yang, An empirical study of learning rates in deep neural networks for speech
    recognition, ICASSP 2013, under the name exponential scheduling.

    Args:
        step: steps made so far.
        rate: what is left after one step, above 0 and at most 1; near to 1, or little is left soon.

    Returns:
        factor: the number for the learning rate.

    Raises:
        ValueError: an argument out of its range.

    >>> [exponential_decay(step, 0.5) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    _require_counts(step=(step, 0))
    _require_ratio("rate", rate)
    return float(rate**step)


def inverse_time_decay(step: int, rate: float) -> float:
    r"""One over 1 + `rate` · `step`.

    Derivation: [Learning-rate schedules](../optim/schedules.md)

    Source: Robbins & Monro, A stochastic approximation method, Annals of Mathematical Statistics 22 (1951).

    Args:
        step: steps made so far.
        rate: at least 0; after 1/`rate` steps the factor is a half.

    Returns:
        factor: the number for the learning rate.

    Raises:
        ValueError: an argument out of its range.

    >>> [inverse_time_decay(step, 1.0) for step in range(4)]
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """
    _require_counts(step=(step, 0))
    if not 0 <= rate < np.inf:
        raise ValueError(f"expected a finite rate >= 0, got {rate}")
    return float(1 / (1 + rate * step))


def linear_warmup(step: int, warmup: int) -> float:
    r"""Up along a straight line during `warmup` steps, then 1.

    The first step is not lost: its factor is 1/(`warmup` + 1), and not 0.

    Derivation: [Learning-rate schedules](../optim/schedules.md)

    Source: Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017, section 2.2.

    Args:
        step: steps made so far.
        warmup: how many steps have a factor below 1; 0 for none.

    Returns:
        factor: the number for the learning rate.

    Raises:
        ValueError: an argument out of its range.

    >>> [linear_warmup(step, 3) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    _require_counts(step=(step, 0), warmup=(warmup, 0))
    return float(min(1, (step + 1) / (warmup + 1)))


def cosine(step: int, total: int, warmup: int = 0, least: float = 0.0) -> float:
    r"""A linear warm-up, then half a wave of a cosine from 1 down to `least`; from step `total` on it stays there.

    Derivation: [Learning-rate schedules](../optim/schedules.md)

    Source: Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, equation 5, of which
    this is one cycle.

    Args:
        step: steps made so far.
        total: the step at which `least` is reached. With the number of all steps, the last one still has a little more.
        warmup: how many steps have a factor that still rises, fewer than `total`.
        least: where it ends, from 0 to 1.

    Returns:
        factor: the number for the learning rate.

    Raises:
        ValueError: an argument out of its range.

    >>> [round(cosine(step, 6, warmup=2), 3) for step in range(8)]
    [0.333, 0.667, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    _require_counts(step=(step, 0), warmup=(warmup, 0), total=(total, 1))
    if not warmup < total:
        raise ValueError(f"expected warmup < total, got warmup {warmup} and total {total}")
    if not 0 <= least <= 1:
        raise ValueError(f"expected 0 <= least <= 1, got {least}")
    progress = max(0, min(1, (step - warmup) / (total - warmup)))
    wave = least + (1 - least) / 2 * (1 + np.cos(np.pi * progress))
    return float(min(1, (step + 1) / (warmup + 1)) * wave)


def _require_counts(**counts: tuple[int, int]) -> None:
    for name, (value, smallest) in counts.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
            raise ValueError(f"{name}: expected a whole number, at least {smallest}, got {value!r}")


def _require_ratio(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"expected 0 < {name} <= 1, got {value}")
