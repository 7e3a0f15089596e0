"""The period that times span, without the few that lie far from all others.

A clock that was wrong, or a date that stands for "unknown", must not decide what is recent.
"""

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers

# of fewer times than this none is far from the others
FEW = 20


def is_near(times: Numbers) -> NDArray[np.bool_]:
    """Tell which times are not far from all others: at most a whole period before or after it.

    The period lasts from the first to the last hundredth.
    """
    if len(times) < FEW:
        return np.ones(len(times), bool)
    # the distance of two int64 may leave int64
    seconds = times.astype(np.float64)
    first, last = np.quantile(seconds, 0.01, method="higher"), np.quantile(seconds, 0.99, method="lower")
    near: NDArray[np.bool_] = (seconds >= first - (last - first)) & (seconds <= last + (last - first))
    return near


def outlying(times: Numbers | None) -> tuple[str, ...]:
    """Return a note on times that lie far from all others, where there are any."""
    if times is None or not len(times):
        return ()
    far = times[~is_near(times)]
    if not len(far):
        return ()
    lie = "time lies" if len(far) == 1 else "times lie"
    shown = np.datetime64(int(far[0]), "s")
    return (f"{len(far)} of {len(times)} {lie} far from the others, such as {shown}: recency is measured without them",)
