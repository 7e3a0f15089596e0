"""The command line: answers on stdout, one line on stderr and exit code 2 for a user's mistake."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mfrec
from mfrec.cli import main

MFREC = [sys.executable, "-c", "from mfrec.cli import main; main()"]


def run(*args: object, cwd: Path | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [*MFREC, *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def fails(*args: object, cwd: Path | None = None, **env: str) -> str:
    """Run a command that must fail as a user's mistake does, and return its one line."""
    done = run(*args, cwd=cwd, **env)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mfrec: ")
    return lines[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sample was fitted, with a table of plays."""
    home = tmp_path_factory.mktemp("cli")
    done = run("fit", "sample", "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    rng = np.random.default_rng(0)
    plays = {"who": rng.integers(1, 30, 500), "what": rng.choice(list("abcdefghij"), 500), "n": rng.integers(1, 9, 500)}
    pd.DataFrame(plays).to_csv(home / "plays.csv", index=False)
    return home


def test_fit_says_what_it_did(home: Path) -> None:
    done = run("fit", "plays.csv", "--user-col", "who", "--item-col", "what", "--weight-col", "n", "--factors", 4,
               "--seed", 7, cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "recall@10" in done.stdout
    assert "next: mfrec recommend models/plays user2item 1" in done.stdout
    assert "als" in done.stderr
    assert "were summed" in done.stderr
    model = mfrec.load(home / "models" / "plays")
    assert (model.factors.size, model.ids.item.kind, model.info["als"]["seed"]) == (4, "str", 7)


def test_fit_says_what_it_derived_and_why_and_ends_with_the_check(home: Path) -> None:
    done = run("fit", "sample", "--quiet", "--out", "models/again", cwd=home)
    model = mfrec.load(home / "models" / "again")
    assert len(model.info["reasons"]) == 5
    for reason in model.info["reasons"]:
        assert reason in done.stdout
    assert f"regularization {model.info['als']['regularization']:.1f}: " in done.stdout
    assert model.check is not None
    *_, check, lists, rank, following = done.stdout.strip().splitlines()
    assert [check, lists, rank] == model.check.lines()
    assert following.startswith("next: ")
    # nothing is derived where everything is given
    given = ["--factors", 4, "--regularization", 5, "--user-exponent", 0.5, "--item-exponent", 0.5]
    quiet = run(
        "fit", "sample", "--quiet", "--out", "models/given", *given, "--user-scale", 0, "--item-scale", 0,
        "--half-life", 0, "--recency-half-life", 0, "--user-recency", 0, "--item-recency", 0, cwd=home
    )  # fmt: skip
    assert mfrec.load(home / "models" / "given").info["reasons"] == []
    assert "lift: not measured" in quiet.stdout


def test_check_says_what_the_fit_said(home: Path) -> None:
    model = mfrec.load(home / "models" / "sample")
    assert model.check is not None
    assert run("check", "models/sample", cwd=home).stdout.splitlines() == model.check.lines()
    assert json.loads(run("check", "models/sample", "--json", cwd=home).stdout) == json.loads(
        json.dumps(model.check.to_json())
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_check_looks_at_a_folder_that_has_none_and_says_what_it_cannot_know(version: str) -> None:
    folder = Path(__file__).parent / "formats" / version
    done = run("check", folder)
    assert done.returncode == 0
    assert mfrec.load(folder).check is None
    assert done.stdout.startswith("check: ")
    assert "lift: not measured" in done.stdout
    assert "the folder has no check; the lift over popularity is known only to a fit" in done.stdout


def test_recommend_prints_a_table_or_json(home: Path) -> None:
    table = run("recommend", "models/sample", "user2item", 42, "-k", 3, cwd=home)
    assert table.returncode == 0
    assert "user2item: what should this user see? (user 42" in table.stdout
    answer = json.loads(run("recommend", "models/sample", "user2item", 42, "-k", 3, "--json", cwd=home).stdout)
    expected = mfrec.load(home / "models" / "sample").user2item(42, k=3)
    assert [hit["id"] for hit in answer["results"]] == expected.ids
    assert [hit["label"] for hit in answer["results"]] == expected.labels
    assert all(str(key) in table.stdout for key in expected.ids)


def test_recommend_takes_titles_several_ids_and_lists(home: Path) -> None:
    model = mfrec.load(home / "models" / "sample")
    assert model.labels.item is not None
    title = model.labels.item[0]
    done = run("recommend", "models/sample", "item2item", title.upper(), 2, "--deny", 3, "--json", cwd=home)
    answers = json.loads(done.stdout)
    assert [answer["item"] for answer in answers] == [1, 2]
    assert all(hit["id"] != 3 for answer in answers for hit in answer["results"])
    done = run("recommend", "models/sample", "user2item", 1, "--allow", 5, "--include-seen", "--json", cwd=home)
    assert [hit["id"] for hit in json.loads(done.stdout)["results"]] == [5]


def test_a_near_miss_suggests(home: Path) -> None:
    model = mfrec.load(home / "models" / "sample")
    assert model.labels.item is not None
    title = model.labels.item[7]
    line = fails("recommend", "models/sample", "item2item", title.replace(" ", "  x"), cwd=home)
    assert "no item has the id or title" in line
    assert f"{title!r} (id " in line
    line = fails("recommend", "models/sample", "user2item", 1, "--deny", f"{title}{title}", cwd=home)
    assert repr(title) in line


def test_a_title_of_several_lists_their_ids(home: Path) -> None:
    frame = pd.DataFrame({"user": [1, 2, 3] * 4, "item": [10, 20, 30] * 4})
    likes = mfrec.Interactions.from_frame(frame, item_labels={10: "Twins", 20: "TWINS", 30: "Triplets"})
    mfrec.fit(likes, mfrec.ALSParams(factors=2, regularization=25.0)).save(home / "twins")
    line = fails("recommend", "twins", "item2user", "twins", cwd=home)
    assert line == "mfrec: several items have the title 'twins': ask for one of the ids 10, 20"
    found = json.loads(run("recommend", "twins", "item2item", "TWINS", "triplets", "--json", cwd=home).stdout)
    assert [answer["item"] for answer in found] == [20, 30]


def test_verify_and_doctor(home: Path) -> None:
    done = run("verify", "models/sample", cwd=home)
    assert "is whole" in done.stdout
    assert json.loads(run("verify", "models/sample", "--json", cwd=home).stdout)["format"] == "mfrec"
    doctor = run("doctor", cwd=home)
    assert doctor.returncode == 0, doctor.stdout
    assert "annoy finds the neighbours of a known case" in doctor.stdout


def test_the_demo_runs_on_the_sample_where_nothing_can_be_had(tmp_path: Path) -> None:
    """Without network the download fails at once; what happens then is said plainly."""
    env = {"MFREC_DATA_HOME": str(tmp_path / "empty"), "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = run("demo", cwd=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert "running on the built-in sample instead" in done.stderr
    for direction in mfrec.DIRECTIONS:
        assert f"{direction}: " in done.stdout
    assert "wrote models/sample" in done.stdout
    assert not list((tmp_path / "empty").glob("*"))


def test_mistakes_are_one_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    (tmp_path / "junk.csv").write_bytes(bytes(range(256)))
    cases: list[tuple[tuple[object, ...], str]] = [
        (("recommend", "models/sample", "user2item", 999999), "999999"),
        (("recommend", "models/sample", "user2item", "x"), "no user has the id or title 'x'"),
        (("recommend", "models/sample", "user2film", 1), "user2film"),
        (("recommend", "models/sample", "user2item", 1, "-k", 0), "k must be an integer of at least 1"),
        (("recommend", "models/nothing", "user2item", 1), "no such model folder"),
        (("recommend", tmp_path, "user2item", 1), "is not a model folder of mfrec"),
        (("verify", "plays.csv"), "is a file, not a model folder"),
        (("fit", tmp_path / "junk.csv"), "CSV"),
        (("fit", "plays.csv"), "has no column 'user', 'item': it has 'who', 'what', 'n'"),
        (("fit", "missing.csv"), "no such file: missing.csv"),
        (("fit", "sample", "--factors", -1), "factors must be an integer of at least 1, got -1"),
        (("fit", "sample", "--index", "magic"), "magic"),
        (("fit", "sample", "--out", "plays.csv", "--quiet"), "exists and is not a model folder"),
        (("download", "ml-7m"), "ml-7m"),
        (("nonsense",), "No such command 'nonsense'"),
        (("evaluate", "sample", "--factors", 50_000_000), "50,000,000 factors of 1,000 users and 1,500 items need"),
        (
            ("export", "models/sample", "user2item", "--out", "x.txt"),
            "--out must end in .csv, .csv.gz, .jsonl, .parquet",
        ),
    ]
    for args, message in cases:
        with pytest.raises(SystemExit) as stopped:
            main([str(arg) for arg in args])
        told = capsys.readouterr()
        assert stopped.value.code == 2
        *before, line = told.err.strip().splitlines()
        assert line.startswith("mfrec: ")
        assert message in line, (args, line)
        # a mistake that only shows after the fit leaves what was printed before it
        assert not (before or told.out) or "--out" in args, (args, told)


def test_alone_it_prints_its_help() -> None:
    alone = run()
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == run("--help").stdout
    assert alone.stdout.startswith("Usage: mfrec ")


def test_hints_work_when_they_are_pasted(tmp_path: Path) -> None:
    """Ids may begin with - and folders hold blanks: what fit prints is run by a shell as it stands."""
    frame = pd.DataFrame({"user": [-5, -5, -4, -4], "item": ["--json", "it's", "--json", "$x"]})
    frame.to_csv(tmp_path / "likes.csv", index=False)
    done = run("fit", "likes.csv", "--quiet", "--factors", 2, "--out", "my models/-likes", cwd=tmp_path)
    hint = done.stdout.splitlines()[-1].removeprefix("next: ")
    assert hint == "mfrec recommend -- 'my models/-likes' user2item -5"
    pasted = ["sh", "-c", f'mfrec() {{ {shlex.join(MFREC)} "$@"; }}; {hint}']
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(pasted, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "(user -5)" in answer.stdout
    likes = "my models/-likes"
    assert "(item --json)" in run("recommend", likes, "item2user", "--", "--json", cwd=tmp_path).stdout
    denied = run("recommend", likes, "item2user", "it's", "--deny", "-4", "--json", cwd=tmp_path)
    assert json.loads(denied.stdout)["results"] == []
    line = fails("recommend", likes, "user2item", "-5", cwd=tmp_path)
    assert "No such option" in line
    assert line.endswith("goes to the end, after --: mfrec recommend FOLDER DIRECTION -- ID")


@pytest.mark.parametrize("on_path", [True, False])
def test_hints_name_the_program_as_it_is_reached(tmp_path: Path, on_path: bool) -> None:
    """Where no ``mfrec`` or another one is on PATH, hints begin with the path of the one that was called."""
    programs = [tmp_path / name / "mfrec" for name in ("own bin", "other")]
    for path in programs:
        path.parent.mkdir()
        path.write_text(f"#!{sys.executable}\nfrom mfrec.cli import main\nmain()\n")
        path.chmod(0o755)
    own, other = programs
    (tmp_path / "likes.csv").write_text("user,item\n1,a\n1,b\n2,a\n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PATH": os.pathsep.join([str((own if on_path else other).parent), os.environ["PATH"]]),
        "MFREC_DATA_HOME": str(tmp_path),
    }

    def told(line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", f"{line} 2>&1"], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        return done.stdout

    called = "mfrec" if on_path else "'own bin/mfrec'"
    hints = [
        told(f"{called} fit likes.csv --quiet").splitlines()[-1].removeprefix("next: "),
        told(f"{called} inspect likes.csv").splitlines()[-1],
    ]
    assert hints == [f"{called} recommend models/likes user2item 1", f"{called} fit likes.csv"]
    assert "(user 1)" in told(hints[0])
    assert f"run `{called} download ml-1m`" in told(f"{called} fit ml-1m")
    assert f"after --: {called} recommend " in told(f"{called} recommend models/likes user2item -1")


def test_ids_and_labels_stay_on_their_lines(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": ["a\x07b", "a\x07b", "c"], "item": ["x\x1b[2J", "y", "y"]})
    likes = mfrec.Interactions.from_frame(frame, item_labels={"x\x1b[2J": "first\nsecond", "y": "long " * 100})
    mfrec.fit(likes, mfrec.ALSParams(factors=1, regularization=1.0)).save(tmp_path / "m")
    shown = run("recommend", "m", "item2user", "y", "--include-seen", cwd=tmp_path).stdout
    assert r"a\x07b" in shown
    assert max(map(len, shown.splitlines())) < 140
    shown = run("recommend", "m", "user2item", "c", "--include-seen", cwd=tmp_path).stdout
    assert r"x\x1b[2J" in shown
    assert r"first\nsecond" in shown
    assert "\x1b[2J" not in shown


def test_a_split_by_time_names_the_column_that_it_needs(home: Path) -> None:
    columns = ("--user-col", "who", "--item-col", "what")
    for split in ("time", "last"):
        done = run("evaluate", "plays.csv", *columns, "--split", split, cwd=home)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == (
            f"mfrec: --split {split} needs times: name their column with --time-col COL"
        )


def test_a_mistake_ends_the_process_with_code_2(home: Path) -> None:
    assert "no such model folder" in fails("recommend", "models/nothing", "user2item", 1, cwd=home)


def test_no_command_imports_what_it_does_not_need() -> None:
    """Recommending is a serving command: nothing that trains may be imported by it."""
    code = "import sys; from mfrec.cli.main import cli; import mfrec.cli.recommend, mfrec.cli.verify\n"
    code += "print([n for n in ('pandas', 'scipy', 'sklearn', 'implicit') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_leaves_early_is_no_error(home: Path) -> None:
    command = (
        f'{sys.executable} -c "from mfrec.cli import main; main()" export models/sample user2item --help | head -1'
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=home, check=False)
    assert done.stderr == ""
