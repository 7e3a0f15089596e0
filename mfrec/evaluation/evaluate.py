"""`evaluate`: all four directions of a fitted model on one held-out part, beside the baselines."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mfrec.arrays import Numbers, Scores
from mfrec.data.interactions import Interactions, require_interactions
from mfrec.directions import DIRECTIONS, find_direction
from mfrec.errors import DataError, ParameterError, UnmeasurableError, check_integer
from mfrec.evaluation.baselines import BASELINES, Training, dot, model_scorer, recent_baselines, recent_degrees, votes
from mfrec.evaluation.metrics import LIST_METRICS, RANK_METRICS, cutoffs
from mfrec.evaluation.ranking import PROTOCOLS, Lister, Outcome, Scorer, Task, by_lists, by_scores
from mfrec.evaluation.report import Report, Row
from mfrec.evaluation.tasks import QUESTIONS, SEGMENTS, TASKS, HeldOutEvents, match, match_parts
from mfrec.model.factors import Factors
from mfrec.model.recommender import Recommender

Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True, eq=False)
class Plan:
    """The checked choices of one evaluation."""

    ks: tuple[int, ...]
    protocols: tuple[str, ...]


def evaluate(
    model: Recommender,
    test: Interactions,
    k: int | Iterable[int] = (10, 100),
    *,
    directions: Iterable[str] = tuple(DIRECTIONS),
    protocols: Iterable[str] = ("unseen", "plain"),
    train: Interactions | None = None,
    baselines: bool = True,
    through_index: bool = False,
    scorers: Mapping[str, Mapping[str, Scorer]] | None = None,
    neighbours: int = 50,
    warm: bool = False,
    max_queries: int = 20_000,
    seed: int = 42,
    name: str = "mfrec",
) -> Report:
    """Measure the four directions of a model on held-out interactions, all from the same split.

    Scores are exhaustive: every target of every query is ranked, nothing is sampled. README.md beside this module
    says how each direction is judged.

    Parameters
    ----------
    model
        Fitted on the training part alone; its interactions are the training data and count as seen.
    test
        The held-out part, matched by external ids.
    k
        Cut-offs.
    directions, protocols
        Which to measure.
    train
        The training part, for its times: the query of item2item is then the item that the user interacted with last
        before each held-out event, instead of a random one. Where all of it lies before the test part, recent
        popularity and recent activity are measured, too.
    baselines
        Whether to measure popularity, most-active, random, co-occurrence and nearest neighbours too.
    through_index
        Whether to measure the lists that the model's indexes return too, as contender ``"<name> (index)"``.
    scorers
        Further contenders: name -> direction -> `Scorer`. In item2item and user2item it scores items, in item2user
        users; in user2user it scores users, whose votes are then counted.
    neighbours
        How many users vote in user2user.
    warm
        Whether to leave out the events whose user or item has no training data. After a time split they are most
        events, and only popularity has an answer to them.
    max_queries
        A direction with more queries than this is measured on a random sample of so many: every candidate is still
        ranked, so the figures stay unbiased. Only item2item, with a query per user and recent item, gets there soon.
    seed
        Of everything random here.
    name
        What to call the model.

    Raises
    ------
    ParameterError
        For an unknown direction or protocol, or a number out of range.
    DataError
        When nothing of the test part can be evaluated. A direction that alone has nothing to be asked about is left
        out, with a note.
    """
    require_interactions(test)
    names = [find_direction(d).name for d in _listed(directions)]
    for parameter, value, low in (("neighbours", neighbours, 1), ("max_queries", max_queries, 1), ("seed", seed, 0)):
        check_integer(parameter, value, low)
    plan = Plan(cutoffs(k), _known_protocols(protocols))
    events = match(model.ids, model.adjacency, test, train, warm=warm, max_queries=max_queries, seed=seed)
    tasks, notes = _tasks(names, events)
    training = Training(model.adjacency, neighbours, seed, recent_degrees(train, model.ids))
    rows = []
    for each, task in tasks.items():
        contenders = _contenders(each, model.factors, training, name, scorers or {}, baselines)
        found: dict[str, Outcomes] = {
            c: by_scores(task, scorer, plan.protocols, plan.ks) for c, scorer in contenders.items()
        }
        if through_index:
            indexed = {f"{name} (index)": _through_index(each, model, training, task, plan)}
            found = {name: found.pop(name)} | indexed | found
        rows += [row for protocol in plan.protocols for row in _rows(each, protocol, task, found, plan.ks)]
    questions = {d: QUESTIONS[d].format(recent=events.recent_is, neighbours=neighbours) for d in tasks}
    sizes = {d: {"queries": len(task.queries), "events": len(task.relevant.numbers)} for d, task in tasks.items()}
    return Report(tuple(rows), questions, sizes, events.notes + notes)


def measure(
    factors: Factors, train: Interactions, test: Interactions, k: int | Iterable[int] = 20, *, warm: bool = False
) -> dict[str, float]:
    """Measure user2item over unseen items straight from the factors, without building a model: for tuning.

    Parameters
    ----------
    factors
        Fitted on ``train``.
    train, test
        Parts of one split, over the same ids.
    k
        Cut-offs.
    warm
        Whether to leave out the events whose user or item has no training data.

    Returns
    -------
    dict
        ``"ndcg@20"`` and the like for every metric and cut-off; means over users, or over events for hit_rate.
    """
    ks = cutoffs(k)
    task = TASKS["user2item"](match_parts(train, test, max_queries=len(train.ids.user), warm=warm))
    found = by_scores(task, dot(factors, "user", "item"), ("unseen",), ks)
    return {f"{r.metric}@{r.k}": r.value for r in _rows("user2item", "unseen", task, {"": found}, ks)}


def _tasks(names: list[str], events: HeldOutEvents) -> tuple[dict[str, Task], tuple[str, ...]]:
    """Return the task of every direction that has a query, and notes on what was left out."""
    tasks, notes = {}, []
    for name in names:
        try:
            tasks[name] = TASKS[name](events)
        except UnmeasurableError as error:
            notes.append(f"{name} is not measured: {error}")
        else:
            notes += [f"{name}: {note}" for note in tasks[name].notes]
    if not tasks:
        raise DataError(f"nothing can be measured: {'; '.join(notes)}")
    return tasks, tuple(notes)


def _contenders(
    name: str,
    factors: Factors,
    training: Training,
    model_name: str,
    scorers: Mapping[str, Mapping[str, Scorer]],
    baselines: bool,
) -> dict[str, Scorer]:
    contenders = {model_name: model_scorer(name, factors, training)}
    for contender, by_direction in scorers.items():
        if name in by_direction:
            scorer = by_direction[name]
            contenders[contender] = votes(scorer, training) if name == "user2user" else scorer
    if baselines:
        contenders |= {contender: make(training) for contender, make in BASELINES[name].items()}
        contenders |= recent_baselines(name, training)
    return contenders


def _through_index(name: str, model: Recommender, training: Training, task: Task, plan: Plan) -> Outcomes:
    if name == "user2user":
        voters = votes(_indexed_users(model, training.neighbours), training)
        return by_scores(task, voters, plan.protocols, plan.ks)
    return by_lists(task, _lister(name, model, task), plan.protocols, plan.ks)


def _lister(name: str, model: Recommender, task: Task) -> Lister:
    """Ask the index, by numbers, just as the model does; what a protocol takes out is excluded."""
    direction = DIRECTIONS[name]
    index = model.indexes[direction.index]
    vectors = model.factors.vectors(direction.query, direction.similarity)

    def ask(place: int, protocol: str, k: int) -> Numbers:
        return index.search(vectors[task.queries[place]], k, task.masks[protocol].of(place)).numbers

    return ask


def _indexed_users(model: Recommender, neighbours: int) -> Scorer:
    index, vectors = model.indexes["user", "cosine"], model.factors.same_side.user

    def score(numbers: Numbers) -> Scores:
        scores = np.zeros((len(numbers), len(vectors)), np.float32)
        for row, number in enumerate(numbers):
            hits = index.search(vectors[number], neighbours, np.array([number]))
            scores[row, hits.numbers] = hits.scores
        return scores

    return score


def _rows(name: str, protocol: str, task: Task, found: Mapping[str, Outcomes], ks: tuple[int, ...]) -> Iterator[Row]:
    for contender, outcomes in found.items():
        outcome = outcomes[protocol]
        segments = {s: task.segments == s for s in reversed(SEGMENTS) if (task.segments == s).any()}
        parts = {"all": outcome.ranks} | {s: outcome.ranks.take(where) for s, where in segments.items()}
        for k in ks:
            for segment, ranks in parts.items():
                for metric, of_ranks in RANK_METRICS.items():
                    yield Row(name, protocol, contender, segment, metric, k, float(of_ranks(ranks, k).mean()))
            for metric, of_lists in LIST_METRICS.items():
                yield Row(name, protocol, contender, "all", metric, k, of_lists(outcome.shown[k]))


def _listed(names: Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def _known_protocols(protocols: Iterable[str]) -> tuple[str, ...]:
    names = _listed(protocols)
    for each in names:
        if each not in PROTOCOLS:
            raise ParameterError(f"unknown protocol {each!r}: choose from {', '.join(PROTOCOLS)}")
    if not names:
        raise ParameterError(f"name at least one protocol: {', '.join(PROTOCOLS)}")
    return tuple(names)
