import csv
import io
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfrec.data.interactions import Interactions
from mfrec.data.movielens import RELEASES, data_home, load_items, load_movielens
from mfrec.data.movielens_layouts import LAYOUTS, Release, read_movies, read_ratings
from mfrec.errors import DataError

TITLES = {1: "Toy Story (1995)", 2: "Amélie: Le fabuleux destin (2001)", 30: 'Say "Yes", Again (1999)'}
GENRES = {1: "Animation|Comedy", 2: "Comedy", 30: ""}
RATINGS = [(7, 1, 5, 881250949), (7, 30, 3, 881250950), (2, 2, 1, 881250951), (9, 1, 4, 881250952)]
CSV_HEADER = b"userId,movieId,rating,timestamp\n"

Files = dict[str, bytes]


def u_data() -> Files:
    names = ["unknown", "Animation", "Comedy"]
    flags = {i: "|".join("1" if name in GENRES[i] and GENRES[i] else "0" for name in names) for i in TITLES}
    movies = "".join(f"{i}|{t}|01-Jan-1995||http://imdb/{i}|{flags[i]}\n" for i, t in TITLES.items())
    genres = "".join(f"{name}|{n}\n" for n, name in enumerate(names)) + "\n"
    ratings = "".join("\t".join(map(str, row)) + "\n" for row in RATINGS)
    return {"u.data": ratings.encode(), "u.item": movies.encode("latin-1"), "u.genre": genres.encode()}


def dat(encoding: str) -> Files:
    movies = "".join(f"{i}::{t}::{GENRES[i]}\n" for i, t in TITLES.items())
    ratings = "".join("::".join(map(str, row)) + "\n" for row in RATINGS)
    return {"ratings.dat": ratings.encode(), "movies.dat": movies.encode(encoding)}


def csv_files() -> Files:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([("movieId", "title", "genres"), *((i, t, GENRES[i]) for i, t in TITLES.items())])
    ratings = CSV_HEADER.decode() + "".join(",".join(map(str, row)) + "\n" for row in RATINGS)
    return {"ratings.csv": ratings.encode(), "movies.csv": out.getvalue().encode()}


CASES: dict[str, tuple[str, Callable[[], Files]]] = {
    "ml-100k": ("ml-100k", u_data),
    "ml-1m": ("ml-1m", lambda: dat("latin-1")),
    "ml-10m": ("ml-10M100K", lambda: dat("utf-8")),
    "ml-32m": ("ml-32m", csv_files),
}


def write_folder(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def write_zip(path: Path, folder: str, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{folder}/{name}" if folder else name, data)
    return path


def check(loaded: Interactions) -> None:
    frame = loaded.to_frame()
    rows = {tuple(row) for row in frame[["user", "item", "weight", "time"]].itertuples(index=False)}
    assert rows == {(u, i, float(r), t) for u, i, r, t in RATINGS}
    assert loaded.labels.item is not None
    assert {i: loaded.labels.item[n] for n, i in enumerate(loaded.ids.item)} == TITLES
    assert loaded.labels.user is None


def problem(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_movielens(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_folder_in_the_data_home(name: str, tmp_path: Path) -> None:
    folder, files = CASES[name]
    write_folder(tmp_path / folder, files())
    check(load_movielens(name, tmp_path))


@pytest.mark.parametrize("name", CASES)
def test_zip_in_the_data_home_is_read_without_unpacking(name: str, tmp_path: Path) -> None:
    folder, files = CASES[name]
    write_zip(tmp_path / f"{name}.zip", folder, files())
    check(load_movielens(name, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.zip"]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("folder", ["", "any", "__a"])
def test_path_of_a_zip_or_folder_of_any_name(name: str, folder: str, tmp_path: Path) -> None:
    files = CASES[name][1]()
    check(load_movielens(write_zip(tmp_path / "mine.zip", folder, files)))
    check(load_movielens(str(write_folder(tmp_path / "mine" / folder, files))))


@pytest.mark.parametrize("name", CASES)
def test_byte_order_mark_crlf_and_blank_lines(name: str, tmp_path: Path) -> None:
    files = {n: b"\xef\xbb\xbf" + d.replace(b"\n", b"\r\n") + b"\r\n\r\n" for n, d in CASES[name][1]().items()}
    check(load_movielens(write_folder(tmp_path / name, files)))


@pytest.mark.parametrize("name", CASES)
def test_genres_are_joined_by_a_bar(name: str, tmp_path: Path) -> None:
    movies = read_movies(write_folder(tmp_path, CASES[name][1]()), RELEASES[name])
    assert dict(zip(movies["item_id"], movies["genres"], strict=True)) == GENRES
    assert str(movies["item_id"].dtype) == "int64"


def test_half_stars_and_dtypes(tmp_path: Path) -> None:
    files = {**dat("utf-8"), "ratings.dat": b"1::122::4.5::838985046\n1::185::0.5::838983525\n"}
    frame = read_ratings(write_folder(tmp_path, files), RELEASES["ml-10m"])
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "user_id": "int64",
        "item_id": "int64",
        "rating": "float32",
        "timestamp": "int64",
    }
    assert frame["rating"].tolist() == [4.5, 0.5]


def test_movie_without_a_title_has_no_label(tmp_path: Path) -> None:
    files = {**csv_files(), "movies.csv": b"movieId,title,genres\n1,Toy Story (1995),Comedy\n2, ,Comedy\n"}
    loaded = load_movielens(write_folder(tmp_path / "x", files))
    assert loaded.labels.item is not None
    labels = {i: loaded.labels.item[n] for n, i in enumerate(loaded.ids.item)}
    assert labels == {1: "Toy Story (1995)", 2: "", 30: ""}


def test_titles_lose_only_the_white_space_around_them(tmp_path: Path) -> None:
    files = {**csv_files(), "movies.csv": b'movieId,title,genres\n1,"  A  ""b"" , c  ",Comedy\n'}
    movies = read_movies(write_folder(tmp_path, files), RELEASES["ml-32m"])
    assert movies["title"].tolist() == ['A  "b" , c']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])), min_size=1))
