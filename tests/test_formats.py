"""Old model folders open for ever and give the answers they gave when they were written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.model.segmentation import Segmentation
from mfrec.storage import manifest

FORMATS = Path(__file__).parent / "formats"


def make_v5(folder: Path) -> None:
    """Write the model of version 5: string and integer ids, labels on one side, heads and forests, times, segments."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user": rng.integers(1, 41, 600), "item": rng.integers(0, 60, 600)})
    frame["time"] = rng.integers(1_600_000_000, 1_610_000_000, 600)
    titles = {f"i{n:02d}": f"Film {n} — été" for n in range(60)}
    frame["item"] = [f"i{n:02d}" for n in frame["item"]]
    likes = mfrec.Interactions.from_frame(frame, time="time", item_labels=titles)
    recency: dict[str, Any] = {"half_life": 60.0, "recency_half_life": 30.0, "user_recency": 0.2, "item_recency": 0.4}
    scales: dict[str, Any] = {"item_scale": 0.1, "user_scale": -0.1, "user_exponent": 0.5, "item_exponent": 0.25}
    params = mfrec.ALSParams(factors=4, regularization=1.0, **scales, **recency)
    model = mfrec.fit(likes, params, mfrec.IndexParams(trees=5, at_k=(5, 10)))
    model = model.with_segments(model.segments("item", 4)).with_segments(model.segments("user"))
    model.save(folder)
    (folder.parent / f"{folder.name}.json").write_text(json.dumps(answers(model), indent=1, ensure_ascii=False) + "\n")


def answers(model: mfrec.Recommender) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for direction in mfrec.DIRECTIONS.values():
        keys = list(model.ids[direction.query])[:5]
        rankings = model.recommend(direction.name, keys, 5)
        pairs = zip(keys, rankings, strict=True)
        found[direction.name] = [[key, r.ids, [round(s, 4) for s in r.scores.tolist()], r.labels] for key, r in pairs]
    vector = model.fold_in("user", list(model.ids.item)[:3])
    found["fold_in"] = [round(float(v), 4) for v in vector]
    found["popular"] = model.popular("item", 5).ids
    found["segments"] = [_told(kept) for kept in model.saved_segments]
    return found


def _told(kept: Segmentation | None) -> Any:
    if kept is None:
        return None
    described = [[hit.id, round(hit.score, 4)] for segment in kept for hit in segment.describing]
    return [kept.to_frame()["segment"].tolist(), [segment.name for segment in kept], described, kept.stability]


@pytest.mark.parametrize("version", sorted(path.stem for path in FORMATS.glob("v*.json")))
def test_an_old_folder_answers_as_it_did(version: str) -> None:
    mfrec.verify(FORMATS / version)
    now, then = answers(mfrec.load(FORMATS / version)), json.loads((FORMATS / f"{version}.json").read_text())
    assert now.pop("fold_in") == then.pop("fold_in")
    popular = now.pop("popular")
    # before version 4 nobody asked
    assert popular == then.pop("popular", popular)
    # before version 5 there were none
    assert now.pop("segments") == then.pop("segments", [None, None])
    assert now.keys() == then.keys()
    for name, rows in then.items():
        for (key, ids, scores, labels), found in zip(rows, now[name], strict=True):
            # a model of version 1 gets new indexes, which settle ties otherwise
            tied = len(set(scores)) < len(scores) and version == "v1"
            assert (found[0], found[2]) == (key, scores)
            assert tied or (found[1], found[3]) == (ids, labels)


def test_the_indexes_of_version_1_are_built_again_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    model = mfrec.load(FORMATS / "v1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "has format version 1: its indexes are built again from the vectors" in caplog.messages[0]
    assert {index.backend for index in model.indexes.values()} == {"annoy"}
    assert all(index.settings()["trees"] == 5 for index in model.indexes.values())
    caplog.clear()
    mfrec.load(FORMATS / f"v{manifest.VERSION}")
    assert caplog.messages == []


def test_a_folder_of_version_1_is_saved_as_the_present_one(tmp_path: Path) -> None:
    model = mfrec.load(FORMATS / "v1")
    model.save(tmp_path / "model")
    assert mfrec.verify(tmp_path / "model")["format_version"] == manifest.VERSION
    assert answers(mfrec.load(tmp_path / "model")) == answers(model)


def test_this_version_has_its_folder() -> None:
    assert (FORMATS / f"v{manifest.VERSION}").is_dir()
