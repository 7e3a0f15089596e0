"""Finding users and items by text, forgiving of case, accents, word order and slips of the keyboard.

Texts are folded (case, accents, punctuation). What equals the query, begins with it or holds it from the beginning
of a word comes first; then what has words like those of the query, by Jaro and Winkler's similarity, which forgives
a slip and a word that is not typed to its end. The more popular come first among equals.
"""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, repeat
from operator import contains
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers
from mfrec.directions import Side
from mfrec.errors import UnknownIdError
from mfrec.model.ids import Id, IdMap
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray

# below this similarity, a word is another word: "jows" may mean "jaws", but "wars" does not
_ALIKE = 0.8
# below this part of the query's letters, in words that are found, the text is not what was meant
_LEAST_FOUND = 0.5
# words of a query that are compared: near misses are typed, not pasted
_COMPARED = 10
# letters that are looked for across blanks, at least: fewer are in texts that were not meant
_RUN_TOGETHER = 6
# texts that may be equal but for their spelling, and how many of them an error lists
_EQUAL, _LISTED = 100, 20

_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Match:
    """One text that was found.

    Parameters
    ----------
    id, label
        External id and its text (the id itself where there is no label).
    similarity
        1 where the text holds the query as a whole; below that, how alike their words are.
    """

    id: Id
    label: str
    similarity: float


