import errno
import hashlib
import io
import logging
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import pytest

from mfrec.data.download import LICENCE_NOTICE, download
from mfrec.data.movielens import RELEASES, load_movielens
from mfrec.errors import DownloadError
from tests.waiting import LIMIT

MODULE = import_module("mfrec.data.download")

FILES = {
    "ratings.dat": b"1::10::5::978300760\n2::10::4::978300761\n2::20::3::978300762\n",
    "movies.dat": "10::Amélie (2001)::Comedy\n20::Heat (1995)::Action\n".encode("latin-1"),
    "README": b"terms\n",
}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


WHOLE = zipped({f"ml-1m/{name}": data for name, data in FILES.items()})


@dataclass
class Site:
    """What the local server answers, and how often it was asked."""

    url: str = ""
    body: bytes = WHOLE
    status: int = 200
    length: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stall: threading.Event | None = None
    asked: int = 0


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked += 1
            if site.stall is not None:
                site.stall.wait(LIMIT)
                return
            self.send_response(site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(site.length or len(site.body)))
            self.end_headers()
            self.wfile.write(site.body)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    found.url = f"http://127.0.0.1:{server.server_address[1]}/ml-1m.zip"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    publish(monkeypatch, found, WHOLE)
    yield found
    if found.stall is not None:
        found.stall.set()
    server.shutdown()
    thread.join()
    server.server_close()


def publish(monkeypatch: pytest.MonkeyPatch, site: Site, body: bytes) -> None:
    """Make the table name this server and the checksum of what it serves."""
    site.body = body
    checksum = hashlib.md5(body, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(RELEASES, "ml-1m", replace(RELEASES["ml-1m"], url=site.url, md5=checksum))


def failure(home: Path, **options: Any) -> str:
    """Return the one line of a failed download, after checking that it changed nothing in ``home``."""
    before = everything(home)
    with pytest.raises(DownloadError) as caught:
        download("ml-1m", home, progress=False, **options)
    assert everything(home) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def everything(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() if path.is_file() else b"" for path in home.rglob("*")}


def test_downloads_unpacks_and_loads(site: Site, tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    folder = download("ml-1m", home, progress=False)
    assert folder == home / "ml-1m"
    assert everything(home) == {"ml-1m": b""} | {f"ml-1m/{name}": data for name, data in FILES.items()}
    loaded = load_movielens("ml-1m", home)
    assert (*loaded.shape, len(loaded)) == (2, 2, 3)


def test_is_fetched_once_unless_forced(site: Site, tmp_path: Path) -> None:
    folder = download("ml-1m", tmp_path, progress=False)
    (folder / "README").write_bytes(b"changed")
    assert download("ml-1m", tmp_path, progress=False) == folder
    assert (folder / "README").read_bytes() == b"changed"
    assert site.asked == 1
    assert download("ml-1m", tmp_path, progress=False, force=True) == folder
    assert (folder / "README").read_bytes() == b"terms\n"
    assert site.asked == 2
    assert [path.name for path in tmp_path.iterdir()] == ["ml-1m"]


def test_a_whole_zip_counts_as_there_and_a_broken_one_does_not(site: Site, tmp_path: Path) -> None:
    archive = tmp_path / "ml-1m.zip"
    archive.write_bytes(WHOLE)
    assert download("ml-1m", tmp_path, progress=False) == archive
    assert site.asked == 0
    archive.write_bytes(WHOLE[:100])
    assert download("ml-1m", tmp_path, progress=False) == tmp_path / "ml-1m"
    assert len(load_movielens("ml-1m", tmp_path)) == 3


def test_an_archive_without_or_with_another_folder(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, prefix in enumerate(["", "ml-10M100K/"]):
        publish(monkeypatch, site, zipped({prefix + name: data for name, data in FILES.items()}))
        folder = download("ml-1m", tmp_path / str(n), progress=False)
        assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_a_release_without_checksum_is_taken_when_whole(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RELEASES, "ml-1m", replace(RELEASES["ml-1m"], md5=None))
    assert download("ml-1m", tmp_path, progress=False).is_dir()


def test_a_mirror_needs_the_same_checksum(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RELEASES, "ml-1m", replace(RELEASES["ml-1m"], url="http://127.0.0.1:9/x.zip"))
    assert download("ml-1m", tmp_path, progress=False, url=site.url).is_dir()
    site.body = zipped({"other": b""})
    assert "has checksum" in failure(tmp_path, force=True, url=site.url)


def test_licence_is_logged_once_and_progress_goes_to_stderr(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "mfrec"):
        download("ml-1m", tmp_path)
        download("ml-1m", tmp_path)
    assert [record.getMessage() for record in caplog.records] == [LICENCE_NOTICE]
    out, err = capsys.readouterr()
    assert out == ""
    assert "ml-1m" in err


def test_unknown_release(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="'ml-2k' is no MovieLens release: choose one of ml-100k, ml-1m"):
        download("ml-2k", tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x.zip", "x.zip", "data:,x"])
def test_other_schemes_are_refused(url: str, tmp_path: Path) -> None:
    assert failure(tmp_path, url=url) == f"{url!r} is not an http or https address"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1:9/x.zip"])
def test_redirect_to_another_scheme(site: Site, tmp_path: Path, target: str) -> None:
    site.status, site.headers = 302, {"Location": target}
    assert failure(tmp_path).startswith(f"ml-1m was not downloaded from {site.url}: ")


def test_wrong_checksum(site: Site, tmp_path: Path) -> None:
    expected = RELEASES["ml-1m"].md5
    site.body = zipped({"ml-1m/ratings.dat": b""})
    got = hashlib.md5(site.body, usedforsecurity=False).hexdigest()
    assert failure(tmp_path) == f"{site.url} has checksum {got} instead of {expected}: try again"


def test_short_body(site: Site, tmp_path: Path) -> None:
    site.length, site.body = len(WHOLE), WHOLE[:200]
    assert failure(tmp_path) == f"{site.url} ended after 200 of {len(WHOLE)} bytes: try again"


def test_truncated_zip(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, site, WHOLE[:-40])
    assert failure(tmp_path) == f"{site.url} is not a whole zip (File is not a zip file): try again"


def test_flipped_bytes(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, site, WHOLE.replace(b"978300760", b"978300761"))
    assert f"{site.url} is not a whole zip (Bad CRC-32 for file 'ml-1m/ratings.dat')" in failure(tmp_path)


@pytest.mark.parametrize("member", ["../evil", "/evil", "ml-1m/../../evil", "..\\evil", "\\evil", "C:\\evil"])
def test_a_member_outside_the_archive_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    publish(monkeypatch, site, zipped({**{f"ml-1m/{n}": d for n, d in FILES.items()}, member: b"x"}))
    home = tmp_path / "a" / "home"
    home.mkdir(parents=True)
    assert f"the archive holds {member!r}, a file outside its own folder" in failure(home)
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"hello": b""}, "holds no release"),
        ({"ml-1m/ratings.dat": b""}, "holds another release, or part of one"),
        ({"ratings.csv": b"", "movies.csv": b""}, "holds another release, or part of one"),
    ],
)
def test_an_archive_of_something_else(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], why: str
) -> None:
    publish(monkeypatch, site, zipped(files))
    assert failure(tmp_path) == f"the archive of ml-1m {why}"


