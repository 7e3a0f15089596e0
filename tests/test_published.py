"""Published splits: the format, the masking and the averages of papers, on numbers worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import published
from mfrec.evaluation.splits import random_split, read_split
from mfrec.training.fit import fit_als
from mfrec.training.params import ALSParams
from mfrec.tuning import tune as tuning
from mfrec.tuning.params_file import write_params
from tests.conftest import random_interactions

# Users 0 to 3 like items 0 to 3, users 4 to 7 items 4 to 7. User 5 has no test items, user 8 has no items at all.
TRAIN = "0 0 1 2\n1 0 1 2 3\n2 0 1 2 3\n3 0 1 2 3\n4 5 6 7\n5 4 5 6\n6 4 5 6 7\n7 4 5 6 7\n8\n"
VALIDATION = "0\n4 4\n5 7\n"
TEST = "0 3 4\n4 0 1 2 3\n5\n8\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The three files and a parameter file, as arguments."""
    arguments = []
    for name, text in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST)):
        (tmp_path / f"{name}.txt").write_text(text)
        arguments += [f"--{name}", str(tmp_path / f"{name}.txt")]
    write_params(tmp_path / "params.json", ALSParams(factors=2, regularization=0.01, alpha=20.0, iterations=15))
    return [*arguments, "--params", str(tmp_path / "params.json"), "-k", "1"]


