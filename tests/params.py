"""Parameters of a fit that leave nothing to be derived from the data."""

from typing import Any

from mfrec.training.params import ALSParams

GIVEN: dict[str, Any] = {
    "factors": 48,
    "regularization": 25.0,
    "user_exponent": 0.5,
    "item_exponent": 0.25,
    "user_scale": 0.0,
    "item_scale": 0.0,
    "half_life": 0.0,
    "recency_half_life": 0.0,
    "user_recency": 0.0,
    "item_recency": 0.0,
}


def given_params(**changes: Any) -> ALSParams:
    """Return parameters without None."""
    return ALSParams(**{**GIVEN, **changes})
