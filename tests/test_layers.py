"""A folder imports only from the layers before its own, and each third-party library has its place."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mfrec"
MODULES = sorted(ROOT.rglob("*.py"))

# one row per layer, lowest first; a name is a module or a folder at the top of the package
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "arrays"),
    ("directions",),
    ("index",),
    ("model",),
    ("storage", "data"),
    ("evaluation",),
    ("training",),
    ("coldstart",),
    ("tuning", "applications", "spark"),
    ("service",),
    ("cli",),
    ("__init__",),
)
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names}

# what a process that only answers may import when mfrec is imported
SERVING = ("errors", "arrays", "directions", "index", "model", "storage", "__init__")

# the only imports from a later layer, or in a circle: methods of Recommender that do nothing but forward
FORWARDED = {
    ("model.recommender", "save"): "storage.folder",
    ("model.recommender", "recommend_all"): "model.batch",
    ("model.recommender", "lookalikes"): "applications.lookalikes",
    ("model.recommender", "segments"): "applications.segments",
    ("model.recommender", "allocate"): "applications.allocation",
    ("model.recommender", "update"): "training.update",
}

# the only modules that may name these libraries, wherever in the module
OWNERS: dict[str, tuple[str, ...]] = {
    "annoy": ("index.annoy", "cli.doctor"),
    "faiss": ("index.faiss",),
    "implicit": ("training.als", "evaluation.baselines", "cli.doctor"),
    "threadpoolctl": ("training", "evaluation.ranking", "index.calibrate", "cli.doctor"),
    "scipy": ("data", "training", "evaluation", "tuning"),
    "narwhals": ("data.frames",),
    "prometheus_client": ("service.metrics",),
    "rapidfuzz": ("model.label_search",),
    "zstandard": ("data.streams",),
    "sklearn": ("coldstart", "evaluation", "tuning", "applications.segments"),
    "click": ("cli",),
    "tabulate": ("cli", "evaluation.report", "coldstart.evaluate"),
}

# what may be imported at the top of a module on the serving side
SERVING_LIBRARIES = {"numpy", "annoy"}


@dataclass(frozen=True)
class Import:
    """One imported module, whether it is imported as soon as its importer is, and the function it stands in."""

    name: str
    line: int
    at_once: bool = True
    function: str | None = None


def module_name(path: Path) -> str:
    """Return the dotted name below ``mfrec``; a package's own file has the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(ast.parse(path.read_text("utf-8")), at_once=True, function=None)


def _imports(node: ast.AST, at_once: bool, function: str | None) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_once, function) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute"
            yield from _from(child, at_once, function)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(child, False, function or child.name)
        else:
            yield from _imports(child, at_once and not _type_checking(child), function)


def _from(node: ast.ImportFrom, at_once: bool, function: str | None) -> Iterator[Import]:
    """Yield what ``from a import b`` imports: ``a.b`` where that is one of our modules, else ``a``."""
    parent = node.module or ""
    for alias in node.names:
        path = ROOT.parent.joinpath(*parent.split("."), alias.name)
        ours = top(parent) == "mfrec" and (path.with_suffix(".py").exists() or path.is_dir())
        yield Import(f"{parent}.{alias.name}" if ours else parent, node.lineno, at_once, function)


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def below_mfrec(name: str) -> str:
    """Return the dotted name below ``mfrec`` of one of our modules; the package itself is its last layer."""
    return name.removeprefix("mfrec").removeprefix(".") or "__init__"


def ours(path: Path) -> Iterator[tuple[Import, str]]:
    """Yield the imports of our own modules, wherever they stand, but for what `Recommender` forwards."""
    own = module_name(path)
    for found in imports(path):
        other = below_mfrec(found.name)
        if top(found.name) == "mfrec" and FORWARDED.get((own, found.function or "")) != other:
            yield found, other


each_module = pytest.mark.parametrize("path", MODULES, ids=module_name)


def test_there_are_few_layers_and_few_names_at_the_top() -> None:
    assert len(LAYERS) <= 12
    assert len([path for path in ROOT.iterdir() if path.name != "__pycache__"]) <= 20


@each_module
def test_every_module_has_a_layer(path: Path) -> None:
    assert top(module_name(path)) in LAYER, f"{module_name(path)} is in no row of LAYERS"


@each_module
def test_a_module_imports_only_from_its_folder_and_earlier_layers(path: Path) -> None:
    own = module_name(path)
    wrong = [
        f"{path.name}:{found.line} imports {found.name}"
        for found, other in ours(path)
        if top(other) != top(own) and LAYER[top(other)] >= LAYER[top(own)]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    needs = {module_name(path): {other for _, other in ours(path)} for path in MODULES}
    needs = {name: {other for other in others if other in needs and other != name} for name, others in needs.items()}
    while ready := {name for name, others in needs.items() if not others}:
        needs = {name: others - ready for name, others in needs.items() if name not in ready}
    assert needs == {}


def test_a_method_that_forwards_does_nothing_else() -> None:
    tree = ast.parse((ROOT / "model" / "recommender.py").read_text("utf-8"))
    names = {method for _, method in FORWARDED}
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names]
    assert {"save", "recommend_all", "segments"} <= {method.name for method in methods}
    for method in methods:
        kinds = [type(node) for node in method.body[1:]]
        assert kinds in ([ast.ImportFrom, ast.Return], [ast.ImportFrom, ast.Expr]), method.name


@each_module
def test_each_library_is_imported_by_its_owner_alone(path: Path) -> None:
    own = module_name(path)
    wrong = [
        f"{path.name}:{found.line} imports {found.name}"
        for found in imports(path)
        if own not in (allowed := OWNERS.get(top(found.name), (own,))) and top(own) not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in MODULES if top(module_name(path)) in SERVING], ids=module_name)
def test_the_serving_side_needs_numpy_and_annoy_alone(path: Path) -> None:
    known = SERVING_LIBRARIES | set(sys.stdlib_module_names) | {"mfrec"}
    wrong = [f"{path.name}:{i.line} imports {i.name}" for i in imports(path) if i.at_once and top(i.name) not in known]
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in MODULES if top(module_name(path)) in SERVING], ids=module_name)
def test_the_serving_side_imports_nothing_that_trains(path: Path) -> None:
    at_once = {below_mfrec(found.name) for found in imports(path) if found.at_once and top(found.name) == "mfrec"}
    assert {name for name in at_once if top(name) not in SERVING} == set()


def test_the_parser_sees_what_it_must(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "import scipy.sparse as s, numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def f():\n    from implicit.cpu import als\n"
        "try:\n    from mfrec.model import ids\nexcept ImportError:\n    pass\n"
        "class A:\n    from mfrec.model.ids import IdMap\n"
    )
    assert [(i.name, i.at_once, i.function) for i in imports(source)] == [
        ("scipy.sparse", True, None),
        ("numpy", True, None),
        ("typing", True, None),
        ("pandas", False, None),
        ("implicit.cpu", False, "f"),
        ("mfrec.model.ids", True, None),
        ("mfrec.model.ids", True, None),
    ]
