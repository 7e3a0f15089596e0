"""``mfrec evaluate``, ``mfrec tune`` and ``mfrec fit --params`` as a user calls them."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import mfrec
from mfrec.cli import main
from mfrec.data.synthetic import drifting
from mfrec.evaluation import measure
from mfrec.training import als
from mfrec.training.als import solve
from mfrec.tuning import tune as tuning
from mfrec.tuning.params_file import read_held_out, read_params
from tests.conftest import random_interactions
from tests.params import given_params

pytest.importorskip("optuna")

# the package's attribute of that name is the command
commands_evaluate = import_module("mfrec.cli.evaluate")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small table in it."""
    monkeypatch.chdir(tmp_path)
    frame = random_interactions(80, 60).to_frame()
    frame.assign(time=[97 * row % 1009 for row in range(len(frame))]).to_csv("likes.csv", index=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments])
    told = capsys.readouterr()
    assert stopped.value.code == code, told.err
    return told.out, told.err


@pytest.mark.parametrize(
    "split", [["random", "--test-fraction", "0.3"], ["last", "--time-col", "time"], ["time", "--time-col", "time"]]
)
def test_evaluate_prints_all_four_directions(capsys: pytest.CaptureFixture[str], split: list[str]) -> None:
    out, _ = run(capsys, "evaluate", "likes.csv", "--split", *split, "-k", "5", "--factors", "8", "--quiet")
    for direction in mfrec.DIRECTIONS:
        assert f"\n{direction}: " in f"\n{out}"
    assert "hit_rate@5" in out
    assert "popularity" in out
    assert "ndcg@5" not in out


def test_evaluate_prints_everything_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "likes.csv", "-k", "5", "-k", "9", "--factors", "8", "--regularization", "5", "--quiet"]
    out, _ = run(capsys, *arguments, "--full")
    for shown in (*mfrec.DIRECTIONS, "ndcg@5", "coverage@9", "plain", "kNN BM25", "- head"):
        assert shown in out
    assert out.startswith(run(capsys, *arguments)[0].split("\n\n")[0])


