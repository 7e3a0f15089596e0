"""What is told about the package beside the code: the citation and the pins."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mfrec

ROOT = Path(__file__).parent.parent
CITATION = (ROOT / "CITATION.cff").read_text()


def cited(key: str) -> str | None:
    found = re.search(rf"^{key}: (.+)$", CITATION, re.MULTILINE)
    return found and found[1].strip("\"'")


def test_the_citation_is_of_this_version() -> None:
    assert cited("version") == mfrec.__version__
    changes = (ROOT / "CHANGELOG.md").read_text()
    heading = re.search(rf"^## {re.escape(mfrec.__version__)} - (.+)$", changes, re.MULTILINE)
    assert heading is not None
    assert cited("date-released") == (None if heading[1] == "unreleased" else heading[1])


def test_every_requirement_is_pinned_to_what_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().split()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    extras = project["optional-dependencies"].values()
    needs = map(Requirement, [*project["dependencies"], *(need for extra in extras for need in extra)])
    others = {canonicalize_name(need.name): need.specifier for need in needs if need.name != "mfrec"}
    assert [name for name, allowed in others.items() if name not in pins or pins[name] not in allowed] == []
    serving = (ROOT / "requirements-serve.txt").read_text().splitlines()
    assert {line for line in serving if not line.startswith("#")} <= set(lines)
