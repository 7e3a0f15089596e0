"""A clock that moves only as a test says, to stand in for the module ``time``."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Tells the same time until it is moved.

    Parameters
    ----------
    now
        The time, in seconds.
    tick
        Seconds by which every look at the clock moves it on.
    """

    now: float = 1000.0
    tick: float = 0.0

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now

    def perf_counter(self) -> float:
        return self.monotonic()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
