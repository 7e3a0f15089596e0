"""Saved models for the tests of folders: two that differ, and what can be done to their files."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.directions import DIRECTIONS
from mfrec.errors import ArtifactError
from mfrec.model.recommender import Recommender
from mfrec.storage import manifest
from tests.conftest import random_interactions, small_model

Answer = tuple[list[Any], list[float], list[str] | None, bool]


def answers(model: Recommender, k: int = 10) -> dict[str, list[Answer]]:
    """Ask every id in every direction."""
    return {
        name: [
            (r.ids, r.scores.tolist(), r.labels, r.exact)
            for r in model.recommend(name, list(model.ids[direction.query]), k)
        ]
        for name, direction in DIRECTIONS.items()
    }


def files(folder: Path) -> dict[str, bytes]:
    """Return what every file of a folder holds."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tagged(tag: str, seed: int) -> Recommender:
    """Return a model of its own factors and labels; its ``info`` tells which one it is."""
    likes = random_interactions(seed=3)
    labels = {key: f"{tag} {key}" for key in likes.ids.item}
    users = {key: f"{tag} {key}" for key in likes.ids.user}
    built = small_model(Interactions.from_frame(likes.to_frame(), item_labels=labels, user_labels=users), seed=seed)
    return Recommender(built.factors, built.ids, built.adjacency, built.indexes, built.labels, {"tag": tag})


def index_files(folder: Path) -> list[str]:
    """Return the names of the files of all indexes."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("index."))


def assert_refused(folder: Path, name: str) -> None:
    """Both ways to open a folder must refuse it with one line that names the file."""
    for open_it in (mfrec.load, mfrec.verify):
        with pytest.raises(ArtifactError) as caught:
            open_it(folder)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def whole(folder: Path, pristine: Path) -> str:
    """Return which of the two models a folder holds, file by file."""
    tag: str = mfrec.load(folder).info["tag"]
    assert files(folder) == files(pristine / tag)
    return tag


def reseal(folder: Path, content: dict[str, Any]) -> None:
    """Write a manifest as edited, with a seal that fits it."""
    text = json.dumps({**content, "sha256": "0" * 64}, indent=2, ensure_ascii=False)
    seal = hashlib.sha256(text.encode()).hexdigest()
    (folder / manifest.NAME).write_bytes(text.replace("0" * 64, seal, 1).encode())


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest and seal it again."""
    content = json.loads((folder / manifest.NAME).read_bytes())
    change(content)
    reseal(folder, content)


def annoy_entry(content: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's first entry of an index that has a file."""
    entry: dict[str, Any] = next(entry for entry in content["indexes"] if "file" in entry)
    return entry


def rewrite(folder: Path, name: str, array: Any) -> None:
    """Replace an array and describe it correctly, as a buggy writer would."""
    np.save(folder / name, array, allow_pickle=False)
    rewrite_file(folder, name, (folder / name).read_bytes())


def rewrite_file(folder: Path, name: str, raw: bytes) -> None:
    """Replace a file and describe it correctly."""
    (folder / name).write_bytes(raw)
    entry = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    edit(folder, lambda content: content["files"].update({name: entry}))


def failing(real: Callable[..., Any], at: int, error: BaseException) -> Callable[..., Any]:
    """Return a function that raises at its ``at``-th call and is the real one until then."""
    calls = iter(range(10**6))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= at:
            raise error
        return real(*args, **kwargs)

    return call
