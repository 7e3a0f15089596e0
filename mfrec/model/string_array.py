"""Many strings in two arrays, so that they can be memory-mapped and shared between processes."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mfrec.arrays import Numbers


@dataclass(frozen=True, eq=False)
class StringArray(Sequence[str]):
    """An immutable sequence of strings, kept as UTF-8.

    Parameters
    ----------
    blob
        uint8 array of every string's UTF-8 bytes, one after the other.
    offsets
        int64 array of ``n + 1`` positions: string ``i`` is ``blob[offsets[i]:offsets[i + 1]]``.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def pack(cls, strings: Iterable[str]) -> "StringArray":
        """Pack strings in the order given. Lone surrogates survive, as in Python's own file names."""
        encoded = [s.encode("utf-8", "surrogatepass") for s in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(e) for e in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def take(self, numbers: Numbers) -> "StringArray":
        """Return some of the strings, in the order asked for."""
        return StringArray.pack(self[number] for number in numbers.tolist())

    def __len__(self) -> int:
        """Return how many strings there are."""
        return len(self.offsets) - 1

    def bytes_at(self, number: int) -> bytes:
        """Return string ``number`` as UTF-8."""
        return self.blob[self.offsets[number] : self.offsets[number + 1]].tobytes()

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> "StringArray": ...
    def __getitem__(self, number: int | slice) -> "str | StringArray":
        """Return one string, or a slice packed anew."""
        if isinstance(number, slice):
            return StringArray.pack(self[i] for i in range(*number.indices(len(self))))
        if not -len(self) <= number < len(self):
            raise IndexError(f"string {number} of {len(self)}")
        return self.bytes_at(number % len(self)).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        """Yield every string; one pass over the bytes."""
        whole = self.blob.tobytes()
        ends = self.offsets.tolist()
        for start, end in pairwise(ends):
            yield whole[start:end].decode("utf-8", "surrogatepass")

    def find(self, text: str) -> int:
        """Return the position of ``text``, or -1, where the strings are sorted (by code point)."""
        wanted = text.encode("utf-8", "surrogatepass")
        place = bisect_left(range(len(self)), wanted, key=self.bytes_at)
        return place if place < len(self) and self.bytes_at(place) == wanted else -1
