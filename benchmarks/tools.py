"""What the benchmarks share: the command line, the results file of a folder, and blocks of the docs."""

import argparse
import inspect
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
Figures = dict[str, Any]


def choose(folder: str, measurements: Mapping[str, str]) -> None:
    """Run the measurement that the command line names; without a name, list them all."""
    name = next(iter(sys.argv[1:]), None)
    if name not in measurements:
        print(f"usage: python -m benchmarks.{folder}.run NAME [options]")
        print("\n".join(f"  {known:15} {answers}" for known, answers in measurements.items()))
        sys.exit(0 if name in (None, "-h", "--help") else 2)
    sys.argv[:2] = [f"python -m benchmarks.{folder}.run {name}"]
    import_module(f"benchmarks.{folder}.{name}").main()


def command(work: Callable[..., Figures | None]) -> Callable[..., None]:
    """Give a function a command line: an option per argument, of the type of its default.

    Figures that it returns are printed as JSON. Where they name what was ``missed``, the exit code is 1. A function
    that always returns figures has the option ``--save``, which puts them into the results file of its folder.
    """

    def main(arguments: Sequence[str] | None = None) -> None:
        signature, about = inspect.signature(work), sys.modules[work.__module__].__doc__
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        for name, parameter in signature.parameters.items():
            default, flag = parameter.default, f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
            if isinstance(default, bool):
                parser.add_argument(flag, action="store_true")
                continue
            several = isinstance(default, tuple)
            kind = type((*default, "")[0]) if several else type(default)
            told = "default: %(default)s" if default else ""
            count = "+" if several else None
            parser.add_argument(flag, type=kind, nargs=count, default=default, metavar=name.upper(), help=told)
        if signature.return_annotation == Figures:
            parser.add_argument("--save", action="store_true", help="put the figures into results.json")
        options = vars(parser.parse_args(arguments))
        keep = options.pop("save", False)
        figures = work(**options)
        if figures is None:
            return
        print(json.dumps(figures, indent=1))
        if keep:
            save(Path(inspect.getfile(work)), figures)
        if figures.get("missed"):
            sys.exit(1)

    return main


def save(script: Path, figures: Figures) -> None:
    """Put the figures of a script into the results file beside it."""
    path = script.with_name("results.json")
    results = json.loads(path.read_text()) if path.exists() else {}
    results[script.stem] = {"date": time.strftime("%Y-%m-%d"), **figures}
    path.write_text(json.dumps(results, indent=1) + "\n")


def block(page: str, name: str) -> str:
    """Return what stands between the markers of a block of a page, named from the root."""
    found = _pattern(name).search((ROOT / page).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{page} has no block {name!r}")
    return found[2]


def put(page: str, name: str, text: str) -> None:
    """Replace what stands between the markers of a block, and print it."""
    path = ROOT / page
    path.write_text(_pattern(name).sub(lambda m: m[1] + text + m[3], path.read_text(encoding="utf-8")))
    print(text)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}:start -->\n)(.*?)(<!-- {name}:end -->)", re.DOTALL)
