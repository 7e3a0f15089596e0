"""Files as people have them: each is read right, or refused in one line with the file, the line and the remedy."""

import bz2
import gzip
import io
import logging
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mfrec.cli import main
from mfrec.data import streams
from mfrec.data.files import read_table
from mfrec.data.interactions import Interactions
from mfrec.errors import DataError, ParameterError

Rows = list[tuple[Any, ...]]
PLAIN: Rows = [("u1", 10), ("u1", 20), ("u2", 20)]
TITLED: Rows = [(1, 10), (2, 20), (3, 30), (4, 40)]


def rows(interactions: Interactions, *more: str) -> Rows:
    frame = interactions.to_frame()[["user", "item", *more]]
    return [tuple(row) for row in frame.astype(object).itertuples(index=False, name=None)]


# per case: the text, what is asked for, the rows that come out, and what the notes say
READ: dict[str, tuple[str | bytes, dict[str, Any], Rows, str]] = {
    "a separator at every end": (
        "user,item,rating\nu1,i1,5,\nu2,i1,4,\n", {"weight": "rating"}, [("u1", "i1", 5.0), ("u2", "i1", 4.0)],
        "every row ends in a separator",
    ),
    "a separator at every end, after a title of two lines": (
        'user,title,item,rating\nu1,"Two\nLines",i1,5,\nu2,x,i1,4,\n', {"weight": "rating"},
        [("u1", "i1", 5.0), ("u2", "i1", 4.0)], "every row ends in a separator",
    ),
    "quotes as characters": (
        'user,item,title\n1,10,"Heat\n2,20,Up\n3,30,Big"\n4,40,Jaws\n', {"quoting": "none"}, TITLED, "",
    ),
    "quotes that may span rows": (
        'user,item,title\n1,10,"Heat\n2,20,Up"\n4,40,Jaws\n', {"quoting": "csv"}, [(1, 10), (4, 40)], "",
    ),
    "a title of two lines": (
        'user,item,title\n1,10,"Heat\nII"\n2,20,"Up, ""up"""\n3,30,Big\n4,40,Jaws\n', {}, TITLED, "",
    ),
    "semicolons": ("user;item;rating\n1;10;4,5\n2;20;3,0\n", {"weight": "rating", "decimal": ","},
                   [(1, 10, 4.5), (2, 20, 3.0)], "the separator is ';'"),
    "tabs": ("user\titem\n1\t10\n", {}, [(1, 10)], "the separator is a tab"),
    "pipes": ("user|item\n1|10\n", {}, [(1, 10)], "the separator is '|'"),
    "two colons": ("user::item::title\n1::10::Up\n", {}, [(1, 10)], "the separator is '::'"),
    "spaces": ("user item\n1 10\n", {}, [(1, 10)], "the separator is a space"),
    "a separator that is named": ("user#item\na,b#x;y\n", {"sep": "#"}, [("a,b", "x;y")], ""),
    "a separator that is spelled": ("user\titem\n1\t10\n", {"sep": "\\t"}, [(1, 10)], ""),
    "commas in the title of a table with semicolons": (
        "user;item;title\n1;10;a, b, c\n2;20;d\n", {}, [(1, 10), (2, 20)], "the separator is ';'"),
    "floats that are whole": ("user,item\n1.0,10.0\n2.0,20.0\n", {}, [(1, 10), (2, 20)], "written as floats"),
    "leading zeros": ("user,item\n001,1\n1,1\n01,1\n", {}, [("001", 1), ("01", 1), ("1", 1)], ""),
    "the ends of int64": (f"user,item\n{2**63 - 1},1\n{-(2**63)},1\n", {}, [(-(2**63), 1), (2**63 - 1, 1)], ""),
    "latin-1, named": ("user,item\né,1\n".encode("latin-1"), {"encoding": "latin-1"}, [("é", 1)], ""),
    "utf-16, marked": ("user,item\né,1\n".encode("utf-16"), {}, [("é", 1)], "the text is in utf-16"),
    "utf-16, named": ("user,item\né,1\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, [("é", 1)], ""),
    "no header": ("1,10,4\n2,20,3\n", {"header": False, "user": 0, "item": 1, "weight": "2"},
                  [(1, 10, 4.0), (2, 20, 3.0)], ""),
    "blank lines": ("user,item\n\n1,10\n   \n2,20\n\n", {}, [(1, 10), (2, 20)], ""),
    "old line ends": (b"user,item\r1,10\r2,20\r", {}, [(1, 10), (2, 20)], ""),
    "a last line without an end": ("user,item\n1,10\n2,20", {}, [(1, 10), (2, 20)], "may have been cut short"),
    "JSON lines": ('{"user": "u1", "item": 10, "more": 1}\n\n{"item": 20, "user": "u1"}\n{"user": "u2", "item": 20}\n',
                   {}, PLAIN, ""),
    "JSON lines of large ids": (f'{{"user": {2**63 - 1}, "item": 1}}\n{{"user": 1, "item": 1}}\n', {},
                                [(1, 1), (2**63 - 1, 1)], ""),
    "triples": ("1 10 3\n1 11 1\n2 10 4\n", {"format": "triples"}, [(1, 10, 3.0), (1, 11, 1.0), (2, 10, 4.0)], ""),
    "lists": ("1 10 11\n2 10\n", {"format": "lists"}, [(1, 10), (1, 11), (2, 10)], ""),
    "lists that look like triples": ("1 10 11\n2 10 12\n", {"format": "lists"}, [(1, 10), (1, 11), (2, 10), (2, 12)],
                                     ""),
    "spaces around an id beside the same without": (
        "user,item\n10,a\n10 ,b\nx,c\n", {}, [("10", "a"), ("10 ", "b"), ("x", "c")],
        "user column 'user' has ids with spaces around them, such as '10 ': they are ids of their own"),
    "ids that differ by the spaces around them": (
        "user,item\n a,1\na ,2\n", {}, [(" a", 1), ("a ", 2)], "user column 'user' has ids with spaces around them"),
    "spaces after every separator": (
        "user,item\n1, 10\n2, 20\n", {}, [(1, " 10"), (2, " 20")], "item column 'item' has ids with spaces"),
    "spaces in JSON": (
        '{"user": "a", "item": 1}\n{"user": "a ", "item": 1}\n', {}, [("a", 1), ("a ", 1)], "such as 'a '"),
    "spaces around ids like no other": ("user,item\n a,1\nb,2\n", {}, [(" a", 1), ("b", 2)], ""),
    "integers beside whole floats": (
        "user,item\n1.0,a\n2,a\n", {}, [("1.0", "a"), ("2", "a")],
        "user column 'user' has whole numbers written as '1.0' and as '2': all ids stay text"),
    "versions": ("user,item\n1.0,a\n1.5,a\n", {}, [("1.0", "a"), ("1.5", "a")], ""),
    "a separator that the first line names": (
        "sep=;\nuser;item\n1;10\n2;20\n", {}, [(1, 10), (2, 20)], "the separator is ';', as the first line says"),
    "a separator that the first line names in quotes": (
        b'\xef\xbb\xbf"sep=\t"\r\nuser\titem\r\n1\t10\r\n', {}, [(1, 10)],
        "the separator is a tab, as the first line says"),
    "a separator that the first line names, of many commas": (
        "sep=;\nuser;item\n1,0,0,a;10\n", {}, [("1,0,0,a", 10)], "the separator is ';', as the first line says"),
    "a separator that is named twice": (
        "sep=;\nuser|item\n1|10\n", {"sep": "|"}, [(1, 10)], "the first line names the separator, and is no row"),
    "a separator that the first line names, without a header": (
        "sep=;\n1;10\n", {"header": False, "user": 0, "item": 1}, [(1, 10)], "as the first line says"),
    "numbers between spaces": ("1 10\n2 20\n", {"sep": " ", "header": False, "user": 0, "item": 1},
                               [(1, 10), (2, 20)], ""),
    "missing integers keep the others exact": (
        f"user,item,n\n1,1,{2**53 + 1}\n1,2,\n", {"time": "n", "drop_invalid": True},
        [(1, 1)], "1 missing (first in line 3)"),
}  # fmt: skip


def written(tmp_path: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("block", [None, 16])
@pytest.mark.parametrize("case", READ)
def test_a_table_is_read_right(tmp_path: Path, case: str, block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    content, options, expected, note = READ[case]
    if block is not None:
        monkeypatch.setattr(streams, "BLOCK", block)
    found = Interactions.read(written(tmp_path, content), **options)
    assert rows(found, *["weight"] * (len(expected[0]) - 2)) == expected
    assert (note in " ".join(found.notes)) if note else found.notes == ()


# per case: the text, what is asked for, and what the one line says
REFUSED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "every row too wide": ("user,item\na,b,c\nd,e,f\n", {}, r"\.csv, line 2: 3 fields, more than the 2 of the header"),
    "one row too wide": ("user,item\na,b\n\nc,d\ne,f,9\n", {}, "line 5: 3 fields, more than the 2"),
    "one row too narrow": ("user,item,n\na,b,1\nc,d\n", {}, "line 3: 2 fields, fewer than the 3"),
    "one row that ends in a separator": ("user,item\na,b\nc,d,\n", {}, "line 3: 3 fields"),
    "one row that does not": ("user,item\na,b,\nc,d\n", {}, "line 3: 2 fields"),
    "a row too wide after quotes": ('user,item\n"a","b"\n"c","d","e"\n', {}, "line 3: 3 fields"),
    "a row too wide after a title of two lines": (
        'user,item,title\n1,2,"a\nb"\n1,3,"c",d\n', {}, "line 4: 4 fields, more than the 3"),
    "a quote that is not closed": (
        'user,item,title\n1,10,"Heat\n2,20,Up\n3,30,Big\n', {},
        "line 2: the quote opened here is never closed: --quoting none"),
    "a quote that closes too late": (
        'user,item,title\n0,1,x\n1,10,"Heat\n2,20,Up\n3,30,"Big"\n', {},
        "line 3: the quoted field that begins here ends in something else than a separator"),
    "quotes across rows": (
        'user,item,title\n1,10,"Heat\n2,20,Up\n3,30,Big"\n4,40,Jaws\n', {},
        "line 2: a quoted field spans 3 lines, of which some look like rows of their own: --quoting none"),
    "an id of two lines": ('user,item\nx,1\n"u\n1",10\n', {}, "line 3: the id 'u.*1' of .* has a line break"),
    "an id that is too long": (f"user,item\nx,1\n{'u' * 501},10\n", {}, "is longer than 500 characters"),
    "decimal commas": ("user;item;rating\n1;10;4,5\n", {"weight": "rating"}, "'4,5': if the comma .* --decimal ,"),
    "decimal commas, though rows may be dropped": (
        "user;item;rating\n1;10;4,5\n2;10;1\n", {"weight": "rating", "drop_invalid": True}, "--decimal ,"),
    "another separator than named": ("user\titem\n1\t10\n", {"sep": ","}, "is ',' what separates fields?"),
    "a column twice": ("user,item,item\n1,10,77\n", {}, "column 'item' stands 2 times in .*table.csv: rename one"),
    "another column twice": ("user,item,x,x\n1,10,7,7\n", {}, "column 'x' stands 2 times"),
    "day or month first": (
        "user,item,time\nu1,i1,02/01/2024\nu2,i1,03/01/2024\n", {"time": "time"},
        "day first or month first\\? say --time-format '%d/%m/%Y' or '%m/%d/%Y'"),
    "day first": ("user,item,time\nu1,i1,13/01/2024\n", {"time": "time"}, "say --time-format '%d/%m/%Y'"),
    "dates as numbers": ("user,item,time\nu1,i1,20240113\n", {"time": "time"}, "date: .*--time-format %Y%m%d"),
    "years": ("user,item,time\nu1,i1,2013\nu1,i2,2014\n", {"time": "time"}, "say --time-format %Y"),
    "seconds and milliseconds": (
        "user,item,time\nu1,i1,1700000000\nu1,i2,1700000000000\n", {"time": "time"},
        "1 look like seconds, 1 look like milliseconds"),
    "latin-1": ("user,item\na,1\né,1\n".encode("latin-1"), {}, "line 3 is no text in utf-8 .*--encoding latin-1"),
    "utf-16 without a mark": ("user,item\na,1\n".encode("utf-16-le"), {}, "byte 0; .*--encoding utf-16-le"),
    "latin-1 read as utf-16": (b"user,item\na,1\n1", {"encoding": "utf-16"}, "no text in utf-16|no column"),
    "no header": ("1,10,4\n2,20,3\n", {}, "the first line looks like data: .*--no-header"),
    "a near miss": ("User,Item\n1,2\n", {}, "did you mean 'User' or 'Item'\\?"),
    "triples": ("1 10 3\n1 11 1\n2 10 4\n", {}, "look like user, item, count: say --format triples"),
    "lists": ("1 10 3\n2 11\n3 10 4 5\n", {}, "look like a user and its items: say --format lists"),
    "lists that are not triples": ("1 10 3\n2 11\n", {"format": "triples"}, "line 2: expected user, item, count"),
    "whole floats beyond 2**53": ("user,item\n9007199254740993.0,1\n", {}, "floats from 2\\*\\*53 on"),
    "an empty id in JSON": ('{"user": 1, "item": "a"}\n{"user": 2, "item": ""}\n', {}, "1 missing .first in line 2."),
    "half of a surrogate pair in JSON": ('{"user": 1, "item": "a\\ud800"}\n', {}, "line 1: the id .* no valid Unicode"),
    "JSON that is cut": ('{"user": 1, "item": 2}\n{"user": 1, "it', {}, "line 2: no JSON object"),
    "a JSON list": ('[{"user": 1, "item": 2}]\n', {}, "write one object per line"),
    "a JSON key twice": ('{"user": 1, "item": 2, "user": 3}\n', {}, "line 1: the key 'user' stands twice"),
    "JSON with a list": ('{"user": 1, "item": [2]}\n', {}, "line 1: 'item' is a list"),
    "JSON with truth": ('{"user": true, "item": 2}\n', {}, "user column 'user' holds values of type bool"),
    "nothing but a line that names the separator": ("sep=;\n", {}, "is empty but for a line that names the separator"),
    "a row too wide below a line that names the separator": ("sep=;\nuser;item\n1;2\n1;2;3\n", {}, "line 4: 3 fields"),
    "one column as both": ("user,item\n1,2\n", {"item": "user"}, "column 'user' is named as both user and item"),
    "nothing but blank lines": ("\n\n", {}, "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    content, options, message = REFUSED[case]
    with pytest.raises((DataError, ParameterError), match=message) as caught:
        Interactions.read(written(tmp_path, content), **options)
    assert "\n" not in str(caught.value)


DIRTY = (
    "user,item,weight,time\nu1,i1,1,2024-01-02\n,i2,1,2024-01-02\nu2,i1,0,2024-01-03\nu2,i2,-3,2024-01-03\n"
    "u3,,1,2024-01-04\nu3,i3,inf,2024-01-04\nu1,i3,2,2024-01-05\nu2,i3,1,\nu4,i1,abc,2024-01-06\nu4,i2,1,2024-01-06\n"
)
FAULTS = (
    "user column 'user': 1 missing (first in line 3); item column 'item': 1 missing (first in line 6); "
    "weight column 'weight': 1 no number such as 'abc' (first in line 10), 1 zero (first in line 4), "
    "1 negative (first in line 5), 1 infinite (first in line 7); time column 'time': 1 missing (first in line 9)"
)


def test_rows_that_cannot_be_used_are_counted_or_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, DIRTY)
    with pytest.raises(DataError) as caught:
        Interactions.read(path, weight="weight", time="time")
    assert f"{path} has 7 of 10 rows that cannot be used: {FAULTS}. Mend them" in str(caught.value)
    with caplog.at_level(logging.WARNING, "mfrec"):
        found = Interactions.read(path, weight="weight", time="time", drop_invalid=True)
    assert rows(found, "weight") == [("u1", "i1", 1.0), ("u1", "i3", 2.0), ("u4", "i2", 1.0)]
    assert found.notes == (f"7 of 10 rows were left out: {FAULTS}",) == tuple(caplog.messages)
    assert list(found.ids.user) == ["u1", "u4"]
    # nothing that is left is nothing to learn from
    with pytest.raises(DataError, match="none of its 1 rows can be used"):
        Interactions.read(written(tmp_path, "user,item\n,1\n"), drop_invalid=True)


def test_labels_are_text_and_the_first_that_is_there_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "user,item,title\n1,10,\n2,10,Heat\n3,10,Late\n2,20,1984\n")
    for source in (Interactions.read(path, item_labels="title"), Interactions.from_frame(
        pd.DataFrame({"user": [1, 2, 3, 2], "item": [10, 10, 10, 20], "title": [None, "Heat", "Late", 1984]}),
        item_labels="title",
    )):  # fmt: skip
        assert source.labels.item is not None
        assert list(source.labels.item) == ["Heat", "1984"]


def test_a_line_in_front_of_a_row_of_several_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path, 'user,item,title\n1,10,"a\nb\nc"\n\n2,20,x\n,30,y\n')
    with pytest.raises(DataError, match=r"1 missing \(first in line 7\)"):
        Interactions.read(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, "zip", "zst"])
