"""A process that loads a model and answers needs numpy and annoy alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mfrec.coldstart.extend import with_cold
from mfrec.directions import DIRECTIONS, SIDES
from mfrec.model.recommender import Recommender
from tests.waiting import LIMIT

FORBIDDEN = (
    "scipy",
    "pandas",
    "sklearn",
    "implicit",
    "click",
    "tqdm",
    "threadpoolctl",
    "tabulate",
    "pyarrow",
    "rapidfuzz",
)

ANSWER = """
import json, sys
import mfrec

model = mfrec.load(sys.argv[1])
answers = {}
for name, row in mfrec.DIRECTIONS.items():
    first = model.ids[row.query].id(0)
    answers[name] = getattr(model, name)(first, k=5).ids
    model.recommend(name, [first], 5, diversity=0.5)
    model.recommend(name, [first], 5, allow=model.ids[row.target].ids([1, 2]), deny=model.ids[row.target].ids([2]))
    linked = model.ids["item" if row.query == "user" else "user"].ids([0, 1])
    model.recommend_vectors(name, model.fold_in(row.query, linked), deny=linked if row.across else None)
model.lookalikes("user", model.ids.user.ids([0, 1]))
repr(model), dir(mfrec)
for kept in filter(None, model.saved_segments):
    answers[f"{kept.side} segments"] = [segment.name for segment in kept] + kept.members(0, 3).ids
    repr(kept), kept._repr_html_(), kept.to_json(), model.with_segments(kept)
if len(sys.argv) > 2:
    model.save(sys.argv[2])
    mfrec.verify(sys.argv[2])
print(json.dumps({"answers": answers, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


@pytest.fixture
def cold_model(model: Recommender) -> Recommender:
    """A model whose first user and first item have no interactions, only vectors."""
    for side in SIDES:
        model = with_cold(model, side, [-1, 10**6], model.factors[side][:2], {-1: "new"})
    return model


@pytest.fixture
def segmented_model(text_model: Recommender) -> Recommender:
    """A model with segments of its items."""
    return text_model.with_segments(text_model.segments("item", 5))


@pytest.mark.parametrize("name", ["model", "text_model", "cold_model", "segmented_model"])
def test_answering_imports_nothing_that_trains(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    model: Recommender = request.getfixturevalue(name)
    model.save(tmp_path / "model")
    command = [sys.executable, "-W", "error", "-c", ANSWER, str(tmp_path / "model"), str(tmp_path / "copy")]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout)
    assert sorted(set(told["modules"]) & set(FORBIDDEN)) == []
    assert "numpy" in told["modules"]
    segments = {
        f"{kept.side} segments": [segment.name for segment in kept] + kept.members(0, 3).ids
        for kept in model.saved_segments
        if kept is not None
    }
    assert told["answers"] == segments | {
        direction: model.recommend(direction, [model.ids[row.query].id(0)], 5)[0].ids
        for direction, row in DIRECTIONS.items()
    }


def test_what_trains_is_imported_when_it_is_asked_for() -> None:
    code = "import sys, mfrec; mfrec.fit_als; mfrec.Interactions; print('implicit' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=LIMIT
    ).stdout
    assert told.strip() == "True"


def test_every_public_name_exists_and_an_unknown_one_is_an_attribute_error() -> None:
    import mfrec

    assert all(getattr(mfrec, name) is not None for name in mfrec.__all__)
    assert set(mfrec.__all__) <= set(dir(mfrec))
    with pytest.raises(AttributeError, match="module 'mfrec' has no attribute 'recommended'"):
        mfrec.recommended  # noqa: B018