def test_any_title_survives_the_csv_layout(tmp_path: Path, titles: list[str]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("movieId", "title", "genres"), *((n, t, "A|B") for n, t in enumerate(titles))])
    files = {"movies.csv": out.getvalue().encode()}
    movies = read_movies(write_folder(tmp_path, files), RELEASES["ml-32m"])
    assert movies["title"].tolist() == [title.strip() for title in titles]
    assert movies["item_id"].tolist() == list(range(len(titles)))


GOOD = b"1,2,3.5,4\n"


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        (GOOD + b"5,6,4\n", 3, "3 fields, fewer than the 4 of the header"),
        (GOOD + b"5,6,4", 3, "3 fields, fewer than the 4 of the header"),
        (b"5,6,4,3,2\n" + GOOD, 2, "5 fields, more than the 4 of the header"),
        (b"5,6,4,3,2\n5,6,4,3,2\n", 2, "5 fields, more than the 4 of the header"),
        (GOOD + b"5,6,4,3,2\n", 3, "5 fields, more than the 4 of the header"),
        (GOOD + b"\n\n5,six,4,3\n", 5, "movieId 'six' is no whole number of 64 bits: mend it or download it again"),
        (GOOD + b"5_0,6,4,3\n", 3, "userId '5_0' is no whole number"),
        (b"5,6,4,3.5\n", 2, "timestamp 3.5 is no whole number"),
        (b"5,6,4,99999999999999999999\n", 2, "timestamp 1e+20 is no whole number of 64 bits"),
        (b',"6",4,3\n', 2, "userId '' is no whole number"),
        (GOOD + b"5,6,,3\n", 3, "rating '' is no number above 0 and at most 5"),
        (GOOD + b"5,6,nan,3\n", 3, "rating 'nan' is no number above 0"),
        (GOOD + b"5,6,NA,3\n", 3, "rating 'NA' is no number above 0"),
        (GOOD + b"5,6,inf,3\n", 3, "rating inf is no number above 0"),
        (b"5,6,4,-99999999999999999999\n", 2, "timestamp -1e+20 is no whole number of 64 bits"),
        (b"5,inf,4,3\n", 2, "movieId inf is no whole number"),
        (GOOD + b"5,6,5.5,3\n", 3, "rating 5.5 is no number above 0 and at most 5"),
        (GOOD + b"5,6,-1,3\n", 3, "rating -1.0 is no"),
        (GOOD + b"5,6,0,3\n", 3, "rating 0.0 is no"),
        (GOOD + b"5,\xff,4,3\n", 3, "no text in utf-8 (byte 0xff): mend it or download it again"),
        (GOOD + b"\0" * 40, 3, "has a byte 0: mend it or download it again"),
        (GOOD + b"x" * 500 + b"\n", 3, "1 fields, fewer than the 4 of the header"),
    ],
)
def test_broken_csv_rating_names_file_line_and_content(tmp_path: Path, lines: bytes, line: int, why: str) -> None:
    folder = write_folder(tmp_path / "x", {**csv_files(), "ratings.csv": CSV_HEADER + lines})
    message = problem(folder)
    assert message.startswith(str(folder / "ratings.csv"))
    assert f" line {line}" in message
    assert why in message
    assert len(message) < len(str(folder)) + 250


