"""Swapping models under a running service."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import mfrec
from mfrec.directions import DIRECTIONS
from mfrec.service import sources
from mfrec.service.sources import FolderSource, StoreSource, source_of
from mfrec.service.watcher import Watcher
from mfrec.storage import manifest
from mfrec.storage.folder import open_folder
from mfrec.storage.store import Store, publish, rollback
from tests.service.conftest import MakeModel, Serve
from tests.waiting import wait_for

Folders = Callable[[int], Path]


def version(client: httpx.Client) -> str:
    return str(client.get("/readyz").json().get("version"))


def test_a_new_version_is_swapped_to(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish(folders(0), store)
    client = serve(store)
    assert version(client) == "000001"
    publish(folders(1), store)
    wait_for(lambda: version(client) == "000002")
    best = mfrec.load(folders(1)).user2item(1)
    assert [r["id"] for r in client.get("/v1/user2item/1").json()["results"]] == best.ids
    rollback(store)
    wait_for(lambda: version(client) == "000001")
    assert "mfrec_model_swaps 2" in client.get("/metrics").text


def test_a_folder_that_is_replaced_is_swapped_to(serve: Serve, make_model: MakeModel, tmp_path: Path) -> None:
    make_model(0).save(tmp_path / "m")
    client = serve(tmp_path / "m")
    before = version(client)
    make_model(1).save(tmp_path / "m")
    wait_for(lambda: version(client) != before)
    assert client.get("/v1/model").json()["manifest"]["info"] == {"seed": 1}


def test_answers_never_mix_two_versions(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = tmp_path / "store"
    names = [publish(folders(n), store) for n in range(2)]
    asked = range(1, 41)
    truth = {name: {key: mfrec.load(folders(n)).user2item(key).ids for key in asked} for n, name in enumerate(names)}
    client = serve(store)

    def ask_all() -> set[str]:
        """Ask for everybody, compare, and return the versions that answered."""
        seen = set()
        for key in asked:
            answer = client.get(f"/v1/user2item/{key}")
            body = answer.json()
            assert body["version"] == answer.headers["mfrec-version"]
            assert [r["id"] for r in body["results"]] == truth[body["version"]][key]
            seen.add(body["version"])
        return seen

    def all_are_of(name: str) -> bool:
        return ask_all() == {name}

    for wanted in names * 5:
        swapper = threading.Thread(target=rollback, args=(store, wanted))
        swapper.start()
        wait_for(partial(all_are_of, wanted))
        swapper.join()
    assert "mfrec_model_swaps 10" in client.get("/metrics").text


def damage(kind: str, path: Path, sibling: Path) -> None:
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0x10
    half = content[: len(content) // 2]
    damaged = {"cut": half, "emptied": b"", "flipped": bytes(flipped), "swapped": sibling.read_bytes()}
    path.write_bytes(damaged[kind])


@pytest.mark.parametrize("kind", ["cut", "emptied", "flipped", "swapped"])
def test_every_corruption_is_refused_and_the_old_version_serves_on(folders: Folders, tmp_path: Path, kind: str) -> None:
    store = Store(tmp_path / "store")
    publish(folders(0), store.path)
    publish(folders(1), store.path)
    rollback(store.path)
    whole = tmp_path / "whole"
    shutil.copytree(store.folder("000002"), whole)
    watcher = Watcher(StoreSource(store), retry=0.0)
    watcher.start()
    assert watcher.live is not None
    served = watcher.live
    (store.path / "current").write_text("000002\n")
    names = sorted(path.name for path in whole.iterdir())
    for name in names:
        if kind == "swapped" and name == "manifest.json":
            continue
        other = next(n for n in names if n != name and (whole / n).read_bytes() != (whole / name).read_bytes())
        damage(kind, store.folder("000002") / name, whole / other)
        asyncio.run(watcher.look())
        assert watcher.live is served, name
        assert watcher.refused is not None
        assert name in watcher.refused.reason
        assert watcher.live.model.user2item(1).ids
        shutil.copyfile(whole / name, store.folder("000002") / name)
    asyncio.run(watcher.look())
    assert watcher.live.version == "000002"
    assert watcher.refused is None


def test_a_refusal_is_told_and_ends_with_the_next_good_version(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    publish(folders(0), store.path)
    client = serve(store.path)
    publish(folders(1), tmp_path / "other")
    shutil.copytree(tmp_path / "other/versions/000001", store.folder("000002"))
    (store.folder("000002") / "user.factors.npy").write_bytes(b"junk")
    # in one step, as the store does it: between two the pointer would name nothing
    (store.path / "next").write_text("000002\n")
    (store.path / "next").replace(store.path / "current")
    wait_for(lambda: client.get("/v1/model").json()["refused"] is not None)
    refused = client.get("/v1/model").json()["refused"]
    assert refused["version"] == "000002"
    assert "user.factors.npy is corrupted" in refused["reason"]
    assert str(tmp_path) not in refused["reason"]
    assert client.get("/readyz").json() == {"status": "ready", "version": "000001", "refused": "000002"}
    assert "mfrec_model_refused 1" in client.get("/metrics").text
    publish(folders(2), store.path)
    wait_for(lambda: version(client) == "000003")
    assert client.get("/v1/model").json()["refused"] is None


def test_a_broken_pointer_changes_nothing(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    publish(folders(0), store.path)
    client = serve(store.path)
    for junk in (b"", b"nonsense", b"000009\n"):
        (store.path / "current").write_bytes(junk)
        wait_for(lambda: client.get("/readyz").json()["refused"] is not None)
        assert client.get("/v1/user2item/1").status_code == 200
        (store.path / "current").write_bytes(b"000001\n")
        wait_for(lambda: client.get("/readyz").json()["refused"] is None)


def test_a_service_starts_from_an_older_version_where_the_current_one_is_broken(
    serve: Serve, folders: Folders, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    for n in range(3):
        publish(folders(n), store.path)
    for name in ("000003", "000002"):
        (store.folder(name) / "manifest.json").write_text("{}")
    client = serve(store.path)
    assert version(client) == "000001"
    wait_for(lambda: client.get("/readyz").json()["refused"] == "000003")


def test_a_service_waits_for_the_first_version(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "versions").mkdir(parents=True)
    client = serve(store)
    assert client.get("/healthz").status_code == 200
    answers = [client.get(path) for path in ("/readyz", "/v1/user2item/1", "/v1/model")]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert "none was published yet" in answers[0].json()["detail"]
    assert "mfrec_ready 0" in client.get("/metrics").text
    publish(folders(0), store)
    wait_for(lambda: client.get("/readyz").status_code == 200)


def test_a_version_that_is_served_outlives_its_pruning(serve: Serve, folders: Folders, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    publish(folders(0), store.path)
    client = serve(store.path, poll=1e6)
    publish(folders(1), store.path, keep=1)
    assert store.versions == ["000002"]
    model = mfrec.load(folders(0))
    for direction in DIRECTIONS.values():
        for key in list(model.ids[direction.query])[:5]:
            body = client.get(f"/v1/{direction.name}/{key}").json()
            assert body["version"] == "000001"
            assert [r["id"] for r in body["results"]] == model.recommend(direction.name, [key])[0].ids
    assert client.get("/v1/search", params={"side": "item", "q": "star"}).json()["results"]
    assert client.get("/v1/map", params={"side": "item"}).status_code == 200


def before_opening(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, when a source has looked at what to open and is about to open it."""
    real, acts = open_folder, iter([act])

    def late(path: Path) -> Any:
        next(acts, lambda: None)()
        return real(path)

    monkeypatch.setattr(sources, "open_folder", late)


