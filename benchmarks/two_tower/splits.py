"""The data sets and splits of the benchmark: items are titles, and every contender ranks the same ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import mfrec
from benchmarks.two_tower.exchange import SplitFile

# what a contender is asked to predict; the report says more
PROTOCOLS = {
    "random": "a random fifth of all events, as in the article",
    "time": "the last fifth of all events by time, for users who were there before",
    "cold": "every event of a random tenth of the titles",
}
TEST_FRACTION = 0.2
COLD_TITLES = 0.1


@dataclass(frozen=True, eq=False)
class Split:
    """One split of one data set."""

    dataset: str
    protocol: str
    seed: int
    # over the same ids; of the test part only events of users with training data, the others are of new users
    train: mfrec.Interactions
    test: mfrec.Interactions
    new_users: mfrec.Interactions

    def as_file(self) -> SplitFile:
        """Return the split in the arrays that the two-tower process reads; new users' events stand last."""
        train, test, new = self.train, self.test, self.new_users
        return SplitFile(
            users=np.array([str(key) for key in train.ids.user]),
            titles=np.array(list(train.ids.item), np.str_),
            train_user=train.users,
            train_item=train.items,
            train_time=times(train),
            test_user=np.concatenate([test.users, new.users]),
            test_item=np.concatenate([test.items, new.items]),
            test_time=np.concatenate([times(test), times(new)]),
            train_weight=train.weights,
        )


def times(interactions: mfrec.Interactions) -> NDArray[np.int64]:
    """Return the times of the interactions, which every data set here has."""
    if interactions.times is None:
        raise mfrec.DataError(f"{interactions!r} has no times")
    return interactions.times


def load(name: str, users: int | None = None) -> mfrec.Interactions:
    """Load a MovieLens release, or ``"sample"``, with titles as item ids; perhaps only some of its users.

    A user who rated two movies of one title (ML-100K has 1,682 movies of 1,664 titles) counts once, with the
    later rating.
    """
    ratings = mfrec.sample().interactions if name == "sample" else mfrec.load_movielens(name)
    titles = ratings.labels.item
    frame = ratings.to_frame()
    frame["title"] = [(titles[n] if titles is not None else "") or str(n) for n in ratings.items.tolist()]
    frame = frame.sort_values("time", kind="stable").drop_duplicates(["user", "title"], keep="last")
    if users is not None:
        kept = np.random.default_rng(0).permutation(frame["user"].unique())[:users]
        # the user whose lists are shown side by side stays
        frame = frame[frame["user"].isin([*kept, 42])]
    return mfrec.Interactions.from_frame(frame, user="user", item="title", weight="weight", time="time")


def split(dataset: str, ratings: mfrec.Interactions, protocol: str, seed: int) -> Split:
    """Split a data set; the same seed gives the same split, and the split by time is the same for all seeds."""
    train, test = _parts(ratings, protocol, seed)
    known = train.degree.user[test.users] > 0
    return Split(dataset, protocol, seed, train, test.take(known), test.take(~known))


def validations(outer: Split, count: int) -> list[Split]:
    """Split the training part again in the same way, to choose parameters on.

    These are other random fifths, or each time the last fifth of what stands before: one part of some thousand events
    is too noisy to choose among a hundred trials. For cold titles there is nothing to choose on but random fifths.
    """
    parts: list[Split] = []
    for n in range(1, count + 1):
        before = parts[-1] if parts and outer.protocol == "time" else outer
        protocol = "time" if outer.protocol == "time" else "random"
        parts.append(split(outer.dataset, before.train, protocol, outer.seed + 1000 * n))
    return parts


def _parts(ratings: mfrec.Interactions, protocol: str, seed: int) -> tuple[mfrec.Interactions, mfrec.Interactions]:
    if protocol == "random":
        return mfrec.splits.random_split(ratings, TEST_FRACTION, seed)
    if protocol == "time":
        return mfrec.splits.time_split(ratings, TEST_FRACTION)
    n_titles = ratings.shape[1]
    cold = np.random.default_rng(seed).permutation(n_titles)[: round(n_titles * COLD_TITLES)]
    held_out = np.isin(ratings.items, cold)
    return ratings.take(~held_out), ratings.take(held_out)