def test_only_training_items_are_masked(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """User 0 gets item 3: 1 of 2 held out. User 4 gets item 4, of the validation file: a miss."""
    published.main(files)
    told = json.loads(capsys.readouterr().out)
    assert told["users"] == 2
    assert told["recall"] == pytest.approx((1 / 2 + 0) / 2)
    assert told["ndcg"] == pytest.approx((1 + 0) / 2)


def test_after_a_refit_validation_items_are_masked_too(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """User 4 has all of its own kind; whichever of 0 to 3 comes first is 1 of 4 held out."""
    published.main([*files, "--refit"])
    told = json.loads(capsys.readouterr().out)
    assert told["recall"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert told["ndcg"] == pytest.approx(1)


def test_recall_and_ndcg_are_those_of_papers_by_brute_force(tmp_path: Path) -> None:
    rest, test = random_split(random_interactions(50, 90), 0.3)
    train, validation = random_split(rest, 0.2)
    for part, interactions in zip(published.PARTS, (train, validation, test), strict=True):
        published.write_lists(interactions, tmp_path / f"{part}.txt")
    split = read_split(*(tmp_path / f"{part}.txt" for part in ("train", "test", "valid")))
    params = ALSParams(factors=6, threads=1, regularization=25.0)
    result = published.judge(split, params)
    factors = fit_als(split.train, params)
    recalls, gains = [], []
    for user in range(split.test.shape[0]):
        held_out = set(split.test.matrix[user].indices.tolist())
        if not held_out:
            continue
        scores = (factors.user[user] @ factors.item.T).astype(float)
        scores[split.train.matrix[user].indices] = -np.inf
        hits = [int(item) in held_out for item in np.argsort(-scores, kind="stable")[:20]]
        best = sum(1 / np.log2(place + 2) for place in range(min(20, len(held_out))))
        recalls.append(sum(hits) / len(held_out))
        gains.append(sum(hit / np.log2(place + 2) for place, hit in enumerate(hits)) / best)
    assert result["users"] == len(recalls)
    # items without training data tie at 0, where an expectation over the ties is taken
    assert result["recall"] == pytest.approx(np.mean(recalls), abs=0.02)
    assert result["ndcg"] == pytest.approx(np.mean(gains), abs=0.02)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    likes = random_interactions(20, 15)
    train, test = random_split(likes)
    published.write_lists(train, tmp_path / "train.txt")
    published.write_lists(test, tmp_path / "test.txt")
    lines = (tmp_path / "train.txt").read_text().splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(20))
    split = read_split(tmp_path / "train.txt", tmp_path / "test.txt")
    assert (split.train.matrix != train.matrix).nnz == 0
    assert (split.test.matrix != test.matrix).nnz == 0


def test_it_tunes_on_validation(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    arguments = files[:6]
    published.main([*arguments, "--trials", "30", "--metric", "ndcg@1", "--out", str(tmp_path / "found.json")])
    told = capsys.readouterr()
    assert "30 trials, best ndcg@1 on validation 1.0000" in told.err
    # the result alone goes to standard output
    assert json.loads(told.out)["recall"] == pytest.approx(1)
    assert (tmp_path / "found.json").exists()


def test_a_movielens_release_becomes_three_files(
    movielens_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published.main(["--write", "ml-100k", str(tmp_path / "split")])
    assert "train.txt, valid.txt, test.txt are in" in capsys.readouterr().out
    sizes = [
        sum(len(line.split()) - 1 for line in (tmp_path / "split" / f"{part}.txt").read_text().splitlines())
        for part in published.PARTS
    ]
    assert sizes == [64_000, 16_000, 20_000]


def test_lists_are_lists_whatever_they_are_called(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    published.main(files)
    expected = json.loads(capsys.readouterr().out)
    renamed = []
    for argument in files:
        if argument.endswith(".txt"):
            Path(argument).rename(argument.removesuffix(".txt"))
        renamed.append(argument.removesuffix(".txt"))
    published.main(renamed)
    found = json.loads(capsys.readouterr().out)
    assert (found["recall"], found["ndcg"]) == (expected["recall"], expected["ndcg"])


def test_a_byte_order_mark_is_no_number(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for argument in files:
        if argument.endswith(".txt"):
            Path(argument).write_bytes(b"\xef\xbb\xbf" + Path(argument).read_bytes())
    published.main(files)
    assert json.loads(capsys.readouterr().out)["users"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 1\n1 9223372036854775808\n", "line 2: the number 9223372036854775808 is not below 2**63"),
        (b"0 1\n" + b"9" * 5000 + b" 1\n", "line 2: the number 9999999999"),
        (b"0 1\n1 \xff\n", "line 2 is no text in utf-8"),
        (b"0 1\n1 2.5\n", "line 2: expected a user number, then item numbers, got '2.5'"),
        (b"0 1_0\n", "line 1: expected a user number, then item numbers, got '1_0'"),
        (b"\n", "the train part has no rows"),
    ],
)
def test_a_list_that_cannot_be_read(
    files: list[str], capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    Path(files[1]).write_bytes(content)
    assert message in refused(files, capsys)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    with pytest.raises(SystemExit) as stopped:
        published.main(arguments)
    told = capsys.readouterr()
    assert stopped.value.code == code
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "no/such/x.json"], "cannot write no/such/x.json"),
        (["--resume", "no/such/x"], "cannot write no/such/x"),
        (["-k", "0"], "k must be an integer of at least 1, got 0"),
        (["-k", "2147483648"], "k must be an integer below 2**31"),
        (["--metric", "auc@1"], "unknown metric 'auc@1'"),
    ],
)
def test_what_would_end_the_run_after_the_search_ends_it_before(
    files: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("nothing may be fitted")

    monkeypatch.setattr(tuning, "solve", never)
    assert message in refused([*files[:6], *arguments], capsys)


def test_a_split_is_not_written_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    for folder in ("mine", "mine/below"):
        refused(["--write", "ml-100k", str(tmp_path / folder)], capsys)
    assert (tmp_path / "mine").read_text() == "mine"


def test_ctrl_c_while_reading_is_one_word(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(published, "read_lists", stopped)
    assert refused(files, capsys, code=130) == "published: stopped\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "none.txt", "--test", "none.txt", "--validation", "none.txt"], "no such file"),
        (["--train", "a.txt", "--test", "a.txt", "--refit"], "--refit adds the validation part"),
        (["--train", "a.txt"], "name --train and --test"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        published.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
