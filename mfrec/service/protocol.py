"""HTTP over a socket: uvicorn's protocol, with the clock that it lacks."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mfrec.service.middleware import ServiceMiddleware


class PatientProtocol(HttpToolsProtocol):
    """Ends a connection whose next headers take too long to arrive.

    Otherwise a client that sends one byte a minute holds a connection for ever. How long is too long is read
    from the application, since a protocol is made by the server, in every worker anew.
    """

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first headers."""
        super().connection_made(transport)
        self._start()

    def on_message_begin(self) -> None:
        """Start the clock for the next headers; while nothing is sent, uvicorn's own clock runs."""
        super().on_message_begin()
        self._start()

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._stop()
        seconds = self.app.context.settings.header_timeout if isinstance(self.app, ServiceMiddleware) else 10.0
        self._clock = self.loop.call_later(seconds, self.transport.close)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
