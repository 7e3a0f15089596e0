"""``mfrec inspect``: what it says of a table is true, and the line that it ends in works when pasted."""

import json
import logging
import shlex
from pathlib import Path

import pandas as pd
import pytest

from mfrec.cli import main
from mfrec.data.inspect import inspect_table

WIDE = "customer_id,movieId,rating,timestamp,title,comment\n" + "".join(
    f"{u},{i},{1 + (u + i) % 5},{1_700_000_000_000 + u * 1000 + i},Film {i},\n" for u in range(20) for i in range(9)
)


def called(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(list(args))
    told = capsys.readouterr()
    assert stopped.value.code == 0, told.err
    return told.out


def test_a_table_is_described(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    path.write_text(WIDE + WIDE.splitlines()[1] + "\n")
    found = inspect_table(path)
    roles = {column.name: column.role for column in found.columns}
    assert roles == {"customer_id": "user", "movieId": "item", "rating": "weight", "timestamp": "time",
                     "title": "title", "comment": None}  # fmt: skip
    assert [column.holds for column in found.columns] == ["integers"] * 4 + ["text", "nothing"]
    assert [(column.distinct, column.missing) for column in found.columns][-2:] == [(9, 0), (0, 181)]
    assert (found.format, found.separator, found.encoding, found.rows) == ("csv", ",", "utf-8", 181)
    assert (found.users, found.items, found.pairs, found.repeated, found.density) == (20, 9, 180, 1, 1.0)
    assert found.times is not None
    assert found.times.startswith("milliseconds since 1970, from 2023-11-14T22:13:20")
    assert found.problems == ()


# per case: the text, what the problems say in their order, and options of the line
FAULTY: dict[str, tuple[str | bytes, list[str], list[str]]] = {
    "another encoding": ("user,item,title\n1,2,é\n2,2,é\n1,3,x\n".encode("latin-1"), ["line 2 is no text in utf-8"],
                         ["--encoding", "latin-1"]),
    "no header": ("1,2,4\n2,2,3\n1,3,1\n", ["the first line looks like data"], ["--no-header", "--user-col", "0"]),
    "quotes": ('user,item,t\n1,2,"a\n2,2,b\n1,3,"c\n', ["line 2: the quoted field|line 2: the quote"],
               ["--quoting", "none"]),
    "commas and rows": ("user;item;rating\n1;2;4,5\n2;2;1\n1;3;\n2;3;1\n",
                        ["decimal sign", "1 of 4 rows that cannot be used"], ["--decimal", ",", "--drop-invalid"]),
    "triples": ("1 2 3\n1 3 1\n2 2 1\n", ["say --format triples"], ["--format", "triples"]),
    "a format of times": ("user,item,time\n1,2,13/01/2024\n2,2,14/01/2024\n1,3,14/01/2024\n", ["%d/%m/%Y"],
                          ["--time-format", "%d/%m/%Y"]),
    "an order of times": ("user,item,time\n1,2,03/01/2024\n2,2,04/01/2024\n1,3,04/01/2024\n",
                          ["the line below does without this time"], []),
    "times of another unit": ("user,item,time\n1,2,19000\n2,2,19001\n1,3,19001\n", ["all lie before 1973"],
                              ["--time-col", "time"]),
    "dates by their digits": ("user,item,time\n1,2,20240101\n2,2,20240230\n1,3,20240102\n1,2,0\n2,3,20240101\n",
                              ["say --time-format %Y%m%d", "2 of 5 rows"], ["--time-format", "--drop-invalid"]),
    "spaces around ids": ("user,item\n1,2\n1 ,2\n1,3\n", ["ids with spaces around them, such as '1 '"], []),
    "integers beside whole floats": ("user,item\n1.0,2\n2,2\n1.0,3\n", ["written as '1.0' and as '2'"], []),
    "a line that names the separator": ("sep=;\nuser;item;t\n1;2;a,b,c\n2;2;a\n1;3;a\n", [], []),
    "names with spaces": ("user name,the item\na b,x\na c,x\na b,y\n", [], ["--user-col", "user name"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTY)
def test_what_is_wrong_is_listed_and_the_line_works(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, problems, options = FAULTY[case]
    monkeypatch.chdir(tmp_path)
    name = "a table's.csv"
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = json.loads(called(capsys, "inspect", name, "--json"))
    assert len(found["problems"]) == len(problems)
    for problem, expected in zip(found["problems"], problems, strict=True):
        assert any(part in problem for part in expected.split("|"))
    shown = called(capsys, "inspect", name)
    assert found["fit"] == shown.splitlines()[-1]
    words = shlex.split(found["fit"])
    assert words[:3] == ["mfrec", "fit", name]
    assert set(options) <= set(words)
    told = called(capsys, *words[1:], "--factors", "2", "--regularization", "1", "--quiet")
    assert f"Interactions({found['users']} users x {found['items']} items" in told


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"user,item\na,b,c\n", "line 2: 3 fields"),
        (b"user,item\n", "has no rows"),
        (bytes(range(256)) * 9, "byte 0"),
        (b"\x1f\x8b\x08\x00junk", "cannot be read"),
        (b"PAR1junk", "cannot be read as Parquet"),
        (b'{"user": 1', "line 1: no JSON object"),
        (b"user\na\n", "nothing that can stand for the item"),
        (b"user,item,item\n1,2,3\n", "stands 2 times"),
    ],
)
def test_a_bad_file_is_reported_never_a_traceback(
    tmp_path: Path, content: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    found = json.loads(called(capsys, "inspect", str(path), "--json"))
    assert problem in " ".join(found["problems"])
    assert found["fit"] is None
    assert "mend the file first" in called(capsys, "inspect", str(path))


def test_the_page_shows_what_inspect_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "your-own-data.md").read_text()
    _, content, _, shown, *_ = page.split("```")
    monkeypatch.chdir(tmp_path)
    Path("plays.csv").write_text(content.lstrip())
    assert shown.strip() == f"$ mfrec inspect plays.csv\n{called(capsys, 'inspect', 'plays.csv').rstrip()}"


def test_a_column_that_a_part_lacks_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "parts"
    folder.mkdir()
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [1, 2]})
    frame.to_parquet(folder / "0.parquet")
    frame[["user", "item"]].to_parquet(folder / "1.parquet")
    found = inspect_table(folder)
    assert found.problems == (
        f"{folder / '1.parquet'} has no column 'rating', which other parts have: it cannot be read",
    )
    assert found.fit is not None
    assert "rating" not in found.fit
    told = called(capsys, *shlex.split(found.fit)[1:], "--factors", "2", "--regularization", "1", "--quiet",
                  "--out", str(tmp_path / "model"))  # fmt: skip
    assert "Interactions(2 users x 2 items" in told
    frame[["user", "rating"]].to_parquet(folder / "1.parquet")
    found = inspect_table(folder)
    assert "1.parquet has no column 'item'" in found.problems[0]
    assert (found.fit, found.problems[1][:35]) == (None, "nothing that can stand for the item")
    frame[["item"]].to_parquet(folder / "0.parquet")
    assert "no column is in all of its parts" in inspect_table(folder).problems[0]


def test_a_missing_file_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", str(tmp_path / "none.csv")])
    assert stopped.value.code == 2
    assert "no such file" in capsys.readouterr().err


def test_notes_are_in_the_report_and_not_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "likes.parquet"
    pd.DataFrame({"user": [1.0, 1.0], "item": ["a", "a"], "tags": [["x"], ["y"]]}).to_parquet(path)
    with caplog.at_level(logging.WARNING, "mfrec"):
        found = inspect_table(path)
    assert caplog.messages == []
    assert any("whole numbers as floats" in note for note in found.notes)
    assert found.repeated == 1
    assert [column.holds for column in found.columns] == ["numbers", "text", "lists or objects"]
