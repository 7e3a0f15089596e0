"""Who is compared with whom, and by which figures."""

from collections.abc import Iterator
from dataclasses import dataclass

# in the order of the tables
ORDER = (
    "popularity",
    "popularity, without what was touched",
    "random",
    "item-kNN",
    "two-tower",
    "two-tower, one vector per user",
    "two-tower tuned",
    "two-tower tuned, one vector per user",
    "two-tower tuned, without time",
    "mfrec",
    "mfrec tuned",
    "mfrec tuned, at the event's time",
    "mfrec tuned, at the event's time, from the past alone",
    "mfrec tuned, folding in",
    "mfrec, with titles",
)
ARTICLE, KNN, POPULAR = "two-tower", "item-kNN", "popularity"
TOWERS = tuple(name for name in ORDER if name.startswith("two-tower"))
TUNED = tuple(name for name in TOWERS if "tuned" in name)
MFREC = ("mfrec", "mfrec tuned")
DIRECTIONS = ("user2item", "item2item", "user2user", "item2user")
PROTOCOLS = {"random": "random split", "time": "split by time"}

SEEN = ("plain", "unseen")
HITS = tuple(f"user2item/{seen}/hit_rate@{k}" for seen in SEEN for k in (10, 100))
OTHERS = tuple(f"{direction}/unseen/recall@10" for direction in DIRECTIONS[1:])
COLD = ("cold titles/hit_rate@100", "cold titles among themselves/hit_rate@10")
NEW = "new users/hit_rate@100"


@dataclass(frozen=True)
class Terms:
    """How two sides are compared: a contender of mfrec, the two-towers of which the best counts, and on which splits.

    ``fair`` says that neither side is told when an event happens, or both are.
    """

    ours: str
    theirs: tuple[str, ...]
    protocols: tuple[str, ...] = ("random", "time")
    fair: bool = True


DUELS = {
    "asked once per user": Terms(
        "mfrec tuned", ("two-tower tuned, one vector per user", "two-tower tuned, without time")
    ),
    "asked at the event's time": Terms("mfrec tuned, at the event's time", ("two-tower tuned",)),
    # by time, the past is all there is
    "the same, mfrec from the past alone": Terms(
        "mfrec tuned, at the event's time, from the past alone", ("two-tower tuned",), ("random",)
    ),
    "only the two-tower asked at the event's time": Terms("mfrec tuned", ("two-tower tuned",), fair=False),
}


def pairs() -> Iterator[tuple[str, str, str, str]]:
    """Yield protocol, mfrec's contender, the other one and figure of every difference that is looked at."""
    found = ((p, terms.ours, who) for terms in DUELS.values() for p in terms.protocols for who in terms.theirs)
    for protocol, ours, theirs in dict.fromkeys(found):
        yield from ((protocol, ours, theirs, metric) for metric in HITS)
    for theirs in (*TOWERS, KNN):
        for ours in MFREC:
            yield from (("random", ours, theirs, metric) for metric in OTHERS)
    for theirs in TOWERS:
        yield from (("cold", "mfrec, with titles", theirs, metric) for metric in COLD)
