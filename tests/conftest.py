"""Small seeded data that the tests share."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

import mfrec
from mfrec.data.interactions import Interactions
from mfrec.index import IndexParams
from mfrec.model.recommender import Recommender
from mfrec.training.params import ALSParams

# the same examples in every run: what fails, fails for everybody
settings.register_profile(
    "mfrec", deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mfrec")


def random_interactions(n_users: int = 60, n_items: int = 80, *, seed: int = 0, text: bool = False) -> Interactions:
    """Return a tenth of all pairs, every user and item at least once, ids scattered, popularity skewed."""
    rng = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, n_items + 1)
    drawn = rng.choice(n_items, size=n_users * n_items // 10, p=popularity / popularity.sum())
    users = np.concatenate(
        [rng.integers(n_users, size=len(drawn)), np.arange(n_users), rng.integers(n_users, size=n_items)]
    )
    items = np.concatenate([drawn, rng.integers(n_items, size=n_users), np.arange(n_items)])
    frame = pd.DataFrame({"user": users * 3 + 7, "item": items * 5 + 1}).drop_duplicates()
    if text:
        frame = frame.assign(user="u-" + frame["user"].astype(str), item="é" + frame["item"].astype(str))
    return Interactions.from_frame(frame)


@dataclass(frozen=True)
class Checkerboard:
    """Everybody likes what has the same parity, except for one withheld pair."""

    interactions: Interactions
    user: int
    item: int


def make_checkerboard(size: int = 20, user: int = 4, item: int = 8) -> Checkerboard:
    """Return a board of ``size`` users and items from which one like is withheld."""
    pairs = [(u, i) for u in range(size) for i in range(size) if (u + i) % 2 == 0 and (u, i) != (user, item)]
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    return Checkerboard(Interactions.from_frame(frame), user, item)


def small_model(interactions: Interactions, *, index: str = "annoy", seed: int = 1, factors: int = 8) -> Recommender:
    """Fit a model of few factors and few trees."""
    params = ALSParams(
        factors=factors, regularization=0.5, alpha=10.0, iterations=5, seed=seed, threads=1, transform="value"
    )
    return mfrec.fit(interactions, params, IndexParams(index=index, trees=10, seed=seed))


@pytest.fixture(scope="session")
def interactions() -> Interactions:
    """Random likes of 60 users for 80 items."""
    return random_interactions()


@pytest.fixture(scope="session")
def checkerboard() -> Checkerboard:
    """A board of likes with a known answer."""
    return make_checkerboard()


@pytest.fixture(scope="session")
def model(interactions: Interactions) -> Recommender:
    """A fitted model over `interactions`; integer ids, no labels."""
    return small_model(interactions)


@pytest.fixture(scope="session")
def text_model() -> Recommender:
    """A fitted model with string ids and labels on both sides."""
    likes = random_interactions(seed=5, text=True)
    frame = likes.to_frame()
    labelled = Interactions.from_frame(
        frame,
        item_labels={item: f"Título «{item}»" for item in likes.ids.item if item != likes.ids.item.id(0)},
        user_labels={user: f"name of {user}" for user in likes.ids.user},
    )
    return small_model(labelled, seed=2)


@pytest.fixture
def movielens_home() -> Path:
    """The folder that ``MFREC_DATA_HOME`` names; skips without the data, or fails where it is required."""
    named = os.environ.get("MFREC_DATA_HOME")
    home = Path(named or ".")
    if not named or not (home / "ml-100k").is_dir():
        reason = f"no ml-100k in MFREC_DATA_HOME={named}: run `mfrec download ml-100k`"
        if os.environ.get("MFREC_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return home
