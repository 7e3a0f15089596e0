"""Write the report, its plots, and the README's table from the raw JSON; measures nothing.

Usage: python -m benchmarks.reporting [--out benchmarks/report] [--readme README.md]
"""

import argparse
import re
from pathlib import Path

from benchmarks import chosen, duel, plots, sections, wanted, wording
from benchmarks.cells import Cells
from benchmarks.summary import Raw, datasets, read, summarise

START, END = "<!-- bench:start -->", "<!-- bench:end -->"


def render(raw: Raw, cells: Cells) -> str:
    """Return the whole report as Markdown."""
    names = datasets(raw)
    parts = ["# mfrec against a TensorFlow Recommenders two-tower", sections.verdict(raw, cells), sections.about(raw)]
    parts += [wanted.section(cells), duel.section(cells, names), sections.words(), sections.data(raw, cells)]
    for dataset in names:
        parts += [f"## {dataset}", *sections.dataset_sections(raw, cells, dataset)]
    parts += [wording.METHOD, chosen.section(raw, cells), "## Side by side"]
    parts += [sections.side_by_side(raw, dataset) for dataset in names]
    return "\n\n".join(filter(None, parts)) + "\n"


def short(raw: Raw, cells: Cells) -> str:
    """Return the README's table as Markdown."""
    return "\n\n".join(sections.short(raw, cells))


def between_markers(text: str) -> str:
    """Return what stands between the README's markers."""
    found = re.search(f"{START}\n(.*?)\n{END}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"no {START} ... {END}")
    return found[1]


def write(folder: Path, readme: Path | None = None) -> None:
    """Write the summary, the report and the plots beside the raw results; and the README's table where it is named."""
    raw = read(folder)
    lines = summarise(raw)
    cells = Cells(lines)
    for problem in plots.draw(raw, cells, folder):
        print(problem)
    (folder / "README.md").write_text(render(raw, cells), encoding="utf-8")
    text = "".join(lines[name].text() + "\n" for name in sorted(cells.used))
    (folder / "summary.jsonl").write_text(text, encoding="utf-8")
    if readme is not None:
        text = readme.read_text(encoding="utf-8")
        old = f"{START}\n{between_markers(text)}\n{END}"
        readme.write_text(text.replace(old, f"{START}\n{short(raw, cells)}\n{END}"), encoding="utf-8")


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "report")
    parser.add_argument("--readme", type=Path)
    args = parser.parse_args()
    write(args.out, args.readme)


if __name__ == "__main__":
    main()
