"""Execute the notebooks of docs/notebooks, each in an empty folder; an error in a cell is an error of this program.

Usage: python .ci/notebooks.py [--save] [NAME ...]

With --save the outputs are written back into the notebooks. NAME is a notebook without its ending; all without one.
"""

import base64
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
SECONDS_PER_CELL = 300
# plots have few colours, and need a third of the bytes where the picture says so
COLOURS = 64


def executed(path: Path) -> Any:
    """Return the notebook as its cells leave it; CellExecutionError, with the cell, where one fails."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        # without times, which would change with every run
        NotebookClient(
            notebook,
            timeout=SECONDS_PER_CELL,
            resources={"metadata": {"path": folder}},
            record_timing=False,
            # it warns of its own port, which only this machine can reach
            extra_arguments=["--log-level=ERROR"],
        ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    # which Python it was says nothing
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def smaller(png: str) -> str:
    """Return a picture, in base64, with a palette."""
    picture, packed = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def main(words: list[str]) -> None:
    """Execute what the words name, and say how long each took."""
    names = [word for word in words if word != "--save"] or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        start = time.monotonic()
        notebook = executed(path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s")  # noqa: T201
        if "--save" in words:
            nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
