"""The map: one plane for both sides, computed once and kept with the model."""

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mfrec
from mfrec.arrays import Matrix
from mfrec.directions import SIDES, Pair
from mfrec.model import map2d
from mfrec.model.factors import Factors
from mfrec.model.map2d import coordinates
from mfrec.model.recommender import Recommender
from mfrec.storage import manifest
from tests.folders import edit, files

FORMATS = Path(__file__).parent / "formats"


def random_factors(users: int = 50, items: int = 40, size: int = 6, seed: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    matrices = [rng.standard_normal((n, size)).astype(np.float32) for n in (users, items)]
    return Factors(matrices[0], matrices[1])


def clusters(per: int = 30) -> Factors:
    """Two groups of users and items that like their own; vectors of very different lengths."""
    rng = np.random.default_rng(3)
    centres = np.eye(2, 8)[np.repeat([0, 1], per)]

    def side() -> Matrix:
        noisy: Matrix = (centres + rng.normal(0, 0.05, (2 * per, 8))).astype(np.float32)
        return noisy * rng.uniform(0.01, 100, (2 * per, 1)).astype(np.float32)

    return Factors(side(), side())


def assert_same(one: Pair[Matrix], other: Pair[Matrix]) -> None:
    for side in SIDES:
        assert one[side].tobytes() == other[side].tobytes()


@pytest.mark.parametrize("size", [1, 2, 3, 64])
@pytest.mark.parametrize(("users", "items"), [(1, 1), (2, 3), (50, 40)])
def test_a_place_for_everybody_within_the_square(size: int, users: int, items: int) -> None:
    factors = random_factors(users, items, size)
    places = coordinates(factors)
    for side, count in zip(SIDES, (users, items), strict=True):
        assert places[side].shape == (count, 2)
        assert places[side].dtype == np.float32
        assert (np.abs(places[side]) <= 1).all()
    assert_same(places, coordinates(factors))


def test_users_stand_near_the_items_they_like_whatever_their_lengths() -> None:
    places = coordinates(clusters())
    ours, theirs = (np.concatenate([points[half] for points in places]) for half in (slice(30), slice(30, None)))
    assert ours[:, 0].min() > theirs[:, 0].max() or ours[:, 0].max() < theirs[:, 0].min()
    assert max(np.abs(points).max() for points in places) == 1


def test_lengths_make_no_difference() -> None:
    factors = random_factors()
    # powers of two scale without rounding
    longer = Factors(factors.user * np.float32(4), factors.item * np.float32(0.125))
    assert_same(coordinates(factors), coordinates(longer))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_what_has_no_direction_counts_as_zeros(value: float) -> None:
    factors, spoilt = random_factors(), random_factors()
    factors.user[3] = 0
    spoilt.user[3] = value
    assert_same(coordinates(factors), coordinates(spoilt))


def test_vectors_that_are_all_zeros_stand_in_the_centre() -> None:
    places = coordinates(Factors(np.zeros((5, 3), np.float32), np.zeros((4, 3), np.float32)))
    assert not any(points.any() for points in places)


def test_of_many_rows_a_sample_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plane costs rows times factors squared: it must not grow with the rows."""
    read: list[int] = []
    real = map2d._directions

    def count(rows: Matrix) -> object:
        read.append(len(rows))
        return real(rows)

    monkeypatch.setattr(map2d, "_directions", count)
    monkeypatch.setattr(map2d, "SAMPLE", 1000)
    factors = random_factors(20_500, 999, 4)
    whole = coordinates(factors)
    # of every 21st user, of every item, then of everybody once to find their places
    assert sum(read) == -(-20_500 // 21) + 999 + 20_500 + 999
    monkeypatch.setattr(map2d, "SAMPLE", 10**9)
    assert all((np.abs(points) <= 1).all() for points in (*whole, *coordinates(factors)))


def test_a_sample_gives_nearly_the_same_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    spread = np.array([4, 2, 1, 0.5, 0.25, 0.1])
    users, items = ((rng.standard_normal((n, 6)) * spread).astype(np.float32) for n in (30_000, 20_000))
    factors = Factors(users, items)
    whole = coordinates(factors)
    monkeypatch.setattr(map2d, "SAMPLE", 5000)
    for side in SIDES:
        assert np.abs(coordinates(factors)[side] - whole[side]).max() < 0.05


def test_it_takes_little_memory_beside_the_places() -> None:
    factors = random_factors(400_000, 10, 32)
    tracemalloc.start()
    places = coordinates(factors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # the places twice, before and after they are scaled, and some blocks in float64
    assert peak < 3 * places.user.nbytes + 8 * map2d._BLOCK * 8 < factors.user.nbytes


def test_it_is_saved_and_not_computed_again(
    model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "model")
    loaded = mfrec.load(tmp_path / "model")
    for side in SIDES:
        np.testing.assert_array_equal(np.load(tmp_path / "model" / f"{side}.map.npy"), coordinates(model.factors)[side])
    monkeypatch.setattr(map2d, "_moments", None)
    assert_same(loaded.map, mfrec.load(tmp_path / "model").map)
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "model")


@pytest.mark.parametrize("names", [["user.map.npy"], ["user.map.npy", "item.map.npy"]])
def test_a_folder_without_it_is_whole(model: Recommender, tmp_path: Path, names: list[str]) -> None:
    """Such as one from before it was kept; the next save adds it."""
    model.save(tmp_path / "model")
    old = Path(shutil.copytree(tmp_path / "model", tmp_path / "old"))
    for name in names:
        (old / name).unlink()
        edit(old, lambda content, name=name: content["files"].pop(name))  # type: ignore[misc]
    mfrec.verify(old)
    loaded = mfrec.load(old)
    assert loaded.given_map is None
    assert_same(coordinates(loaded.factors), coordinates(model.factors))
    loaded.save(old)
    assert files(old) == files(tmp_path / "model")


def test_the_oldest_folder_has_none_and_gets_one(tmp_path: Path) -> None:
    loaded = mfrec.load(FORMATS / "v1")
    assert loaded.given_map is None
    loaded.save(tmp_path / "model")
    assert_same(mfrec.load(tmp_path / "model").map, coordinates(loaded.factors))
    # nothing else is written otherwise than it was, but for the indexes, which are of another kind
    old, new = (json.loads((f / manifest.NAME).read_bytes())["files"] for f in (FORMATS / "v1", tmp_path / "model"))
    kept = {name for name in old if not name.startswith("index.")}
    assert {name: new[name] for name in kept} == {name: old[name] for name in kept}
    added = {name for name in new if not name.startswith("index.")} - kept
    assert added == {"user.map.npy", "item.map.npy"}
