"""The real output of ``mfrec demo -k 3``, put into the README."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tools import command, put


@command
def main() -> None:
    """Run the demo and rewrite the README."""
    mfrec = str(Path(sys.executable).with_name("mfrec"))
    with tempfile.TemporaryDirectory() as scratch:
        demo = [mfrec, "demo", "-k", "3", "--out", f"{scratch}/model"]
        output = subprocess.run(demo, check=True, capture_output=True, text=True).stdout
    answers = output[: output.index("\nindex ")].strip()
    put("README.md", "demo", f"```\n{answers}\n```\n")
