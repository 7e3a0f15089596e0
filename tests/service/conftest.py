"""Small models, made in milliseconds, for everything about serving."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from starlette.types import ASGIApp

import mfrec
from mfrec.directions import Pair
from mfrec.index import build_indexes
from mfrec.model.adjacency import Adjacency
from mfrec.model.check import check
from mfrec.model.string_array import StringArray
from mfrec.model.weighting import Weighting
from mfrec.service.app import create
from mfrec.service.server import Address, server_config
from mfrec.service.settings import Settings
from tests.waiting import LIMIT, wait_for

MakeModel = Callable[..., mfrec.Recommender]

TITLES = (
    "Star Wars (1977)",
    "Star Trek: First Contact (1996)",
    "Misérables, Les (1995)",
    "Godfather, The (1972)",
    "Alien (1979)",
    'Nasty <script>"&\u2028 (2000)',
)


def model_of(
    seed: int = 0, users: int = 40, items: int = 30, *, text_ids: bool = False, index: str = "annoy"
) -> mfrec.Recommender:
    """Return a model of random factors; item labels are `TITLES`, then numbered films."""
    generator = np.random.default_rng(seed)
    seen = generator.random((users, items)) < 0.2
    seen[:, 0] |= ~seen.any(axis=1)
    degree = Pair(seen.sum(axis=1), seen.sum(axis=0))
    factors = mfrec.Factors(
        generator.standard_normal((users, 4)).astype(np.float32),
        generator.standard_normal((items, 4)).astype(np.float32),
        Weighting(1.0, 2.0, exponents=Pair(0.5, 0.4), scales=Pair(-0.1, 0.2), mean=0.2, mean_degree=Pair(6.0, 8.0)),
        degree,
    )
    params = mfrec.IndexParams(index=index, trees=3)
    labels = [TITLES[n] if n < len(TITLES) else f"Film {n}" for n in range(items)]
    adjacency = Pair(_adjacency(seen), _adjacency(seen.T))
    return mfrec.Recommender(
        factors=factors,
        ids=Pair.of(lambda side: _ids(side, users if side == "user" else items, text_ids)),
        adjacency=adjacency,
        indexes=build_indexes(factors, factors, params),
        labels=Pair(None, StringArray.pack(labels)),
        info={"seed": seed},
        check=check(factors, adjacency),
    )


def _ids(side: mfrec.directions.Side, count: int, text: bool) -> mfrec.IdMap:
    # text ids hold what paths and JSON find hard
    names = [f"{side}/{n:03d} é?#%&" for n in range(count)]
    return mfrec.IdMap.of(side, names if text else range(1, count + 1))


LARGE = (-(2**63), -(2**53) - 1, 2**53 + 1, 2**63 - 1)


def with_large_ids(model: mfrec.Recommender) -> mfrec.Recommender:
    """Return a model whose first two and last two users and items have ids that a double cannot hold."""
    middle = Pair.of(lambda side: range(1, len(model.ids[side]) - 3))
    ids = Pair.of(lambda side: mfrec.IdMap.of(side, [*LARGE[:2], *middle[side], *LARGE[2:]]))
    return replace(model, ids=ids)


def _adjacency(seen: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Adjacency:
    indptr = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    return Adjacency.from_csr(indptr, np.nonzero(seen)[1].astype(np.int32))


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """Return the maker of small models."""
    return model_of


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return saved models by seed; they must not be changed."""
    root = tmp_path_factory.mktemp("models")

    def folder(seed: int) -> Path:
        path = root / str(seed)
        if not path.exists():
            model_of(seed).save(path)
        return path

    return folder


Serve = Callable[..., httpx.Client]

# no request is ever too slow, unless a test makes it so
PATIENT: dict[str, Any] = {"timeout": LIMIT}


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Run an application on a free port, in a thread, and give its address."""
    server = uvicorn.Server(server_config(app, Address(port=0)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive())
            assert thread.is_alive()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve(folders: Callable[[int], Path]) -> Iterator[Serve]:
    """Return a maker of clients of a running service, over a path or the model with seed 0."""
    with ExitStack() as stack:

        def client(path: Path | None = None, **settings: Any) -> httpx.Client:
            app = create(Settings(path or folders(0), **{**PATIENT, "poll": 0.02, "retry": 0.05, **settings}))
            address = stack.enter_context(running(app))
            return stack.enter_context(httpx.Client(base_url=address, timeout=LIMIT))

        yield client


@pytest.fixture(scope="module")
def client(folders: Callable[[int], Path]) -> Iterator[httpx.Client]:
    """Return a client of a service over the model with seed 0."""
    app = create(Settings(folders(0), **PATIENT))
    with running(app) as address, httpx.Client(base_url=address, timeout=LIMIT) as made:
        yield made
