"""The ways to lay out an index that the tests go through."""

from typing import Any

from mfrec.index.params import TAILS

# parameters of a model whose every index has an Annoy file, however small the model is
TREES: dict[str, Any] = {"tail": "trees"}

# a backend that has no use for a tail ignores it; so does an index that the tail does not fit
LAYOUTS: tuple[dict[str, Any], ...] = tuple({"tail": tail} for tail in TAILS)
