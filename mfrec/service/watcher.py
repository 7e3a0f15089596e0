"""`Watcher`: opens a new version beside the one being served, and swaps."""

import asyncio
import logging
import time
from dataclasses import dataclass

from mfrec.errors import MfrecError
from mfrec.service.sources import ServedModel, Source

log = logging.getLogger("mfrec.service")


@dataclass(frozen=True)
class RefusedError:
    """A version that is not served, and why."""

    wanted: str
    reason: str
    at: float


class Watcher:
    """Holds what is being served; the only thing in the service that changes.

    Parameters
    ----------
    source
        Where versions come from.
    poll, retry
        Seconds between two looks, and before a refused version is tried again.
    """

    def __init__(self, source: Source, poll: float = 1.0, retry: float = 30.0) -> None:
        self.source = source
        self.poll = poll
        self.retry = retry
        self.live: ServedModel | None = None
        self.refused: RefusedError | None = None
        self.swaps = 0
        self.refusals = 0
        self._served: str | None = None

    def start(self) -> None:
        """Open what is wanted, or else the newest older version that can be served; blocks."""
        wanted, failed = self._wanted(), None
        # what was replaced or pruned while it was opened has a successor
        while wanted is not None and wanted != failed:
            for candidate in self.source.candidates(wanted):
                live = self._open(candidate, wanted)
                if live is not None:
                    self._swap(candidate, live)
                    return
            wanted, failed = self._wanted(), wanted

    async def watch(self) -> None:
        """Look for a new version, for ever; running requests keep the version that they began with."""
        while True:
            await asyncio.sleep(self.poll)
            await self.look()

    async def look(self) -> None:
        """Swap to what is wanted where that is something new and whole."""
        wanted = self._wanted()
        if wanted is None:
            return
        if wanted == self._served:
            # the pointer was moved back, or repaired: what was wrong with it no longer matters
            self.refused = None
        elif not self._recently_refused(wanted):
            # in a thread, so that requests go on
            live = await asyncio.to_thread(self._open, wanted, wanted)
            if live is not None:
                self._swap(wanted, live)
                self.refused = None

    def _wanted(self) -> str | None:
        """Return what is to be served; None where there is nothing, or where it cannot be told, which is a refusal."""
        try:
            return self.source.wanted()
        except MfrecError as error:
            if not self._recently_refused("current"):
                self._refuse("current", error)
            return None

    def _open(self, candidate: str, wanted: str) -> ServedModel | None:
        """Return a version, warm; None where it cannot be served, which is a refusal unless it was just replaced."""
        try:
            live = self.source.open(candidate)
            live.warm()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, what is served goes on
            if self._wanted() in (wanted, None):
                self._refuse(candidate, error)
            else:
                log.info("version %s was replaced while it was opened: the next one is tried", candidate)
            return None
        return live

    def _swap(self, wanted: str, live: ServedModel) -> None:
        before = self.live.version if self.live else None
        self.live, self._served = live, wanted
        self.swaps += before is not None
        counts = live.content["counts"]
        log.info("serving version %s: %d users x %d items", live.version, counts["users"], counts["items"])

    def _refuse(self, wanted: str, error: Exception) -> None:
        self.refused = RefusedError(wanted, f"{error}" or type(error).__name__, time.time())
        self.refusals += 1
        still = f"still serving {self.live.version}" if self.live else "serving nothing yet"
        # an error that nobody foresaw is for a developer to read
        trace = None if isinstance(error, MfrecError) else error
        log.error("refused version %s, %s: %s", wanted, still, self.refused.reason, exc_info=trace)

    def _recently_refused(self, wanted: str) -> bool:
        last = self.refused
        return last is not None and last.wanted == wanted and time.time() - last.at < self.retry