@pytest.mark.parametrize("started", [False, True], ids=["at the start", "when running"])
def test_a_version_pruned_while_it_is_opened_is_no_refusal(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    """The pointer has moved on by then: what it names now is opened."""
    store = Store(tmp_path / "store")
    watcher = Watcher(StoreSource(store))
    publish(folders(0), store.path)
    if started:
        watcher.start()
        publish(folders(1), store.path)
    before_opening(monkeypatch, lambda: publish(folders(2), store.path, keep=1))
    if started:
        asyncio.run(watcher.look())
        assert watcher.live is not None
        assert watcher.live.version == "000001"
        asyncio.run(watcher.look())
    else:
        watcher.start()
    assert watcher.live is not None
    assert watcher.live.version == store.current
    assert watcher.live.content["info"] == {"seed": 2}
    assert watcher.refused is None
    assert watcher.refusals == 0


def test_a_folder_replaced_while_it_is_opened_is_no_refusal(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(folders(0), tmp_path / "m"))
    watcher = Watcher(FolderSource(path))
    watcher.start()
    mfrec.load(folders(1)).save(path)
    real, two = manifest.checked_files, mfrec.load(folders(2))

    def late(*args: Any) -> Any:
        monkeypatch.setattr(manifest, "checked_files", real)
        two.save(path)
        return real(*args)

    monkeypatch.setattr(manifest, "checked_files", late)
    asyncio.run(watcher.look())
    assert watcher.live is not None
    assert watcher.live.content["info"] == {"seed": 0}
    asyncio.run(watcher.look())
    assert watcher.live.content["info"] == {"seed": 2}
    assert watcher.refusals == 0


def test_a_model_that_gives_no_numbers_is_refused(make_model: MakeModel, folders: Folders, tmp_path: Path) -> None:
    make_model(0).save(tmp_path / "m")
    watcher = Watcher(FolderSource(tmp_path / "m"))
    watcher.start()
    broken = make_model(1, index="exact")
    broken.factors.item[:] = float("nan")
    broken.save(tmp_path / "m")
    asyncio.run(watcher.look())
    assert watcher.live is not None
    assert watcher.live.content["info"] == {"seed": 0}
    assert watcher.refused is not None
    assert "no usable answer to user2item" in watcher.refused.reason


def test_what_is_neither_store_nor_model_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(mfrec.ArtifactError, match="no manifest"):
        source_of(tmp_path)
    with pytest.raises(mfrec.ArtifactError, match="no such model folder"):
        source_of(tmp_path / "none")


def test_an_error_that_nobody_foresaw_is_a_refusal_too(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sources, "open_folder", broken)
    watcher = Watcher(FolderSource(folders(0)))
    watcher.start()
    assert watcher.live is None
    assert watcher.refused is not None
    assert watcher.refused.reason == "ZeroDivisionError"
