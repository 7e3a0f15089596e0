"""Old model folders open for ever and give the answers they gave when they were written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec import manifest

FORMATS = Path(__file__).parent / "formats"


def make_v1(folder: Path) -> None:
    """Write the model of version 1: string and integer ids, labels on one side, every kind of tail that fits."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"user": rng.integers(1, 41, 600), "item": rng.integers(0, 60, 600)})
    titles = {f"i{n:02d}": f"Film {n} — été" for n in range(60)}
    frame["item"] = [f"i{n:02d}" for n in frame["item"]]
    likes = mfrec.Interactions.from_frame(frame, item_labels=titles)
    params = mfrec.ALSParams(factors=4, item_scale=0.1)
    model = mfrec.fit(likes, params, mfrec.IndexParams(tail="trees", trees=5, at_k=(5, 10)))
    model.save(folder)
    (folder.parent / f"{folder.name}.json").write_text(json.dumps(answers(model), indent=1, ensure_ascii=False) + "\n")


def answers(model: mfrec.Recommender) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in mfrec.DIRECTIONS.values():
        keys = list(model.ids[row.query])[:5]
        rankings = model.recommend(row.name, keys, 5)
        pairs = zip(keys, rankings, strict=True)
        found[row.name] = [[key, r.ids, [round(s, 4) for s in r.scores.tolist()], r.labels] for key, r in pairs]
    vector = model.fold_in("user", list(model.ids.item)[:3])
    found["fold_in"] = [round(float(v), 4) for v in vector]
    return found


@pytest.mark.parametrize("version", sorted(path.stem for path in FORMATS.glob("v*.json")))
def test_an_old_folder_answers_as_it_did(version: str) -> None:
    mfrec.verify(FORMATS / version)
    assert answers(mfrec.load(FORMATS / version)) == json.loads((FORMATS / f"{version}.json").read_text())


def test_this_version_has_its_folder() -> None:
    assert (FORMATS / f"v{manifest.VERSION}").is_dir()