def test_evaluate_gives_programs_what_the_library_gives(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["likes.csv", "--json", "-k", "5", "-k", "7", "--factors", "8", "--seed", "3", "--quiet"]
    out, _ = run(capsys, "evaluate", *arguments)
    train, test = mfrec.splits.random_split(mfrec.Interactions.read("likes.csv"), 0.2, 3)
    model = mfrec.fit(train, mfrec.ALSParams(factors=8, seed=3), mfrec.IndexParams(index="exact"))
    assert json.loads(out) == json.loads(mfrec.evaluate(model, test, (5, 7), train=train, seed=3).to_json())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "likes.csv", "--split", "last"], "needs times: name their column with --time-col COL"),
        (["evaluate", "likes.csv", "--split", "halves"], "halves"),
        (["evaluate", "likes.csv", "--test-fraction", "2"], "test_fraction must be above 0 and below 1"),
        (["evaluate", "likes.csv", "--last", "2"], "--last has no meaning with --split random"),
        (["evaluate", "likes.csv", "--split", "time", "--last", "1"], "--last has no meaning with --split time"),
        (["evaluate", "likes.csv", "--split", "last", "--test-fraction", "0.2"], "--test-fraction has no meaning with"),
        (["evaluate", "likes.csv", "-k", "2147483648"], "k must be an integer below 2**31, got 2147483648"),
        (["evaluate", "likes.csv", "-k", "0"], "k must be an integer of at least 1"),
        (["evaluate", "none.csv"], "no such file: none.csv"),
        (["evaluate", "likes.csv", "--params", "none.json"], "cannot be read as a parameter file"),
        (["tune", "likes.csv", "--metric", "auc"], "unknown metric 'auc'"),
        (["tune", "likes.csv", "--minutes", "0"], "minutes must be finite and above 0, got 0"),
        (["tune", "likes.csv", "--out", "no/such/params.json"], "cannot write no/such/params.json"),
        (["tune", "likes.csv", "--resume", "."], "cannot write .: it is a folder"),
        (["fit", "likes.csv", "--params", "likes.csv"], "cannot be read as a parameter file"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    out, err = run(capsys, *arguments, "--quiet", code=2)
    assert out == ""
    assert message in err
    assert err.startswith("mfrec: ")
    assert err.count("\n") == 1


def test_tune_then_fit_with_what_it_found(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out, _ = run(capsys, "tune", "likes.csv", "--trials", "3", "--metric", "recall@5", "--threads", "1", "--quiet")
    assert "recall@5" in out
    assert "3 trials, best recall@5" in out
    params = given_params(**read_params(Path("params.json")))
    tuned = mfrec.load("models/likes-tuned")
    assert tuned.info["als"]["alpha"] == params.alpha
    assert tuned.adjacency.user.numbers.size == len(mfrec.Interactions.read("likes.csv"))
    run(capsys, "fit", "likes.csv", "--params", "params.json", "--out", "same", "--quiet")
    assert (mfrec.load("same").factors.user == tuned.factors.user).all()
    run(capsys, "fit", "likes.csv", "--params", "params.json", "--factors", "5", "--out", "other", "--quiet")
    other = mfrec.load("other")
    assert (other.factors.size, other.info["als"]["alpha"]) == (5, params.alpha)


def test_tune_for_programs(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    arguments = ["likes.csv", "--trials", "2", "--json", "--no-fit", "--plain", "--transform", "binary", "--quiet"]
    out, _ = run(capsys, "tune", *arguments)
    told = json.loads(out)
    assert len(told["trials"]) == 2
    assert told["best"]["params"] == read_params(Path("params.json"))
    assert told["best"]["params"]["transform"] == "binary"
    assert told["best"]["params"]["item_exponent"] == 0
    assert not Path("models").exists()


def test_tune_goes_on_from_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tune", "likes.csv", "--trials", "2", "--resume", "log.jsonl", "--no-fit", "--quiet"]
    run(capsys, *arguments)
    out, _ = run(capsys, *arguments)
    assert "4 trials" in out


def test_ctrl_c_keeps_the_best_and_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = solve
    made: list[int] = []

    def stopped(*args: Any, **options: Any) -> Any:
        made.append(1)
        if len(made) > 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(tuning, "solve", stopped)
    out, err = run(capsys, "tune", "likes.csv", "--no-fit", "--parts", "1", "--quiet")
    assert "stopped by Ctrl-C; what follows is the best so far: 2 trials" in err
    assert "parameters are in params.json" in out
    assert Path("params.json").exists()


TUNE = ("tune", "likes.csv", "--trials", "2", "--threads", "1", "--no-fit", "--quiet")
EVALUATE = ("evaluate", "likes.csv", "--params", "params.json", "-k", "5", "--json", "--quiet")


def pairs(part: mfrec.Interactions) -> set[tuple[object, object]]:
    frame = part.to_frame()
    return set(zip(frame["user"], frame["item"], strict=True))


def test_what_is_held_out_is_tested_on_and_never_tuned_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event that a trial is fitted on or judged by is recorded, and so is every event of the test."""
    tuned: set[tuple[object, object]] = set()
    tested: set[tuple[object, object]] = set()
    run_all = commands_evaluate.run

    def watch_trial(factors: Any, train: Any, held_out: Any, **options: Any) -> Any:
        tuned.update(pairs(train) | pairs(held_out))
        return measure(factors, train, held_out, **options)

    def watch_test(model: Any, test: Any, *args: Any, **options: Any) -> Any:
        tested.update(pairs(test))
        return run_all(model, test, *args, **options)

    monkeypatch.setattr(tuning, "measure", watch_trial)
    monkeypatch.setattr(commands_evaluate, "run", watch_test)
    run(capsys, *TUNE, "--hold-out", "0.25", "--seed", "5")
    out, err = run(capsys, *EVALUATE, "--test-fraction", "0.25")
    assert tuned
    assert tested
    assert not tuned & tested
    assert tuned | tested == pairs(mfrec.Interactions.read("likes.csv"))
    assert err == ""
    assert not [note for note in json.loads(out)["notes"] if "params.json" in note]


def test_the_model_is_fitted_on_what_was_held_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *[a for a in TUNE if a != "--no-fit"], "--hold-out", "0.5", "--model", "whole")
    assert mfrec.load("whole").adjacency.user.numbers.size == len(mfrec.Interactions.read("likes.csv"))
    run(capsys, "fit", "likes.csv", "--params", "params.json", "--out", "again", "--quiet")
    assert (mfrec.load("again").factors.user == mfrec.load("whole").factors.user).all()


@pytest.mark.parametrize(
    ("tuned", "tested", "why"),
    [
        ([], [], "does not say that this test part was held out"),
        (["--hold-out", "0.3"], [], "test fraction 0.3, seed 42; here split random, test fraction 0.2, seed 42"),
        (["--hold-out", "0.2"], ["--seed", "1"], "here split random, test fraction 0.2, seed 1"),
        (["--hold-out", "0.2"], ["--split", "time", "--time-col", "time"], "here split time"),
        (["--hold-out", "0.2"], ["--min-user-interactions", "5"], "held out a part of other data"),
    ],
)
def test_evaluate_warns_of_parameters_that_may_have_seen_the_test(
    capsys: pytest.CaptureFixture[str], tuned: list[str], tested: list[str], why: str
) -> None:
    run(capsys, *TUNE, *tuned)
    out, err = run(capsys, *EVALUATE, *tested)
    warned = [line for line in err.splitlines() if "params.json" in line]
    assert len(warned) == 1
    assert why in warned[0]
    assert [f"mfrec: {note}" for note in json.loads(out)["notes"] if "params.json" in note] == warned


def test_a_search_that_starts_from_a_leak_is_no_honest_one(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *TUNE)
    _, err = run(capsys, *TUNE, "--hold-out", "0.2", "--params", "params.json")
    assert "does not say that this test part was held out" in err
    assert read_held_out(Path("params.json")) is None
    run(capsys, *TUNE, "--hold-out", "0.2")
    _, err = run(capsys, *TUNE, "--hold-out", "0.2", "--params", "params.json")
    assert err == ""
    assert read_held_out(Path("params.json")) is not None


@pytest.mark.parametrize("fraction", ["-0.1", "1", "nan"])
def test_a_part_that_cannot_be_held_out(capsys: pytest.CaptureFixture[str], fraction: str) -> None:
    _, err = run(capsys, *TUNE, "--hold-out", fraction, code=2)
    assert f"--hold-out must be at least 0 and below 1, got {fraction}" in err


@pytest.mark.parametrize("told", ["3", "{}", '{"split": 1, "test_fraction": 0.2, "seed": 1, "events": 2, "links": ""}'])
def test_a_file_that_says_nonsense_of_what_was_held_out(told: str) -> None:
    Path("params.json").write_text(f'{{"alpha": 2.0, "held_out": {told}}}')
    assert read_params(Path("params.json")) == {"alpha": 2.0}
    with pytest.raises(mfrec.DataError, match=r"held_out must hold split, test_fraction, seed, events, links"):
        read_held_out(Path("params.json"))


def test_ctrl_c_before_the_first_trial_is_no_mistake(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "solve", stopped)
    _, err = run(capsys, *TUNE, code=130)
    assert err.strip() == "mfrec: stopped"
    assert not Path("params.json").exists()


def test_data_that_no_search_can_help_ends_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run(capsys, *TUNE, "--transform", "binary", "--threshold", "100", code=2)
    assert "there is nothing to learn from with threshold 100" in err
    assert err.count("\n") == 1


def test_a_log_of_another_seed_or_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *TUNE, "--resume", "log.jsonl")
    _, err = run(capsys, *TUNE, "--resume", "log.jsonl", "--seed", "7", code=2)
    assert "log.jsonl is the log of another search: its seed is 42, here it is 7; name another file" in err
    _, err = run(capsys, *TUNE, "--resume", "log.jsonl", "--hold-out", "0.2", code=2)
    # parameters that follow from the data are others for another part
    assert "log.jsonl is the log of another search: its " in err
    assert "name another file" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "likes.csv", "--resume", "one", "--out", "one"], "--resume and --out both name one"),
        (["tune", "likes.csv", "--model", "full"], "full exists and is not a model folder of mfrec"),
        (["tune", "likes.csv", "--parts", "6"], "parts must be an integer from 1 to 5, got 6"),
        (["fit", "likes.csv", "--out", "full"], "full exists and is not a model folder of mfrec"),
        (["evaluate", "likes.csv", "-k", "0"], "k must be an integer of at least 1, got 0"),
    ],
)
def test_what_would_fail_at_the_end_fails_before_anything_is_fitted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    def never(*args: Any, **options: Any) -> Any:
        raise AssertionError("something was fitted")

    Path("full").mkdir()
    Path("full/mine.txt").write_text("precious")
    monkeypatch.setattr(als, "_new_model", never)
    _, err = run(capsys, *arguments, code=2)
    assert message in err
    assert err.count("\n") == 1
    assert Path("full/mine.txt").read_text() == "precious"
    assert not Path("params.json").exists()


def test_what_was_tuned_by_time_is_tested_on_what_it_never_saw(capsys: pytest.CaptureFixture[str]) -> None:
    drifting(150, 90, 5_000, n_genres=3).to_frame().to_csv("world.csv", index=False)
    source = ["world.csv", "--time-col", "time", "--quiet"]

    def ran(*args: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main([args[0], *source, *args[1:]])
        assert ended.value.code == 0
        return capsys.readouterr()

    ran("tune", "--split", "time", "--hold-out", "0.2", "--trials", "2", "--no-fit")
    held_out = read_held_out(Path("params.json"))
    assert held_out is not None
    assert held_out.split == "time"
    assert None not in read_params(Path("params.json")).values()
    tested = ran("evaluate", "--split", "time", "--params", "params.json", "--warm")
    assert "params.json" not in tested.err
    assert "recent popularity, 7 days" in tested.out
    # the random part is another one, and has no tomorrow
    again = ran("evaluate", "--params", "params.json")
    assert "held out another test part" in again.err
    assert "recent popularity" not in again.out
    assert "--split time chooses for what comes next" in ran("tune", "--trials", "1", "--no-fit").err
