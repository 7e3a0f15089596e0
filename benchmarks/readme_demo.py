"""Put the real output of ``mfrec demo`` into the README, between its two markers.

Usage: MFREC_DATA_HOME=... python benchmarks/readme_demo.py
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- demo:start -->\n).*?(<!-- demo:end -->)", re.DOTALL)


def main() -> None:
    """Run the demo and rewrite the README."""
    mfrec = str(Path(sys.executable).with_name("mfrec"))
    with tempfile.TemporaryDirectory() as scratch:
        command = [mfrec, "demo", "--out", f"{scratch}/model"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answers = output[: output.index("\nindex ")].strip()
    block = f"```\n{answers}\n```\n"
    README.write_text(BLOCK.sub(lambda m: m[1] + block + m[2], README.read_text()))


if __name__ == "__main__":
    main()
