"""Contenders run in turn in one process, round after round; each answer is checked before anything is timed.

Ratios are taken within a round and then their median, so that a machine that is slower for a while slows all of them.
The clock is processor time: other programs that want the same processor do not count.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Outputs = Sequence[Any]
Step = Callable[..., Outputs]


@dataclass(frozen=True)
class Goals:
    """Upper bounds: time as a multiple of the best peer's, of PyTorch's, and of what the matrix products need alone."""

    peer: float
    torch: float
    product: float | None = None


@dataclass
class Race:
    """One workload.

    Attributes:
        arrays: the arguments of every step, in float32.
        plain: the function that a page shows, forward and backward. In float64 it is the reference of all answers.
        fast: the fast form, if there is one.
        peers: how others write it in NumPy, or let HIPS autograd write the backward.
        torch: given the module and the arrays, a function without arguments that runs PyTorch.
        operations: floating-point operations of the matrix products inside, forward and backward.
        moved: bytes that must be read or written even if every array is touched once a pass.
        check: compares an answer with the reference; None compares entry by entry.
        tolerance: largest error of an entry, as a part of the largest entry.
    """

    arrays: tuple[np.ndarray, ...]
    plain: Step
    fast: Step | None = None
    peers: dict[str, Step] = field(default_factory=dict)
    torch: Callable[..., Callable[[], Outputs]] | None = None
    operations: float = 0
    moved: float = 0
    check: Callable[[str, Outputs], None] | None = None
    tolerance: float = 2e-5


@dataclass
class Result:
    """What a race found: seconds of each contender in each round, and of the two limits."""

    name: str
    size: str
    goals: Goals
    seconds: dict[str, list[float]]
    peers: list[str]
    limit: str
    limit_seconds: list[float]

    @property
    def ours(self) -> str:
        """The fastest public function of the concept."""
        return min(("fast", "plain") if "fast" in self.seconds else ("plain",), key=self.median)

    @property
    def best_peer(self) -> str:
        return min(self.peers, key=self.median)

    def median(self, contender: str) -> float:
        return float(np.median(self.seconds[contender]))

    def ratio(self, contender: str, other: str) -> float | None:
        """The median over the rounds of one contender's time over another's."""
        if contender not in self.seconds or other not in self.seconds:
            return None
        return float(np.median(np.divide(self.seconds[contender], self.seconds[other])))

    def share(self) -> float:
        """The time that the limit allows, as a part of ours."""
        return float(np.median(np.divide(self.limit_seconds, self.seconds[self.ours])))


def run(name: str, size: str, goals: Goals, race: Race, rounds: int) -> Result:
    """Check all contenders, then time them."""
    contenders: dict[str, Callable[[], Outputs]] = {"plain": lambda: race.plain(*race.arrays)}
    if race.fast is not None:
        contenders["fast"] = lambda: race.fast(*race.arrays)
    for peer, step in race.peers.items():
        contenders[peer] = lambda step=step: step(*race.arrays)
    if race.torch is not None and (torch := _torch()) is not None:
        contenders["torch"] = race.torch(torch, race.arrays)

    exact = race.plain(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in race.arrays))
    for contender, step in contenders.items():
        if race.check is not None:
            race.check(contender, step())
        else:
            _compare(f"{name}, {contender}", step(), exact, race.tolerance)
    del exact

    limit = "product" if race.operations else "stream"
    measure, work = (_product(), race.operations) if race.operations else (_stream(), race.moved)
    seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
    limits: list[float] = []
    order = list(contenders)
    for i in range(rounds):
        gc.collect()
        gc.disable()
        limits.append(work * measure())
        for contender in order[i % len(order) :] + order[: i % len(order)]:
            seconds[contender].append(_timed(contenders[contender]))
        gc.enable()
    return Result(name, size, goals, seconds, list(race.peers), limit, limits)


def _timed(step: Callable[[], Outputs]) -> float:
    start = time.process_time()
    answer = step()
    end = time.process_time()
    del answer
    return end - start


def _compare(who: str, answer: Outputs, exact: Outputs, tolerance: float) -> None:
    if len(answer) != len(exact):
        raise AssertionError(f"{who}: {len(answer)} results, expected {len(exact)}")
    for i, (got, wanted) in enumerate(zip(answer, exact, strict=True)):
        got, wanted = np.asarray(got), np.asarray(wanted)
        if got.shape != wanted.shape or (got.ndim and got.dtype != np.float32):
            raise AssertionError(f"{who}, result {i}: {got.dtype} {got.shape}, expected float32 {wanted.shape}")
        error = abs(got - wanted).max() / abs(wanted).max()
        if not error <= tolerance:
            raise AssertionError(f"{who}, result {i}: off by {error:.1e} of the largest entry")


def _product() -> Callable[[], float]:
    """Seconds for one operation of a large matrix product."""
    n = 1024
    a, b, out = np.ones((3, n, n), np.float32)
    return lambda: _timed(lambda: (np.matmul(a, b, out=out),)) / (2 * n**3)


def _stream() -> Callable[[], float]:
    """Seconds for one byte read or written by a copy that no cache holds."""
    source, target = np.ones((2, 1 << 24), np.float32)
    return lambda: _timed(lambda: (np.copyto(target, source),)) / (2 * source.nbytes)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch
