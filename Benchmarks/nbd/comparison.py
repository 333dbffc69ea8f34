"""Paired comparison: within each round the servers ran one after another, so that what disturbs the
machine disturbs them alike.  The ratio is taken inside the round; the interval comes from resampling
the rounds' ratios."""

import random
import statistics
from dataclasses import dataclass

from .load import Sample

RESAMPLES = 10_000

#: Fewer rounds say nothing about the spread.
ROUNDS_MIN = 3

#: What is compared, and whether more is better.
MEASURES = {"iops": True, "p50": False, "p99": False, "cpu_per_request": False}


@dataclass(frozen=True)
class Ratio:
    """The median of the rounds' ratios, with its bootstrap 95 % interval."""

    median: float
    low: float
    high: float
    round_count: int
    dropped_count: int
    #: Too few rounds were calm, so that all of them are in.
    is_restless: bool

    @property
    def is_significant(self) -> bool:
        """The whole interval is more than 1 % away from equal."""
        return self.low > 1.01 or self.high < 0.99


def compare(ours: list[Sample], theirs: list[Sample], measure: str, canary_limit: float) -> Ratio | None:
    """None when there are too few rounds at all.

    A round is dropped when its two canaries differ by more than `canary_limit`, a fraction; if that
    leaves too few, all rounds count and the ratio is marked as restless.
    """
    calm, restless = [], []
    for our, their in zip(ours, theirs):
        ratio = getattr(our, measure) / max(getattr(their, measure), 1e-9)
        slow, fast = max(our.canary, their.canary), min(our.canary, their.canary)
        (calm if slow / fast <= 1 + canary_limit else restless).append(ratio)
    is_restless = len(calm) < ROUNDS_MIN
    ratios = calm + restless if is_restless else calm
    if len(ratios) < ROUNDS_MIN:
        return None
    generator = random.Random(1)
    medians = sorted(
        statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Ratio(
        median=statistics.median(ratios), low=medians[int(RESAMPLES * 0.025)],
        high=medians[int(RESAMPLES * 0.975) - 1], round_count=len(ratios),
        dropped_count=len(ours) - len(ratios), is_restless=is_restless)


def spread(samples: list[Sample], measure: str) -> tuple[float, float, float]:
    """Median, least and greatest."""
    values = [getattr(sample, measure) for sample in samples]
    return statistics.median(values), min(values), max(values)
