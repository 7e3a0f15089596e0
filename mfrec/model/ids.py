"""External *ids* (strings or integers) and internal *numbers* 0..n-1, both ways."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mfrec.arrays import Numbers
from mfrec.directions import Side
from mfrec.errors import DataError, UnknownIdError
from mfrec.model.string_array import StringArray

Id = int | str
Kind = Literal["int", "str"]

# of the characters of an id: longer ones are refused when a table is read, for a service would refuse them too
LONGEST_ID = 500


@dataclass(frozen=True, eq=False)
class IdMap:
    """The ids of one side in ascending order; an id's *number* is its place in that order.

    Sorted ids need no hash table: a lookup is a binary search in an array that may be memory-mapped,
    so a model of many million users opens at once and its workers share the pages.

    Parameters
    ----------
    side
        Whose ids these are; error messages name it.
    values
        int64 array or `StringArray`, strictly ascending.
    """

    side: Side
    values: NDArray[np.int64] | StringArray

    @classmethod
    def of(cls, side: Side, ids: Iterable[Id]) -> "IdMap":
        """Build a map of distinct ids given in any order.

        Raises
        ------
        DataError
            For a repeated id, or ids that are neither all integers nor all strings.
        """
        given = list(ids)
        if all(isinstance(i, str) for i in given) and given:
            unique = sorted({str(i) for i in given})
            values: NDArray[np.int64] | StringArray = StringArray.pack(unique)
        elif all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in given):
            if not all(-(2**63) <= int(i) < 2**63 for i in given):
                raise DataError(f"{side} ids must be within 64 bits: pass larger integers as strings")
            values = np.unique(np.array(given, np.int64))
        else:
            kinds = sorted({type(i).__name__ for i in given})
            raise DataError(f"{side} ids must be all integers or all strings, not {' and '.join(kinds)}")
        if len(values) != len(given):
            raise DataError(f"{len(given) - len(values)} of {len(given)} {side} ids are repeated")
        return cls(side, values)

    @property
    def kind(self) -> Kind:
        """``"int"`` or ``"str"``."""
        return "str" if isinstance(self.values, StringArray) else "int"

    def __len__(self) -> int:
        """Return how many ids there are."""
        return len(self.values)

    def __iter__(self) -> Iterator[Id]:
        """Yield every id in the order of the numbers."""
        return iter(self.values if isinstance(self.values, StringArray) else self.values.tolist())

    def __contains__(self, key: object) -> bool:
        """Whether that id is known; a value of the wrong type is simply not."""
        try:
            return self._find(key) >= 0
        except UnknownIdError:
            return False

    def __repr__(self) -> str:
        """Say how many, of what kind, and the first few."""
        shown = ", ".join(repr(self.id(i)) for i in range(min(3, len(self))))
        dots = ", ..." if len(self) > 3 else ""
        return f"IdMap({len(self)} {self.side} ids: {shown}{dots})"

    def id(self, number: int) -> Id:
        """Return the id of one number, as a plain Python int or str."""
        value = self.values[int(number)]
        return value if isinstance(value, str) else int(value)

    def ids(self, numbers: ArrayLike) -> list[Any]:
        """Return the ids of many numbers, as plain Python ints or strings."""
        wanted = np.asarray(numbers, np.int64)
        if isinstance(self.values, StringArray):
            return [self.values[i] for i in wanted.tolist()]
        plain: list[Any] = self.values[wanted].tolist()
        return plain

    def take(self, numbers: Numbers) -> "IdMap":
        """Return the map of some of the ids, whose numbers must ascend."""
        kept = self.values.take(numbers) if isinstance(self.values, StringArray) else self.values[numbers]
        return IdMap(self.side, kept)

    def number(self, key: Id) -> int:
        """Return the number of an id.

        Raises
        ------
        UnknownIdError
            When no such id is known, or it is of the wrong type.
        """
        number = self._find(key)
        if number < 0:
            raise UnknownIdError(f"unknown {self.side} id {key!r}: {self._known()}")
        return number

    def numbers(self, keys: Iterable[Id]) -> Numbers:
        """Return the numbers of many ids, as int64; UnknownIdError names the first unknown ones."""
        wanted = as_list(keys)
        found = self.find(wanted)
        if (found < 0).any():
            missing = [wanted[i] for i in np.flatnonzero(found < 0)[:5]]
            more = int((found < 0).sum()) - len(missing)
            tail = f" and {more} more" if more else ""
            plural = "s" if len(missing) > 1 else ""
            names = ", ".join(map(repr, missing))
            raise UnknownIdError(f"unknown {self.side} id{plural} {names}{tail}: {self._known()}")
        return found

    def find(self, keys: Iterable[Id]) -> Numbers:
        """Return the numbers of many ids, as int64, with -1 where an id is unknown.

        Raises
        ------
        UnknownIdError
            When an id is of the wrong type, which can never be meant.
        """
        if isinstance(self.values, np.ndarray) and isinstance(keys, np.ndarray) and keys.dtype.kind == "i":
            return _search_sorted(self.values, keys.astype(np.int64, copy=False))
        return np.array([self._find(key) for key in as_list(keys)], np.int64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `from_arrays` restores the map from."""
        if isinstance(self.values, StringArray):
            return {"ids_utf8": self.values.blob, "ids_offsets": self.values.offsets}
        return {"ids": self.values}

    @classmethod
    def from_arrays(cls, side: Side, arrays: Mapping[str, NDArray[Any]]) -> "IdMap":
        """Restore a map from `arrays`, memory-mapped or not."""
        if "ids" in arrays:
            return cls(side, arrays["ids"])
        return cls(side, StringArray(arrays["ids_utf8"], arrays["ids_offsets"]))

    def _find(self, key: object) -> int:
        if isinstance(self.values, StringArray):
            if not isinstance(key, str):
                raise self._wrong_type(key)
            return self.values.find(key)
        if isinstance(key, bool | np.bool_):
            raise self._wrong_type(key)
        try:
            wanted = operator.index(key)  # type: ignore[arg-type]  # anything may be asked for
        except TypeError:
            raise self._wrong_type(key) from None
        place = int(np.searchsorted(self.values, wanted)) if -(2**63) <= wanted < 2**63 else len(self)
        return place if place < len(self) and int(self.values[place]) == wanted else -1

    def _wrong_type(self, key: object) -> UnknownIdError:
        kinds = {"int": "integers", "str": "strings"}
        return UnknownIdError(
            f"{self.side} ids of this model are {kinds[self.kind]}, got {key!r} ({type(key).__name__})"
        )

    def _known(self) -> str:
        if not len(self):
            return f"the model has no {self.side}s"
        return f"the model knows {len(self)} {self.side}s, from {self.id(0)!r} to {self.id(len(self) - 1)!r}"


def as_list(keys: Iterable[Id]) -> Sequence[Id]:
    """Return ids as a list; UnknownIdError for a single id, and for what is no list."""
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise UnknownIdError(f"expected a list of ids, got {keys!r} ({type(keys).__name__}): write [{keys!r}]")
    return keys.tolist() if isinstance(keys, np.ndarray) else list(keys)


def _search_sorted(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> Numbers:
    if not len(values):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[places] == wanted, places, -1).astype(np.int64)
