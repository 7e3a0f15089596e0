"""The notebooks as they are kept: executed from top to bottom, without faults, small, and free of this machine."""

import ast
import json
import re
from typing import Any

import pytest

from tests.test_docs import PAGES, ROOT

FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.ipynb"))}
RESULTS = ROOT / "benchmarks" / "two_tower" / "results.jsonl"
MOST_BYTES = 150_000
each = pytest.mark.parametrize("name", NOTEBOOKS)


def code(name: str) -> list[dict[str, Any]]:
    """Return the cells that run."""
    return [cell for cell in NOTEBOOKS[name]["cells"] if cell["cell_type"] == "code"]


def texts(name: str) -> str:
    """Return everything but pictures."""
    kept = json.loads(json.dumps(NOTEBOOKS[name]))
    for cell in kept["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("image/png", None)
    return json.dumps(kept)


def literal(name: str, variable: str) -> Any:
    """Return the value that a notebook gives to a variable, word for word."""
    for cell in code(name):
        found = re.search(rf"^{variable} = ([\[{{].*?^[\]}}])", "".join(cell["source"]), re.MULTILINE | re.DOTALL)
        if found:
            return ast.literal_eval(found[1])
    raise AssertionError(f"{name} has no {variable}")


def test_there_are_three_and_the_page_lists_them() -> None:
    assert set(re.findall(r"\]\(notebooks/([\w-]+\.ipynb)\)", PAGES["notebooks.md"])) == NOTEBOOKS.keys()
    assert len(NOTEBOOKS) == 3


@each
def test_every_cell_ran_in_order_and_shows_something(name: str) -> None:
    assert NOTEBOOKS[name]["nbformat"] == 4
    assert [cell["execution_count"] for cell in code(name)] == list(range(1, len(code(name)) + 1))
    assert [cell["source"] for cell in code(name) if not cell["outputs"]] == []
    kinds = {output["output_type"] for cell in code(name) for output in cell["outputs"]}
    assert kinds <= {"stream", "display_data", "execute_result"}


@each
def test_no_output_warns_or_tells_of_a_machine(name: str) -> None:
    text = texts(name)
    assert re.findall(r"Warning|Traceback", text) == []
    assert re.findall(r"/(?:work|root|tmp|home|Users|usr)\b[^\s\"]*", text) == []


@each
def test_a_notebook_is_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MOST_BYTES


@each
def test_the_links_of_a_notebook_lead_to_files(name: str) -> None:
    prose = "".join("".join(c["source"]) for c in NOTEBOOKS[name]["cells"] if c["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#\s]+)\)", prose)
    assert links
    assert [link for link in links if not (FOLDER / link).exists()] == []


def test_the_two_tower_of_the_article_answers_what_the_benchmark_has() -> None:
    name = "the-article-redone.ipynb"
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    figures = {row["name"]: row["value"] for row in rows if "name" in row}
    for direction, answers in literal(name, "TWO_TOWER").items():
        assert [str(each) for each in answers] == figures[f"ml-100k|answers|two-tower|{direction}"]
    for direction, protocol, metric, k, *shown in literal(name, "MEASURED"):
        contenders = ("two-tower", "two-tower tuned, without time")
        kept = [figures[f"ml-100k|random|{c}|{direction}/{protocol}/{metric}@{k}"] for c in contenders]
        assert shown == pytest.approx(kept, abs=5e-5)