@pytest.mark.parametrize(
    ("name", "data", "line", "why"),
    [
        (
            "u.data",
            b"1\t2\t3\t4\n1 2 3 4\n",
            2,
            "1 fields, fewer than the 4 of the layout (separator a tab): mend it or",
        ),
        ("u.data", b"1\t2\t3\t4\t5\n", 1, "5 fields, more than the 4 of the layout"),
        ("u.item", b"1|Toy Story\n", 1, "2 fields, fewer than the 8 of the layout"),
        ("u.item", b"x|Toy Story||||0|0|0\n", 1, "item_id 'x' is no whole number"),
        ("ratings.dat", b"1::2::3::4\n1::2::3:4\n", 2, "3 fields, fewer than the 4 of the layout"),
        ("ratings.dat", b"1::2::3::4::\n", 1, "5 fields, more than the 4 of the layout"),
        ("ratings.dat", b"1:::2::3::4\n", 1, "item_id ':2' is no whole number"),
        ("movies.dat", b"1::A::B\n2::A\n", 2, "2 fields, fewer than the 3 of the layout"),
        ("movies.csv", b"movieId,title,genres\n1,A, b,C\n", 2, "4 fields, more than the 3 of the header"),
        (
            "movies.csv",
            b'movieId,title,genres\n1,"A,C\n2,B,C\n',
            2,
            "the quote opened here is never closed: mend it or download it again",
        ),
        (
            "movies.csv",
            b"movieId,title,genres\n1,A\xff,C\n",
            2,
            "no text in utf-8 (byte 0xff): mend it or download it again",
        ),
        (
            "movies.csv",
            b"movieId,title,genres\n1,A,C\n1,B,C\n",
            3,
            "movieId 1 is there twice: mend it or download it again",
        ),
        ("u.genre", b"unknown|0\nAnimat\n", 2, "1 fields, fewer than the 2 of the layout"),
        ("u.genre", b"unknown|0\nunknown|1\n", 2, "genre 'unknown' is there twice"),
        ("ratings.csv", b"\xffu\n", 1, "no text in utf-8 (byte 0xff)"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_line(tmp_path: Path, name: str, data: bytes, line: int, why: str, zipped: bool) -> None:
    files = next(make() for _, make in CASES.values() if name in make())
    files[name] = data
    target = write_zip(tmp_path / "x.zip", "r", files) if zipped else write_folder(tmp_path / "x", files)
    inside = f"{target}/r" if zipped else str(target)
    message = problem(target)
    assert message.startswith(f"{inside}/{name}")
    assert f" line {line}" in message
    assert why in message


@pytest.mark.parametrize(
    ("name", "data", "lacks"),
    [
        ("movies.csv", b"movieId,name,genres\n1,A,B\n", "'title': it has 'movieId', 'name', 'genres'"),
        ("ratings.csv", b"user,item\n", "'userId', 'movieId', 'rating', 'timestamp': it has 'user', 'item'"),
    ],
)
def test_a_header_that_lacks_columns(tmp_path: Path, name: str, data: bytes, lacks: str) -> None:
    message = problem(write_folder(tmp_path, {**csv_files(), name: data}))
    assert message.startswith(f"{tmp_path / name} has no column {lacks}")


@pytest.mark.parametrize("name", CASES)
def test_every_missing_or_empty_file_is_named(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[RELEASES[name].layout]
    for n, gone in enumerate(layout.files[1:]):
        files = CASES[name][1]()
        del files[gone]
        assert f"{gone} is missing" in problem(write_folder(tmp_path / str(n), files))
    for file in (layout.ratings, layout.movies):
        files = {**CASES[name][1](), file.name: b"\n"}
        message = problem(write_folder(tmp_path / f"empty {file.name}", files))
        assert message.endswith(f"{file.name} is empty: mend it or download it again")
        if file.header:
            files[file.name] = ",".join(file.columns).encode()
            message = problem(write_folder(tmp_path / f"header {file.name}", files))
            assert f"{file.name} has no rows: delete the" in message


def test_a_folder_that_is_no_release(tmp_path: Path) -> None:
    assert "is no MovieLens release: it holds none of u.data, ratings.dat, ratings.csv" in problem(tmp_path)


def test_a_folder_with_two_releases_asks_for_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", u_data())
    write_folder(tmp_path / "b", csv_files())
    assert "holds more than one release, name one of them: " in problem(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_truncated_zip(tmp_path: Path, keep: float) -> None:
    path = write_zip(tmp_path / "ml-1m.zip", "ml-1m", dat("latin-1"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    message = problem(path)
    assert message.startswith(f"{path} is not a whole zip (")
    assert message.endswith("delete it and download it again")


@pytest.mark.parametrize("name", CASES)
def test_zip_with_flipped_bytes(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[RELEASES[name].layout]
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file, data in CASES[name][1]().items():
            archive.writestr(file, data)
        offset = archive.getinfo(layout.ratings.name).header_offset + 30 + len(layout.ratings.name)
    whole = bytearray(path.read_bytes())
    place = whole.index(b"881250949", offset)
    whole[place : place + 9] = b"881250948"
    path.write_bytes(bytes(whole))
    assert "is not a whole zip (Bad CRC-32 for file" in problem(path)


def test_absent_release_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_movielens("ml-1m", tmp_path)
    assert str(caught.value) == f"ml-1m is not in {tmp_path}: run `mfrec download ml-1m`, or set MFREC_DATA_HOME"


def test_unknown_name_lists_the_releases() -> None:
    with pytest.raises(DataError, match="'ml-2k' is neither a folder or zip nor a release: ml-100k, ml-1m"):
        load_movielens("ml-2k")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", csv_files())
    (folder / "ratings.csv").chmod(0)
    assert problem(folder) == f"{folder / 'ratings.csv'} cannot be read: Permission denied"


def test_data_home_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("MFREC_DATA_HOME", "")
    assert data_home() == tmp_path / "me" / ".cache" / "mfrec"
    (tmp_path / "data").mkdir()
    assert data_home() == Path("data")
    monkeypatch.setenv("MFREC_DATA_HOME", "~/sets")
    assert data_home() == tmp_path / "me" / "sets"
    assert data_home("there") == Path("there")


def test_environment_says_where_releases_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "ml-32m", csv_files())
    monkeypatch.setenv("MFREC_DATA_HOME", str(tmp_path))
    check(load_movielens("ml-32m"))


def test_table_of_releases() -> None:
    assert list(RELEASES) == ["ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m", "ml-latest-small"]
    for name, release in RELEASES.items():
        assert release.url == f"https://files.grouplens.org/datasets/movielens/{name}.zip"
        assert release.layout in LAYOUTS
        assert release.md5 is None or len(release.md5) == 32
    assert RELEASES["ml-10m"].folder == "ml-10M100K"
    assert [name for name, release in RELEASES.items() if release.md5 is None] == ["ml-latest-small"]


def real(name: str) -> Release:
    home = os.environ.get("MFREC_DATA_HOME")
    if not home:
        pytest.skip("MFREC_DATA_HOME is not set: the real MovieLens files are not checked")
    if not (Path(home) / name).is_dir():
        pytest.skip(f"{name} is not in MFREC_DATA_HOME")
    return RELEASES[name]


@pytest.mark.parametrize("name", RELEASES)
def test_real_release_has_the_published_counts(name: str) -> None:
    release = real(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_movielens(name)
    assert (*loaded.shape, len(loaded)) == (release.users, release.items, release.ratings)
    assert loaded.labels.item is not None
    assert all(loaded.labels.item)


def test_real_ml_100k_titles() -> None:
    real("ml-100k")
    loaded = load_movielens("ml-100k")
    labels = loaded.labels.item
    assert labels is not None
    assert labels[loaded.ids.item.number(1)] == "Toy Story (1995)"
    titles = [labels[n] for n in range(loaded.shape[1])]
    assert len(set(titles)) == 1_664
    assert any("é" in title for title in titles)


def test_real_ml_100k_genres() -> None:
    real("ml-100k")
    movies = load_items("ml-100k").set_index("item_id")
    assert movies.loc[1, "genres"] == "Animation|Children's|Comedy"
    assert movies.loc[267, "title"] == "unknown"
