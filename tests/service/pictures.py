"""Pictures of the explorer on ML-100K, with its segments: ``python -m tests.service.pictures [FOLDER]``.

Without a folder it makes ``docs/explorer.png`` anew; with one it puts every view there, light, dark and on a phone.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mfrec
from mfrec.data.movielens import load_movielens
from mfrec.directions import SIDES
from mfrec.service.app import create
from mfrec.service.settings import Settings
from tests.service.browsing import start
from tests.service.conftest import running

WHOLE = Path(__file__).parents[2] / "docs" / "explorer.png"
# of the picture in the documentation
SIZE = (1440, 960)
LOOKS = (("light", (1280, 900), "light"), ("dark", (1280, 900), "dark"), ("phone", (375, 800), "light"))
VIEWS = {
    "first": "/",
    "grid": "/?user=42&item=50&why=22&user2item.k=12&user2item.diversity=0.4",
    "map": "/?user=42&item=50&view=0.2,0.1,3",
    "users": "/?user=42&item=50&colour=user",
    "sides": "/?user=42&item=50&colour=side",
    "alike": "/?user=42&item=50&like=item&seed=50&seed=172&seed=181",
    "person": "/?item=50&watched=50&watched=172",
}


def shoot(browser: Any, address: str, size: tuple[int, int], scheme: str, path: Path, *, whole: bool) -> None:
    """Save one picture; `whole` takes in what lies below the window."""
    width, height = size
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    browser.get(address)
    time.sleep(1.5)
    if whole:
        metrics["height"] = browser.execute_script("return document.documentElement.scrollHeight")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        time.sleep(0.3)
    browser.save_screenshot(str(path))


def main(folder: Path | None) -> None:
    """Fit, serve, and make the pictures."""
    model = mfrec.fit(load_movielens("ml-100k"))
    for side in SIDES:
        model = model.with_segments(model.segments(side))
    browser = start()
    with tempfile.TemporaryDirectory() as root:
        model.save(Path(root) / "m")
        with running(create(Settings(Path(root) / "m"))) as address:
            if folder is None:
                shoot(browser, f"{address}/?user=42&item=50&why=22", SIZE, "light", WHOLE, whole=False)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                for name, view in VIEWS.items():
                    for kind, size, scheme in LOOKS:
                        shoot(browser, address + view, size, scheme, folder / f"{name}-{kind}.png", whole=True)
    browser.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
