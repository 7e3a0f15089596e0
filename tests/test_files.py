import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mfrec.data.interactions import Interactions
from mfrec.errors import DataError

TEXT = "who,what,stars,note\n007,10,4,\n7,20,5,x\n"
NAMES: dict[str, Any] = {"user": "who", "item": "what", "weight": "stars"}
EXPECTED = [("007", 10, 4.0), ("7", 20, 5.0)]


def plain(path: Path) -> None:
    path.write_text(TEXT)


def zipped(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT.encode()))


def tabs(path: Path) -> None:
    path.write_text(TEXT.replace(",", "\t"))


def tabs_zipped(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT.replace(",", "\t").encode()))


def parquet(path: Path) -> None:
    pd.DataFrame({"who": ["007", "7"], "what": [10, 20], "stars": [4, 5], "note": [None, "x"]}).to_parquet(path)


def read(path: Path) -> list[tuple[object, ...]]:
    frame = Interactions.read(path, **NAMES).to_frame()
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("likes.csv", plain),
        ("likes.CSV", plain),
        ("likes.txt", plain),
        ("likes.csv.gz", zipped),
        ("likes.tsv", tabs),
        ("likes.tsv.gz", tabs_zipped),
        ("likes.parquet", parquet),
        ("likes.pq", parquet),
    ],
)
def test_a_table_reads_the_same_from_every_kind_of_file(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    assert read(tmp_path / name) == EXPECTED


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["7", "12", "-3"], "int"),
        (["7", "007"], "str"),
        (["1", "1.0"], "str"),
        (["1", "+1"], "str"),
        (["0", "-0"], "str"),
        (["1", "1e3"], "str"),
        (["1", " 2"], "str"),
        (["1", "a"], "str"),
        (["NA", "null", "nan", "None"], "str"),
        (["9223372036854775807", "1"], "int"),
        (["9223372036854775808", "1"], "str"),
        (["12345678901234567890123", "1"], "str"),
        (["\u0661", "1"], "str"),
        (["²", "1"], "str"),
        (["True", "False"], "str"),
        (["2020-01-01", "2020-01-02"], "str"),
    ],
)
def test_text_becomes_integers_only_where_nothing_is_lost(tmp_path: Path, ids: list[str], kind: str) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item\n" + "".join(f"{key},1\n" for key in ids), encoding="utf-8")
    likes = Interactions.read(path, user="user", item="item")
    assert likes.ids.user.kind == kind
    assert sorted(map(str, likes.ids.user)) == sorted(ids)


def test_quotes_commas_accents_and_line_ends_come_through(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_bytes('user,item\r\n"a, b","say ""é"""\r\n'.encode())
    assert Interactions.read(path, user="user", item="item").to_frame()["item"].tolist() == ['say "é"']


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item\n1,2\n", encoding="utf-8-sig")
    assert list(Interactions.read(path, user="user", item="item").ids.user) == [1]


def test_the_default_columns_are_user_and_item(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item,w\n007,2,3\n")
    assert list(Interactions.read(path).ids.user) == ["007"]
    assert Interactions.read(path, weight="w").weights.tolist() == [3]


def test_a_label_column_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item,title\n1,2,NA\n")
    labels = Interactions.read(path, user="user", item="item", item_labels="title").labels.item
    assert labels is not None
    assert list(labels) == ["NA"]


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    plain(tmp_path / "likes.csv")
    assert len(Interactions.read(str(tmp_path / "likes.csv"), **NAMES)) == len(EXPECTED)


JUNK = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("head.csv", b"who,what,stars\n", "the table has no rows"),
        ("junk.csv", JUNK, "cannot be read as CSV|is not a readable CSV"),
        ("latin.csv", "who,what,stars\né,1,1\n".encode("latin-1"), "cannot be read as CSV"),
        ("uneven.csv", b"who,what,stars\n1,2,3\n1,2,3,4,5\n", "line 3: 5 fields, more than the 3 of the header"),
        ("lacking.csv", b"who,item,stars\n1,2,3\n", "has no column 'what': it has 'who', 'item', 'stars'"),
        ("hole.csv", b"who,what,stars\n1,,3\n", r"item column 'what': 1 missing \(first in line 2\)"),
        ("text.csv", b"who,what,stars\n1,2,many\n", "weight column 'stars' must be numeric, got 'many'"),
        ("cut.csv.gz", gzip.compress(TEXT.encode() * 500)[:-40], "cannot be read: Compressed file ended"),
        ("junk.csv.gz", JUNK, "cannot be read as CSV"),
        ("empty.csv.gz", b"", "is empty"),
        ("junk.csv.bz2", JUNK, "cannot be read as CSV"),
        ("junk.csv.xz", JUNK, "cannot be read as CSV"),
        ("junk.csv.zip", JUNK, "cannot be read as CSV"),
        ("junk.csv.tar", JUNK, "cannot be read as CSV"),
        ("junk.parquet", JUNK, "cannot be read as Parquet"),
        ("empty.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_no_table_gives_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Interactions.read(path, **NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no.csv", "no.parquet", "no/likes.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"no such file: .*{name}"):
        Interactions.read(tmp_path / name, **NAMES)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        Interactions.read(tmp_path, **NAMES)


def test_a_parquet_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "likes.parquet"
    parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Interactions.read(path, **NAMES)
