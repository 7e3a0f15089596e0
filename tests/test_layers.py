"""A module imports only from the rows above its own, and each third-party library has its place."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mfrec"
MODULES = sorted(ROOT.rglob("*.py"))

# one row per layer, lowest first; a name stands for a module or for a whole package
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "arrays"),
    ("directions",),
    ("packed",),
    ("ids",),
    ("solver",),
    ("factors", "links"),
    ("fold_in", "basis"),
    ("index",),
    ("recommender",),
    ("manifest", "atomic", "map2d"),
    ("soundness",),
    ("artifact",),
    ("search", "store"),
    ("batch",),
    ("columns", "tables"),
    ("interactions",),
    ("datasets",),
    ("confidence",),
    ("als",),
    ("pipeline",),
    ("catalogue", "cold", "features"),
    ("content",),
    ("evaluation",),
    ("param_file", "space"),
    ("trials",),
    ("tuning",),
    ("commands",),
    ("cli",),
    ("service",),
    ("__init__", "__main__"),
)
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}

# what a process that only answers may import when mfrec is imported
SERVING = ROW["batch"]

# the only modules that may name these libraries, wherever in the module
OWNERS: dict[str, tuple[str, ...]] = {
    "annoy": ("index.annoy", "commands.doctor"),
    "faiss": ("index.faiss",),
    "implicit": ("als", "commands.doctor"),
    "threadpoolctl": ("als", "pipeline", "commands.doctor"),
    "scipy": ("interactions", "confidence", "als", "batch", "datasets", "evaluation", "tuning"),
    "sklearn": ("features", "content", "evaluation", "tuning"),
    "click": ("cli", "commands", "service.commands"),
    "tabulate": ("cli", "commands", "evaluation.report", "evaluation.cold"),
}

# what may be imported at the top of a module on the serving side
SERVING_LIBRARIES = {"numpy", "annoy"}


@dataclass(frozen=True)
class Import:
    """One imported module, and whether it is imported as soon as its importer is."""

    name: str
    line: int
    at_once: bool


def module_name(path: Path) -> str:
    """Return the dotted name below ``mfrec``; a package's own file has the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(ast.parse(path.read_text("utf-8")), at_once=True)


def _imports(node: ast.AST, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_once) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute"
            yield from _from(child, at_once)
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _type_checking(child)
            yield from _imports(child, at_once and not later)


def _from(node: ast.ImportFrom, at_once: bool) -> Iterator[Import]:
    """Yield what ``from a import b`` imports: ``a.b`` where that is one of our modules, else ``a``."""
    parent = node.module or ""
    for alias in node.names:
        path = ROOT.parent.joinpath(*parent.split("."), alias.name)
        ours = top(parent) == "mfrec" and (path.with_suffix(".py").exists() or path.is_dir())
        yield Import(f"{parent}.{alias.name}" if ours else parent, node.lineno, at_once)


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def below_mfrec(name: str) -> str:
    """Return the dotted name below ``mfrec`` of one of our modules; the package itself is its top row."""
    return name.removeprefix("mfrec").removeprefix(".") or "__init__"


def serving(path: Path) -> bool:
    """Whether a process that only answers imports this module."""
    own = module_name(path)
    return own == "__init__" or ROW.get(top(own), 0) <= SERVING


each_module = pytest.mark.parametrize("path", MODULES, ids=module_name)


@each_module
def test_every_module_has_a_row(path: Path) -> None:
    assert top(module_name(path)) in ROW, f"{module_name(path)} is in no row of LAYERS"


@each_module
def test_a_module_imports_only_from_rows_above_its_own(path: Path) -> None:
    own = module_name(path)
    wrong = [
        f"{path.name}:{found.line} imports {found.name}"
        for found in imports(path)
        if found.at_once and top(found.name) == "mfrec"
        for other in [below_mfrec(found.name)]
        if top(other) != top(own) and ROW[top(other)] >= ROW[top(own)]
    ]
    assert wrong == []


def test_modules_of_one_package_import_each_other_in_no_circle() -> None:
    needs = {
        module_name(path): {below_mfrec(i.name) for i in imports(path) if i.at_once and top(i.name) == "mfrec"}
        for path in MODULES
    }
    needs = {name: {other for other in others if other in needs and other != name} for name, others in needs.items()}
    while ready := {name for name, others in needs.items() if not others}:
        needs = {name: others - ready for name, others in needs.items() if name not in ready}
    assert needs == {}


@each_module
def test_each_library_is_imported_by_its_owner_alone(path: Path) -> None:
    own = module_name(path)
    wrong = [
        f"{path.name}:{found.line} imports {found.name}"
        for found in imports(path)
        if own not in (allowed := OWNERS.get(top(found.name), (own,))) and top(own) not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in MODULES if serving(path)], ids=module_name)
def test_the_serving_side_needs_numpy_and_annoy_alone(path: Path) -> None:
    known = SERVING_LIBRARIES | set(sys.stdlib_module_names) | {"mfrec"}
    wrong = [f"{path.name}:{i.line} imports {i.name}" for i in imports(path) if i.at_once and top(i.name) not in known]
    assert wrong == []


def test_the_package_itself_imports_nothing_that_trains() -> None:
    at_once = {below_mfrec(found.name) for found in imports(ROOT / "__init__.py") if found.at_once}
    assert {name for name in at_once if top(name) in ROW and ROW[top(name)] > SERVING} == set()


def test_the_parser_sees_what_it_must(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "import scipy.sparse as s, numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def f():\n    from implicit.cpu import als\n"
        "try:\n    from mfrec import ids\nexcept ImportError:\n    pass\n"
        "class A:\n    from mfrec.ids import IdMap\n"
    )
    assert [(i.name, i.at_once) for i in imports(source)] == [
        ("scipy.sparse", True),
        ("numpy", True),
        ("typing", True),
        ("pandas", False),
        ("implicit.cpu", False),
        ("mfrec.ids", True),
        ("mfrec.ids", True),
    ]
