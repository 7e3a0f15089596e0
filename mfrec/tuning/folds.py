"""The pairs of a training and a validation part that the trials of a search are fitted on and judged by."""

from itertools import islice

from mfrec.data.interactions import Interactions
from mfrec.errors import DataError, ParameterError, check_integer
from mfrec.evaluation.splits import Parts, k_fold_split, known_events, rolling_time_split

# a trial is judged by so many held-out interactions, where up to so many disjoint fifths give them: with fewer, the
# best of a hundred trials is the luckiest
ENOUGH_HELD_OUT, FIFTHS = 60_000, 5
MOST_PARTS = {"random": 5, "time": 3}


def folds_of(
    interactions: Interactions, validation: Interactions | None, parts: int | None, seed: int, split: str = "random"
) -> tuple[Parts, ...]:
    """Return the pairs that a trial is fitted on and judged by; see `tune`."""
    if split not in MOST_PARTS:
        raise ParameterError(f"unknown split {split!r}: choose one of {', '.join(MOST_PARTS)}")
    if validation is not None:
        if parts is not None:
            raise ParameterError("parts are of the interactions: leave them out where a validation part is given")
        return ((interactions, validation),)
    if parts is None:
        enough = round(ENOUGH_HELD_OUT * FIFTHS / max(1, len(interactions)))
        parts = min(max(enough, 1), MOST_PARTS[split])
    check_integer("parts", parts, 1, MOST_PARTS[split])
    if split == "time":
        pairs = rolling_time_split(interactions, parts, 1 / FIFTHS)
        judging = tuple(pair for pair in pairs if known_events(*pair).any())
        if not judging:
            raise DataError("no held-out event by time has a user and an item with training data: split at random")
        return judging
    return tuple(islice(k_fold_split(interactions, FIFTHS, seed), parts))
