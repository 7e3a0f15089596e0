"""`Watcher`: opens a new version beside the one being served, and swaps."""

import asyncio
import logging
import time
from dataclasses import dataclass

from mfrec.errors import MfrecError
from mfrec.service.sources import ServedModel, Source

log = logging.getLogger("mfrec.service")


@dataclass(frozen=True)
class Refusal:
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
        self.refused: Refusal | None = None
        self.swaps = 0
        self.refusals = 0
        self._served: str | None = None

    def start(self) -> None:
        """Open what is wanted, or else the newest older version that can be served; blocks."""
        try:
            wanted = self.source.wanted()
        except MfrecError as error:
            self._refuse("current", error)
            return
        for candidate in self.source.candidates(wanted) if wanted is not None else ():
            live = self._open(candidate)
            if live is not None:
                self._swap(candidate, live)
                return

    async def watch(self) -> None:
        """Look for a new version, for ever; running requests keep the version that they began with."""
        while True:
            await asyncio.sleep(self.poll)
            await self.look()

    async def look(self) -> None:
        """Swap to what is wanted where that is something new and whole."""
        try:
            wanted = self.source.wanted()
        except MfrecError as error:
            if not self._recently_refused("current"):
                self._refuse("current", error)
            return
        if wanted == self._served or wanted is None:
            # the pointer was moved back, or repaired: what was wrong with it no longer matters
            self.refused = None if wanted is not None else self.refused
            return
        if not self._recently_refused(wanted):
            # in a thread, so that requests go on
            live = await asyncio.to_thread(self._open, wanted)
            if live is not None:
                self._swap(wanted, live)
                self.refused = None

    def _open(self, wanted: str) -> ServedModel | None:
        try:
            live = self.source.open(wanted)
            live.warm()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, what is served goes on
            self._refuse(wanted, error)
            return None
        return live

    def _swap(self, wanted: str, live: ServedModel) -> None:
        before = self.live.version if self.live else None
        self.live, self._served = live, wanted
        self.swaps += before is not None
        counts = live.content["counts"]
        log.info("serving version %s: %d users x %d items", live.version, counts["users"], counts["items"])

    def _refuse(self, wanted: str, error: Exception) -> None:
        self.refused = Refusal(wanted, f"{error}" or type(error).__name__, time.time())
        self.refusals += 1
        still = f"still serving {self.live.version}" if self.live else "serving nothing yet"
        # an error that nobody foresaw is for a developer to read
        trace = None if isinstance(error, MfrecError) else error
        log.error("refused version %s, %s: %s", wanted, still, self.refused.reason, exc_info=trace)

    def _recently_refused(self, wanted: str) -> bool:
        last = self.refused
        return last is not None and last.wanted == wanted and time.time() - last.at < self.retry
