"""Diverse lists: chosen from a longer one, and without diversity nothing changes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import mfrec
from mfrec.arrays import unit_rows
from mfrec.cli.main import cli
from mfrec.directions import DIRECTIONS
from mfrec.index import Hits
from mfrec.model.diversify import LARGEST_POOL, POOL, diversified, pool_size
from mfrec.model.recommender import Recommender

each_direction = pytest.mark.parametrize("name", DIRECTIONS)


def asked(model: Recommender, name: str) -> list[Any]:
    return list(model.ids[DIRECTIONS[name].query])[:12]


def parts(ranking: mfrec.Ranking) -> tuple[list[Any], bytes, bool]:
    return ranking.ids, ranking.scores.tobytes(), ranking.exact


def likeness(model: Recommender, name: str, ids: list[Any]) -> float:
    """The mean cosine of the pairs of a list."""
    side = DIRECTIONS[name].target
    rows = unit_rows(model.factors.same_side[side][model.ids[side].numbers(ids)])
    cosines = rows @ rows.T
    return float(cosines[np.triu_indices(len(rows), 1)].mean())


def chosen_slowly(scores: np.ndarray, vectors: np.ndarray, k: int, diversity: float) -> list[int]:
    """Maximal marginal relevance as it is written down."""
    low, high = float(scores.min()), float(scores.max())
    relevance = [1.0 if high == low else (float(s) - low) / (high - low) for s in scores]
    unit = unit_rows(vectors).astype(np.float64)
    chosen = [0]
    while len(chosen) < min(k, len(scores)):
        rest = [n for n in range(len(scores)) if n not in chosen]
        value = {
            n: (1 - diversity) * relevance[n] - diversity * max(np.float32(unit[n] @ unit[c]) for c in chosen)
            for n in rest
        }
        chosen.append(max(rest, key=lambda n: (value[n], -n)))
    return chosen


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12), st.floats(0.01, 1))
def test_it_is_maximal_marginal_relevance(seed: int, n: int, k: int, diversity: float) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(50)[:n]
    # whole numbers: repeated vectors, zero vectors and equal scores are among them
    vectors = rng.integers(-1, 2, (50, 3)).astype(np.float32)
    scores = -np.sort(-rng.integers(-9, 9, n).astype(np.float32))
    hits = diversified(Hits(numbers, scores, True), vectors, k, diversity)
    expected = chosen_slowly(scores, vectors[numbers], k, diversity)
    assert hits.numbers.tolist() == numbers[expected].tolist()
    assert hits.scores.tobytes() == scores[expected].tobytes()
    assert hits.exact


def test_nothing_to_choose_from_is_an_empty_list() -> None:
    none = Hits(np.zeros(0, np.int64), np.zeros(0, np.float32), True)
    assert len(diversified(none, np.ones((3, 2), np.float32), 5, 0.5).numbers) == 0


def test_the_pool_is_bounded_and_holds_the_list() -> None:
    assert pool_size(7, 0.0) == 7
    assert [pool_size(k, 0.1) for k in (1, 50, 100, 101, LARGEST_POOL)] == [POOL, 500, 1_000, 1_000, LARGEST_POOL]


@each_direction
def test_without_diversity_nothing_changes(model: Recommender, name: str) -> None:
    keys = asked(model, name)
    vectors = model.factors[DIRECTIONS[name].query][:12]
    for options in ({}, {"min_score": 0.1}, {"deny": asked(model, name)[:3]}):
        plain: dict[str, Any] = options
        before = model.recommend(name, keys, 9, **plain), model.recommend_vectors(name, vectors, 9, **plain)
        after = [
            model.recommend(name, keys, 9, diversity=0, **plain),
            model.recommend_vectors(name, vectors, 9, diversity=0.0, **plain),
        ]
        assert [list(map(parts, rankings)) for rankings in after] == [list(map(parts, r)) for r in before]


@each_direction
@pytest.mark.parametrize("diversity", [0.3, 1.0])
def test_a_diverse_list_is_full_honest_and_the_same_in_a_batch(model: Recommender, name: str, diversity: float) -> None:
    keys, spec = asked(model, name), DIRECTIONS[name]
    batch = model.recommend(name, keys, 6, diversity=diversity)
    plain = model.recommend(name, keys, 6)
    everything = model.recommend(name, keys, len(model.ids[spec.target]))
    for key, ranking, best, whole in zip(keys, batch, plain, everything, strict=True):
        assert parts(getattr(model, name)(key, 6, diversity=diversity)) == parts(ranking)
        assert len(set(ranking.ids)) == 6
        assert ranking.ids[0] == best.ids[0]
        # seen ones and the query itself stay out, and a score is what it was
        own = dict(zip(whole.ids, whole.scores.tolist(), strict=True))
        assert [own[i] for i in ranking.ids] == ranking.scores.tolist()
    alike = [np.mean([likeness(model, name, r.ids) for r in rankings]) for rankings in (plain, batch)]
    assert alike[1] < alike[0] - 0.03


@each_direction
def test_filters_hold_and_a_list_is_short_only_where_few_are_eligible(model: Recommender, name: str) -> None:
    key = asked(model, name)[0]
    plain = model.recommend(name, [key], 30)[0]
    allow, deny = plain.ids[:8], plain.ids[:2]
    found = model.recommend(name, [key], 10, allow=allow, deny=deny, diversity=0.7)[0]
    assert sorted(found.ids) == sorted(allow[2:])
    bound = float(plain.scores[4])
    reached = model.recommend(name, [key], 10, min_score=bound, diversity=0.7)[0]
    assert sorted(reached.ids) == sorted(plain.ids[:5])
    short = model.recommend(name, [key], 3, min_score=bound, diversity=0.7)[0]
    assert set(short.ids) < set(plain.ids[:5])
    assert len(short) == 3


@pytest.mark.parametrize("diversity", [-0.1, 1.01, float("nan"), "0.5", True, None])
def test_a_diversity_outside_of_0_to_1_is_refused(model: Recommender, diversity: Any) -> None:
    with pytest.raises(mfrec.ParameterError, match=f"diversity must be .*, got {diversity!r}"):
        model.user2item(asked(model, "user2item")[0], diversity=diversity)


def test_a_list_too_long_to_diversify_is_refused(model: Recommender) -> None:
    with pytest.raises(mfrec.ParameterError, match="with diversity k may be at most 1000, got 1001: ask for fewer"):
        model.recommend_vectors("user2item", model.factors.user[:1], 1001, diversity=0.1)
    assert len(model.recommend_vectors("user2item", model.factors.user[:1], 1000, diversity=0.1)[0]) == 80


def test_the_command_line_has_it(text_model: Recommender, tmp_path: Path) -> None:
    text_model.save(tmp_path / "m")
    key = text_model.ids.user.id(0)
    command = ["recommend", str(tmp_path / "m"), "user2item", str(key), "--diversity", "0.6", "--json"]
    told = json.loads(CliRunner().invoke(cli, command).stdout)
    assert [row["id"] for row in told["results"]] == text_model.user2item(key, diversity=0.6).ids
