"""Take README's picture of the lab's page: `python tests/e2e/take_lab_picture.py URL PNG`, the URL with its code."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = {"width": 1280, "height": 1000}


def take_picture(url: str, picture: Path) -> None:
    """Write the page of networks in burst mode as a PNG, in light colours, down to the end of the Pareto front."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit("needs a browser: apt-get install chromium (Debian), or Google Chrome on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        address, _, code = url.partition("#")
        page.goto(f"{address}?mode=burst&platform=android#{code}")
        expect(page.locator("#timeline-chart:not(:empty)")).to_be_visible(timeout=30_000)  # the last to be drawn
        box = page.locator("#pareto").bounding_box()
        if box is None:
            sys.exit("the page shows no front")
        clip = {"x": 0, "y": 0, "width": SIZE["width"], "height": box["y"] + box["height"] + 16}
        page.screenshot(path=picture, full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    take_picture(sys.argv[1], Path(sys.argv[2]))
