"""`ServedModel`: one version being served, and everything that belongs to it, in one object that never changes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mfrec.directions import DIRECTIONS, SIDES, Pair, Side
from mfrec.errors import ArtifactError
from mfrec.model.ids import Id, IdMap
from mfrec.model.label_search import LabelSearch, as_id
from mfrec.model.recommender import Recommender
from mfrec.storage import manifest
from mfrec.storage.folder import open_folder
from mfrec.storage.manifest import Manifest
from mfrec.storage.store import Store, is_store

# JavaScript's Number.MAX_SAFE_INTEGER
_SAFE = 2**53 - 1


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model, opened and warm. A request takes it once, and answers from it alone.

    Parameters
    ----------
    model
        The model.
    version
        Its name in the store, or the beginning of its manifest's sha256 outside of one.
    content
        Its manifest.
    loaded
        When it was opened, in seconds since 1970.
    """

    model: Recommender
    version: str
    content: Manifest
    loaded: float = field(default_factory=time.time)

    @cached_property
    def search(self) -> Pair[LabelSearch]:
        """Texts of both sides, ready to be searched."""
        return Pair.of(lambda side: LabelSearch.of(self.model, side))

    @cached_property
    def as_text(self) -> Pair[bool]:
        """Whether the ids of a side are strings in JSON, integers or not.

        JavaScript, and much else that reads JSON, keeps numbers as doubles, and silently rounds integers beyond 2^53.
        Where a side has one such id all of its ids are strings, so that a client meets one kind.
        """
        return Pair.of(lambda side: _beyond_doubles(self.model.ids[side]))

    def sent(self, side: Side, key: Id) -> Id:
        """Return an id as it stands in an answer."""
        return str(key) if self.as_text[side] else key

    def received(self, side: Side, key: Id) -> Id:
        """Return an id as the model has it; what cannot be one stays as it is."""
        found = as_id(self.model.ids[side], key) if isinstance(key, str) and self.as_text[side] else None
        return key if found is None else found

    def warm(self) -> None:
        """Touch everything that a request may need, and see that it answers.

        Raises
        ------
        ArtifactError
            When a direction gives nothing, or something that is no number.
        """
        for direction in DIRECTIONS.values():
            ids = self.model.ids[direction.query]
            asked = [ids.id(n) for n in sorted({0, len(ids) // 2, len(ids) - 1})]
            # the only one of its side is like nobody else
            few = len(self.model.ids[direction.target]) <= (not direction.across)
            for ranking in self.model.recommend(direction.name, asked, exclude_seen=False):
                if (len(ranking) == 0 and not few) or not np.isfinite(ranking.scores).all():
                    raise ArtifactError(f"version {self.version} gives no usable answer to {direction.name}")
        for side in SIDES:
            self.search[side].find("a")
        _ = self.model.map, self.model.factors.gram


def _beyond_doubles(ids: IdMap) -> bool:
    """Whether some integer is beyond those that a double tells from their neighbours; the ids are ascending."""
    if ids.kind == "str" or not len(ids):
        return False
    return int(ids.id(0)) < -_SAFE or int(ids.id(len(ids) - 1)) > _SAFE


@dataclass(frozen=True)
class FolderSource:
    """A single model folder, which a fit may replace."""

    path: Path

    def wanted(self) -> str | None:
        """Return a mark that changes with the manifest, cheap enough to be taken every second."""
        try:
            found = (self.path / manifest.NAME).stat()
        except OSError as error:
            raise ArtifactError(f"{self.path / manifest.NAME} cannot be read: {error.strerror}") from None
        return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"

    def candidates(self, wanted: str) -> Iterator[str]:
        """Yield what to try at the start: there is but one folder."""
        yield wanted

    def open(self, wanted: str) -> ServedModel:
        """Open the folder as it is now."""
        opened = open_folder(self.path)
        return ServedModel(opened.model, opened.sha256[:12], opened.content)


@dataclass(frozen=True)
class StoreSource:
    """A store, whose pointer names the version."""

    store: Store

    def wanted(self) -> str | None:
        """Return the name of the current version; None while there is none."""
        return self.store.current

    def candidates(self, wanted: str) -> Iterator[str]:
        """Yield what to try at the start, best first: the current version, then older ones, in case it is broken."""
        yield wanted
        yield from (name for name in reversed(self.store.versions) if int(name) < int(wanted))

    def open(self, wanted: str) -> ServedModel:
        """Open a version; from then on it may be pruned."""
        opened = open_folder(self.store.find(wanted))
        return ServedModel(opened.model, wanted, opened.content)


# where versions come from
Source = FolderSource | StoreSource


def source_of(path: Path) -> Source:
    """Return the source at a path, which is a store or a model folder.

    Raises
    ------
    ArtifactError
        When it is neither.
    """
    if is_store(path):
        return StoreSource(Store(path.absolute()))
    manifest.read(path)
    return FolderSource(path.absolute())
