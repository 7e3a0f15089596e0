"""The parameter file: what ``mfrec tune`` found, and what its search never saw."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mfrec.data.interactions import Interactions
from mfrec.errors import DataError, MfrecError
from mfrec.storage.atomic import replacing_file
from mfrec.training.params import ALSParams

HELD_OUT = "held_out"


@dataclass(frozen=True)
class HeldOut:
    """A test part that a search was kept away from.

    Parameters
    ----------
    split, test_fraction, seed
        How it was drawn: ``"random"`` is `mfrec.splits.random_split`.
    events
        How many interactions it has.
    links
        A hash of which they are, so that the same fraction of other data is not taken for it.
    """

    split: str
    test_fraction: float
    seed: int
    events: int
    links: str

    @classmethod
    def of(cls, test: Interactions, split: str, test_fraction: float, seed: int) -> "HeldOut":
        """Describe a test part."""
        return cls(split, float(test_fraction), int(seed), len(test), interactions_hash(test))

    def __str__(self) -> str:
        """Say how it was drawn."""
        return f"split {self.split}, test fraction {self.test_fraction:g}, seed {self.seed}"


def interactions_hash(interactions: Interactions, *, pairs_only: bool = True) -> str:
    """Return a hash of the user-item pairs, by number, or of their weights and times, too."""
    digest = hashlib.sha256(repr(interactions.shape).encode())
    for array in (interactions.matrix.indptr, interactions.matrix.indices):
        digest.update(array.astype("<i8").tobytes())
    if not pairs_only:
        digest.update(interactions.weights.astype("<f4").tobytes())
        if interactions.times is not None:
            digest.update(interactions.times.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


def write_params(path: Path, params: ALSParams, held_out: HeldOut | None = None) -> None:
    """Write parameters as JSON, for ``mfrec fit --params``, and what was held out of the search for them."""
    values = asdict(params) | ({} if held_out is None else {HELD_OUT: asdict(held_out)})
    with replacing_file(path) as scratch:
        scratch.write_text(json.dumps(values, indent=2) + "\n")


def read_params(path: Path) -> dict[str, Any]:
    """Read parameters that `write_params` wrote; DataError where the file holds something else."""
    values = _read(path)
    values.pop(HELD_OUT, None)
    known = set(ALSParams.__dataclass_fields__)
    unknown = sorted(set(values) - known)
    if unknown:
        raise DataError(
            f"{path} is not a parameter file: it holds {unknown[0]!r}, but may hold {', '.join(sorted(known))}"
        )
    try:
        ALSParams(**values)
    except (MfrecError, TypeError, OverflowError) as error:
        raise DataError(f"{path} is not a parameter file: {error}") from None
    return values


def read_held_out(path: Path) -> HeldOut | None:
    """Return what was held out of the search that wrote a file, None where it does not say."""
    values = _read(path).get(HELD_OUT)
    if values is None:
        return None
    kinds = {"split": str, "test_fraction": float, "seed": int, "events": int, "links": str}
    if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != kinds:
        raise DataError(f"{path} is not a parameter file: {HELD_OUT} must hold {', '.join(kinds)}")
    return HeldOut(**values)


def leak(path: Path, test: HeldOut) -> str | None:
    """Say why parameters of a file may have been chosen on what they are to be tested on; None where they were not."""
    held_out = read_held_out(path)
    if held_out == test:
        return None
    if held_out is None:
        why = "does not say that this test part was held out of its search"
    elif str(held_out) != str(test):
        why = f"held out another test part ({held_out}; here {test})"
    else:
        why = f"held out a part of other data ({held_out.events} interactions of it; here {test.events})"
    return (
        f"{path} {why}: where it was tuned on this data, the figures are too good; "
        f"tune with --hold-out and evaluate with the same --split, fraction and seed"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as a parameter file: {error}") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} is not a parameter file: it holds no JSON object")
    return values
