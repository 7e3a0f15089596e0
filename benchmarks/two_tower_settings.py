"""Settings of the two-tower model; read on both sides, so that it imports nothing but the standard library."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The defaults are the article's.

    Parameters
    ----------
    epochs, batch, optimizer, rate
        Of the training.
    embedding
        Length of each embedding (user, timestamp bucket, title, title text).
    layers
        Widths of the dense layers that end each tower; the last one is the length of the vectors.
    timestamp
        Whether the query tower sees the time: its bucket, and its normalised value.
    time_buckets
        How many buckets of equal length the time of all ratings is cut into.
    title_text
        Whether the candidate tower sees the words of the title beside the title itself.
    normalise
        Whether vectors are scaled to length 1.
    temperature
        Divides the scores in the softmax.
    remove_accidental_hits
        Whether another event of the batch with the same title stops counting as a negative.
    log_q
        Whether scores in the softmax are corrected for how often a title is drawn as a negative (Yi et al.,
        "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", 2019).
    dropout
        Share of the embedding values dropped while training.
    seed
        Of TensorFlow, numpy and Python.
    """

    epochs: int = 5
    batch: int = 2048
    optimizer: str = "adagrad"
    rate: float = 0.1
    embedding: int = 32
    layers: tuple[int, ...] = (32,)
    timestamp: bool = True
    time_buckets: int = 1_000
    title_text: bool = True
    normalise: bool = False
    temperature: float = 1.0
    remove_accidental_hits: bool = False
    log_q: bool = False
    dropout: float = 0.0
    seed: int = 42

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Settings":
        """Read settings from JSON values; what is not named keeps its default."""
        return cls(**{**given, "layers": tuple(given.get("layers", cls.layers))})

    @classmethod
    def parse(cls, text: str) -> "Settings":
        """Read settings from JSON text."""
        return cls.of(json.loads(text))

    def text(self) -> str:
        """Return the settings as JSON."""
        return json.dumps(asdict(self))

    def but(self, **changes: Any) -> "Settings":
        """Return settings that differ in some values."""
        return replace(self, **changes)


ARTICLE = Settings()
