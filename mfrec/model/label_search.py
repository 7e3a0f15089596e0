"""Finding users and items by text, forgiving of case, accents, word order and slips of the keyboard.

Texts are folded (case, accents, punctuation) and cut into trigrams, each word padded with two blanks in front
and one behind, as in PostgreSQL's ``pg_trgm``. How many of the query's trigrams a text has is its similarity;
what has the query as a whole, or begins with it, comes first, and the more popular come first among equals.
"""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfrec.directions import Side
from mfrec.errors import UnknownIdError
from mfrec.model.ids import Id, IdMap
from mfrec.model.recommender import Recommender
from mfrec.model.string_array import StringArray

# below this part of the query's trigrams, what is found is not what was meant
LEAST_SIMILAR = 0.35
# where nothing reaches that: a slip in a short word spoils most of its trigrams, but few of its letters
_LOOSE, _ALIKE = 0.2, 0.6
# texts that are ranked in full, at least; the rest lost already by their trigrams
_SHORTLIST = 200
_COMPARED = 40
# letters that are compared one by one: near misses are typed, not pasted
_LONGEST = 200
# texts that may be equal but for their spelling, and how many of them an error lists
_EQUAL, _LISTED = 100, 20

_NOT_WORDS = re.compile(r"[\W_]+")
# three bytes make one integer, so that texts are compared without Python strings
_PLACES = np.array([1 << 16, 1 << 8, 1], np.int64)
# separates texts; folded text never holds it
_END = 0


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
        found = self.find(text, limit)
        if not found:
            found = [m for m in self._matches(self._ranked(fold(text), limit, _LOOSE)) if m.similarity >= _ALIKE]
        return found or self._matches([(self.ids.number(key), 0.0) for key in _beside(self.ids, text, limit)])

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

    def _ranked(self, query: str, limit: int, least: float = LEAST_SIMILAR) -> list[tuple[int, float]]:
        """Return numbers and similarities, best first, of texts with at least that part of the trigrams."""
        wanted = np.unique(_codes(_padded(query, open_end=True)))
        if not len(wanted):
            return []
        shared = self._shared(wanted)
        enough = np.flatnonzero(shared >= max(1.0, least * len(wanted)))
        size = max(_SHORTLIST, limit)
        if len(enough) > size:
            # what equals the query has no other trigrams: a short title must not drown in longer ones
            full = len(np.unique(_codes(_padded(query, open_end=False))))
            longer = self._sizes[enough] != full
            best = np.lexsort((-self.popularity[enough], longer, -shared[enough]))[:size]
            enough = enough[best]
        return self._refined(enough, shared[enough] / len(wanted), query, limit)

    def _refined(
        self, numbers: NDArray[np.int64], similar: NDArray[np.float64], query: str, limit: int
    ) -> list[tuple[int, float]]:
        """Order a shortlist: equal to the query, beginning with it, with it as words, then near misses."""
        ranked: list[tuple[int, float, int, int]] = []
        missed: list[tuple[float, int]] = []
        for number, similarity in zip(numbers.tolist(), similar.tolist(), strict=True):
            text = fold(self.label(number))
            place = f" {text}".find(f" {query}")
            if place < 0:
                missed.append((-similarity, number))
            else:
                ranked.append((2 if place else 1 if text != query else 0, -1.0, self._rarity(number), number))
        if len(ranked) < limit:
            # comparing letter by letter is slow: only for the nearest by trigrams
            for _, number in sorted(missed)[:_COMPARED]:
                ranked.append((3, -_word_similarity(query, fold(self.label(number))), self._rarity(number), number))
        return [(number, -similarity) for _, similarity, _, number in sorted(ranked)[:limit]]

    def _rarity(self, number: int) -> int:
        return -int(self.popularity[number])

    def _shared(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the wanted trigrams each text has."""
        codes, owners = self._postings
        starts, ends = np.searchsorted(codes, wanted), np.searchsorted(codes, wanted, side="right")
        found = [owners[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return np.bincount(np.concatenate(found), minlength=len(self.ids))

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        """How many trigrams each text has."""
        return np.bincount(self._postings[1], minlength=len(self.ids))

    @cached_property
    def _postings(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Trigram codes in ascending order, and the number of the text that each occurs in; once per text."""
        texts = StringArray.pack(_padded(fold(self.label(n)), open_end=False) for n in range(len(self.ids)))
        codes = _codes_of(texts.blob)
        owners = np.repeat(np.arange(len(texts), dtype=np.int64), np.diff(texts.offsets))[: len(codes)]
        inside = np.flatnonzero(codes >= 0)
        pairs = np.unique((codes[inside] << 32) | owners[inside])
        return pairs >> 32, (pairs & 0xFFFFFFFF).astype(np.int32)


def fold(text: str) -> str:
    """Return a text without case, accents or punctuation, its words separated by one blank.

    What has no words is its punctuation: a band may be called ``!!!``.
    """
    spelled = plain(text)
    return _NOT_WORDS.sub(" ", spelled).strip() or spelled.replace(chr(_END), "")


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


def _padded(folded: str, *, open_end: bool) -> str:
    """Put blanks around every word; ``open_end`` leaves off the last, as the word may not be typed to its end."""
    padded = "".join(f"  {word} " for word in folded.split())
    return padded[:-1] if open_end else f"{padded}{chr(_END)}"


def _codes(text: str) -> NDArray[np.int64]:
    codes = _codes_of(np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8))
    return codes[codes >= 0]


def _codes_of(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the code of the three bytes from each position on, -1 where a text ends within them."""
    if len(raw) < len(_PLACES):
        return np.zeros(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(raw, len(_PLACES))
    codes: NDArray[np.int64] = windows.astype(np.int64) @ _PLACES
    codes[(windows == _END).any(axis=1)] = -1
    return codes


def _word_similarity(query: str, text: str) -> float:
    """Return how well the query's words are found among the text's, letter by letter, 0 to 1."""
    asked, words = query[:_LONGEST].split(), text[:_LONGEST].split()
    best = [max((SequenceMatcher(None, w, q).ratio() for w in words), default=0.0) for q in asked]
    return sum(best) / max(1, len(best))