@dataclass(frozen=True, eq=False)
class LabelSearch:
    """The texts of one side, ready to be searched.

    Parameters
    ----------
    ids
        External ids by number.
    labels
        Texts by number, or None to search the ids themselves.
    popularity
        Any figure by number that is higher for what is asked for more often; settles ties.
    """

    ids: IdMap
    labels: StringArray | None
    popularity: NDArray[Any]

    @classmethod
    def of(cls, model: Recommender, side: Side) -> "LabelSearch":
        """Prepare one side of a model; the index is built when it is first searched."""
        return cls(model.ids[side], model.labels[side], model.adjacency[side].degree)

    def find(self, text: str, limit: int = 10) -> list[Match]:
        """Return what matches best, best first; an id that equals the text is the first of all.

        Parameters
        ----------
        text
            What somebody typed, perhaps not to the end.
        limit
            How many to return at most.
        """
        exact = self._by_id(text)
        found = exact + [(n, s) for n, s in self._ranked(fold(text), limit) if n not in dict(exact)]
        return self._matches(found[:limit])

    def near(self, text: str, limit: int = 3) -> list[Match]:
        """Return what may be meant by a text that is no id: what is like it, otherwise the ids beside it."""
        beside = _beside(self.ids, text, limit)
        return self.find(text, limit) or self._matches([(self.ids.number(key), 0.0) for key in beside])

    def one(self, text: str) -> Id:
        """Return the one id that a text stands for: the id itself, or the one that has it as its label.

        Case, accents and punctuation count only where they alone tell several labels apart.

        Raises
        ------
        UnknownIdError
            When nothing has that id or label, with near misses, or when several have the label, with their ids.
        """
        key = as_id(self.ids, text)
        if key is not None and key in self.ids:
            return key
        if self.labels is None and self.ids.kind == "int":
            # numbers without titles are not worth an index: the ids' own error says which are known
            return self.ids.id(self.ids.number(text if key is None else key))
        same = [match for match in self.find(text, _EQUAL) if fold(match.label) == fold(text)]
        for spelled in (plain, str):
            same = [match for match in same if spelled(match.label) == spelled(text)] or same
        if len(same) == 1:
            return same[0].id
        raise UnknownIdError(self._ambiguous(text, same) if same else self._unknown(text))

    def label(self, number: int) -> str:
        """Return the text of a number: its label, or its id where it has none."""
        return (self.labels[number] if self.labels is not None else "") or str(self.ids.id(number))

    def _ambiguous(self, text: str, same: list[Match]) -> str:
        listed = ", ".join(repr(match.id) for match in same[:_LISTED]) + (", ..." if len(same) > _LISTED else "")
        return f"several {self.ids.side}s have the title {text!r}: ask for one of the ids {listed}"

    def _unknown(self, text: str) -> str:
        meant = " or ".join(
            repr(m.id) if m.label == str(m.id) else f"{m.label!r} (id {m.id!r})" for m in self.near(text)
        )
        asked = "id" if self.labels is None else "id or title"
        return f"no {self.ids.side} has the {asked} {text!r}" + (f"; did you mean {meant}?" if meant else "")

    def _matches(self, found: list[tuple[int, float]]) -> list[Match]:
        return [Match(self.ids.id(n), self.label(n), round(similarity, 3)) for n, similarity in found]

    def _by_id(self, text: str) -> list[tuple[int, float]]:
        key = as_id(self.ids, text)
        return [(self.ids.number(key), 1.0)] if key is not None and key in self.ids else []

    def _ranked(self, query: str, limit: int) -> list[tuple[int, float]]:
        """Return numbers and similarities, best first: texts that hold the query, then near misses."""
        if not query:
            return []
        best = self._held(query)[:limit]
        similarities = np.ones(len(best))
        # a number is no slip of another number
        if len(best) < limit and not query.isdecimal():
            alike = self._alike(query)
            alike[best] = 0
            near = np.flatnonzero(alike >= _LEAST_FOUND)
            near = near[np.argsort(-alike[near], kind="stable")][: limit - len(best)]
            best, similarities = np.append(best, near), np.append(similarities, alike[near])
        return list(zip(self._by_popularity[best].tolist(), similarities.tolist(), strict=True))

    def _held(self, query: str) -> Numbers:
        """Return the places of texts that hold the query: those that equal it, begin with it, have it at a word.

        Where there are none, those that hold it but for its blanks.
        """
        asked = f" {query}"
        # maps run in C: a loop in Python over all texts takes three times as long
        held = np.flatnonzero(np.fromiter(map(contains, self._texts, repeat(asked)), np.bool_, len(self._texts)))
        if not len(held) and len(query) >= _RUN_TOGETHER:
            # "starwars" and "god father" are spelled right but for their blanks
            run = map(contains, self._run_together, repeat(query.replace(" ", "")))
            return np.flatnonzero(np.fromiter(run, np.bool_, len(self._texts)))
        found = [self._texts[place] for place in held.tolist()]
        begins = np.fromiter(map(str.startswith, found, repeat(asked)), np.int8, len(found))
        equals = np.fromiter(map(asked.__eq__, found), np.int8, len(found))
        return held[np.argsort(-begins - equals, kind="stable")]

    def _alike(self, query: str) -> NDArray[np.float64]:
        """Return per text how well the query's words are found among its own, 0 to 1; long words count for more."""
        # only what is searched needs it: a process that recommends does without
        from rapidfuzz.distance import JaroWinkler
        from rapidfuzz.process import cdist

        words, owners, starts = self._words
        asked = list(dict.fromkeys(query.split()))[:_COMPARED]
        total = np.zeros(len(self._texts))
        similarities = cdist(asked, words, scorer=JaroWinkler.similarity, score_cutoff=_ALIKE, dtype=np.float32)
        for word, row in zip(asked, similarities, strict=True):
            best = np.zeros(len(total))
            near = np.flatnonzero(row)
            # the most similar word of a text is written last, and stays
            for place in near[np.argsort(row[near])].tolist():
                best[owners[starts[place] : starts[place + 1]]] = row[place]
            total += best * len(word)
        return total / sum(map(len, asked))

    @cached_property
    def _by_popularity(self) -> Numbers:
        """Numbers of the texts, the most popular first: whatever sorts them keeps that order among equals."""
        return np.argsort(-self.popularity, kind="stable")

    @cached_property
    def _texts(self) -> list[str]:
        """Folded texts by popularity, with a blank in front of every word."""
        return [f" {fold(self.label(number))}" for number in self._by_popularity.tolist()]

    @cached_property
    def _run_together(self) -> list[str]:
        """The same texts without blanks."""
        return [text.replace(" ", "") for text in self._texts]

    @cached_property
    def _words(self) -> tuple[list[str], Numbers, list[int]]:
        """Distinct words of all texts, the places of the texts that have each, and where those of each word begin."""
        owners: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts):
            for word in text.split():
                owners.setdefault(word, []).append(place)
        starts = [0, *accumulate(map(len, owners.values()))]
        return list(owners), np.fromiter(chain.from_iterable(owners.values()), np.int64, starts[-1]), starts


def fold(text: str) -> str:
    """Return a text without case, accents or punctuation, its words separated by one blank.

    What has no words is its punctuation: a band may be called ``!!!``.
    """
    spelled = plain(text)
    return _NOT_WORDS.sub(" ", spelled).strip() or spelled.replace("\0", "")


def plain(text: str) -> str:
    """Return a text without case, accents and outer blanks."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().strip()


def as_id(ids: IdMap, text: str) -> Id | None:
    """Return a text as an id of the map's kind, or None where it cannot be one."""
    if ids.kind == "str":
        return text
    return int(text) if re.fullmatch(r"-?[0-9]{1,19}", text, re.ASCII) else None


def _beside(ids: IdMap, text: str, limit: int) -> list[Id]:
    """Return the known ids that stand beside a text, in the order of the ids."""
    key = as_id(ids, text)
    if key is None or not len(ids):
        return []
    place = bisect_left(range(len(ids)), key, key=ids.id)
    first = max(0, min(place - limit // 2, len(ids) - limit))
    return [ids.id(n) for n in range(first, min(first + limit, len(ids)))]