@pytest.mark.parametrize("status", [403, 404, 503])
def test_http_error(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    assert failure(tmp_path).startswith(f"ml-1m was not downloaded from {site.url}: the server answered {status} ")


def test_no_answer(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_TIMEOUT_SECONDS", 0.2)
    site.stall = threading.Event()
    assert failure(tmp_path).endswith("no answer for 0.2 seconds, try again")


def test_no_network(tmp_path: Path, site: Site) -> None:
    # bound, so that no other process takes the port, and never listening
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x.zip"
        assert failure(tmp_path, url=url) == (
            f"ml-1m was not downloaded from {url}: no connection ([Errno {errno.ECONNREFUSED}] Connection refused)"
        )


def test_connection_reset_while_reading(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(self: object, n: float | None = 1) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    monkeypatch.setattr("tqdm.tqdm.update", reset)
    assert f"no connection ([Errno {errno.ECONNRESET}] Connection reset by peer)" in failure(tmp_path)


class FullDisk(io.RawIOBase):
    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_while_fetching(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **options: Any) -> IO[Any]:
        return FullDisk() if mode == "xb" else plain(path, mode, *args, **options)  # type: ignore[return-value]

    monkeypatch.setattr(Path, "open", opened)
    assert failure(tmp_path).endswith(f"the disk of {tmp_path} is full")


def test_full_disk_while_unpacking(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: zipfile.ZipFile, folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    assert failure(tmp_path).endswith(f"the disk of {tmp_path} is full")


def test_data_home_that_is_a_file(site: Site, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("x")
    assert failure(home).endswith(f"{home} cannot be written (File exists)")


@pytest.mark.parametrize("where", ["tqdm.tqdm.update", "zipfile.ZipFile.extractall"])
def test_ctrl_c_leaves_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupted)
    with pytest.raises(KeyboardInterrupt):
        download("ml-1m", tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_incomplete_folder_in_the_way(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "mine").write_text("x")
    assert failure(tmp_path) == f"{folder} is there but incomplete: delete it, or download with force"
    assert site.asked == 0
    download("ml-1m", tmp_path, progress=False, force=True)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_a_failed_forced_download_keeps_the_old_folder(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download("ml-1m", tmp_path, progress=False)
    plain = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name == "ml-1m" and path.parent.name == "files":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert "cannot be written (Permission denied)" in failure(tmp_path, force=True)
