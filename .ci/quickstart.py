"""Do what a newcomer does: paste the README's first steps into a shell, in an empty folder with a table of one's own.

Usage: python .ci/quickstart.py SOURCE     (a checkout or an unpacked sdist; needs the network and a C++ compiler)

Pasted are the first ``sh`` block under "Install", and the first ``python`` and the first ``sh`` block under "Your own
table". The first has a line ``pip install .``, and its dot becomes SOURCE; nothing else is changed.
"""

import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

INSTALL = "pip install ."
# how many products of the table each block has to name
ENOUGH = 3
RULE = "=" * 60


def block(page: str, heading: str, language: str) -> str:
    """Return the first fenced block of a language under a heading of the second level."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    found = section and re.search(rf"^```{language}\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f'the README has no ```{language} block under "## {heading}"')
    return found[1]


def table() -> str:
    """Return purchases of the products P001 to P060 by the customers C001 to C100, each with one of three tastes."""
    draw = random.Random(42)  # noqa: S311 - made up, not secret
    rows = ["customer,product,when"]
    for customer in range(1, 101):
        liked = [product for product in range(1, 61) if product % 3 == customer % 3]
        bought = {draw.choice(liked) if draw.random() < 0.8 else draw.randint(1, 60) for _ in range(10)}
        for product in sorted(bought):
            rows.append(f"C{customer:03},P{product:03},2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Paste, and see that each block recommends something."""
    source = Path(sys.argv[1]).resolve()
    page = (source / "README.md").read_text(encoding="utf-8")
    install = block(page, "Install", "sh")
    if install.splitlines().count(INSTALL) != 1:
        sys.exit(f'the block under "## Install" has to have one line `{INSTALL}`')
    install = re.sub(rf"^{re.escape(INSTALL)}$", lambda _: f"pip install '{source}'", install, flags=re.MULTILINE)
    python, shell = block(page, "Your own table", "python"), block(page, "Your own table", "sh")
    pasted = f"set -e\n{install}echo {RULE}\npython - <<'PASTED'\n{python}PASTED\necho {RULE}\n{shell}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "purchases.csv").write_text(table())
        done = subprocess.run(["sh"], input=pasted, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        sys.exit(f"the README's first steps, pasted, end with exit code {done.returncode}")
    _, *answers = done.stdout.split(f"{RULE}\n")
    for language, answer in zip(("python", "sh"), answers, strict=True):
        if len(set(re.findall(r"\bP\d{3}\b", answer))) < ENOUGH:
            sys.exit(f"the {language} block of the README names fewer than {ENOUGH} products")


if __name__ == "__main__":
    main()
