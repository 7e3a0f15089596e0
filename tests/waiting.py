"""Waiting for something to happen, never for time to pass."""

import time
from collections.abc import Callable

# seconds after which a test gives up on something that hangs; a slow machine is far from it
LIMIT = 300.0


def wait_for(happened: Callable[[], object]) -> None:
    """Return as soon as something has happened."""
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {LIMIT:g} seconds"
        time.sleep(0.005)