def test_compressed_files_are_known_by_their_first_bytes(tmp_path: Path, pack: Any) -> None:
    data = b"user,item\nu1,10\nu1,20\nu2,20\n" * 1
    if pack == "zip":
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            archive.writestr("likes.csv", data)
        packed = held.getvalue()
    elif pack == "zst":
        packed = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    else:
        packed = pack(data)
    assert rows(Interactions.read(written(tmp_path, packed, "any.name"))) == PLAIN
    with pytest.raises(DataError, match=r"cannot be read|is empty|ends too early|cut"):
        Interactions.read(written(tmp_path, packed[: len(packed) // 2], "cut"))


def parquet_parts(folder: Path) -> None:
    (folder / "day=1").mkdir(parents=True)
    pd.DataFrame({"user": ["u1"], "item": [10]}).to_parquet(folder / "part-0.parquet")
    pd.DataFrame({"item": [20, 20], "user": ["u1", "u2"]}).to_parquet(folder / "day=1" / "part-1.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-0.parquet.crc").write_text("x")


def test_a_folder_of_parquet_parts_is_one_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "parts"
    parquet_parts(folder)
    assert rows(Interactions.read(folder)) == PLAIN
    pd.DataFrame({"user": ["u3"], "thing": [1]}).to_parquet(folder / "part-2.parquet")
    with pytest.raises(DataError, match=r"part-2\.parquet has no column 'item'"):
        Interactions.read(folder)
    (folder / "part-2.parquet").unlink()
    (folder / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds notes\.txt beside Parquet files"):
        Interactions.read(folder)


def test_an_empty_id_is_missing_whatever_the_format(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"user": ["1", "", "2"], "item": ["a", "b", "c"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        with pytest.raises(DataError, match="1 of 3 rows that cannot be used: user column 'user': 1 missing"):
            Interactions.read(tmp_path / name)
        table = read_table(tmp_path / name, ["user", "item"], ["user"], ["item"])
        assert table["user"].isna().tolist() == [False, True, False]


def test_parts_whose_types_differ_are_refused_or_exact(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.DataFrame({"user": ["u1"], "item": [10]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"user": [7], "item": [10]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="its parts do not agree"):
        Interactions.read(tmp_path)


STREAMS: dict[str, Callable[[], bytes]] = {
    "csv": lambda: b"user,item\nu1,10\nu1,20\nu2,20\n",
    "jsonl": lambda: b'{"user": "u1", "item": 10}\n{"user": "u1", "item": 20}\n{"user": "u2", "item": 20}\n',
    "gzip": lambda: gzip.compress(b"user,item\nu1,10\nu1,20\nu2,20\n"),
    "parquet": lambda: pd.DataFrame({"user": ["u1", "u1", "u2"], "item": [10, 20, 20]}).to_parquet(),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_read_whatever_its_format(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO(STREAMS[kind]())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(raw)))
    assert rows(Interactions.read("-")) == PLAIN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ""}, "sep must be"),
        ({"sep": '"'}, "sep must be"),
        ({"sep": ",", "decimal": ","}, "sep and decimal are both ','"),
        ({"decimal": "x"}, "decimal must be one of"),
        ({"encoding": "latin"}, "unknown encoding|user"),
        ({"encoding": "nonsense"}, "unknown encoding 'nonsense'"),
        ({"encoding": "base64"}, "is no encoding of text"),
        ({"quoting": "some"}, "quoting must be one of"),
        ({"format": "xlsx"}, "format must be one of"),
        ({"aggregate": "median"}, "aggregate must be one of sum, last, max, count, mean"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    if options == {"encoding": "latin"}:
        assert rows(Interactions.read(written(tmp_path, "user,item\n1,2\n"), **options)) == [(1, 2)]
        return
    with pytest.raises(ParameterError, match=message):
        Interactions.read(written(tmp_path, "user,item\n1,2\n"), **options)


COMMANDS: dict[str, tuple[str, list[str], str]] = {
    "a row too wide": ("user,item\na,b\nc,d,e\n", [], "mfrec: t.csv, line 3: 3 fields"),
    "dirty": (DIRTY, ["--weight-col", "weight"], "--drop-invalid"),
    "commas": ("user;item;n\na;b;1,5\n", ["--weight-col", "n"], "--decimal ,"),
    "one column as both": (DIRTY, ["--item-col", "user"], "column 'user' is named as both user and item"),
    "an option of tables": ("", ["--no-header"], "--no-header is for tables"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_the_command_line_refuses_alike_and_writes_nothing(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, options, message = COMMANDS[case]
    monkeypatch.chdir(tmp_path)
    written(tmp_path, content, "t.csv")
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "t.csv" if content else "ml-100k", *options])
    told = capsys.readouterr()
    assert (stopped.value.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert message in told.err
    assert not (tmp_path / "models").exists()


def test_the_command_line_reads_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{u};{i};{1 + (u * i) % 3},5;{'01' if u % 2 else '02'}/03/2024" for u in range(12) for i in range(8)]
    written(tmp_path, "\n".join([*lines, "x;;1;", ""]), "t.csv")
    with pytest.raises(SystemExit) as stopped:
        main([
            "fit", "t.csv", "--no-header", "--user-col", "0", "--item-col", "1", "--weight-col", "2", "--time-col", "3",
            "--decimal", ",", "--time-format", "%d/%m/%Y", "--drop-invalid", "--aggregate", "max", "--factors", "2",
            "--regularization", "1", "--quiet",
        ])  # fmt: skip
    assert stopped.value.code == 0
    assert "Interactions(12 users x 8 items, 96 interactions)" in capsys.readouterr().out


def test_times_in_a_format_that_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "user,item,when\n1,1,02012024\n1,2,03012024\n")
    found = Interactions.read(path, time="when", time_format="%d%m%Y")
    assert rows(found, "time") == [(1, 1, 1704153600), (1, 2, 1704240000)]
    with pytest.raises(DataError, match="1 not read as dates such as 'now'"):
        Interactions.read(
            written(tmp_path, "user,item,when\n1,1,02012024\n1,2,now\n", "now.csv"), time="when", time_format="%d%m%Y"
        )
    with pytest.raises(DataError, match="holds no time in the format"):
        Interactions.read(path, time="when", time_format="%Y/%m/%d")
    with pytest.raises(DataError, match="1 not read as dates such as '03012024'"):
        Interactions.read(written(tmp_path, "user,item,when\n1,1,02/01/2024\n1,2,03012024\n"), time="when",
                          time_format="%d/%m/%Y")  # fmt: skip
