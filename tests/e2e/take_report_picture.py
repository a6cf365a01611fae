"""Take the picture of a report that README shows: `python tests/e2e/take_report_picture.py FILE.html PNG`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = {"width": 1280, "height": 1000}
MARGIN = 24


def take_picture(report: Path, picture: Path) -> None:
    """Write the top of `report` as a PNG, in light colours, down to the end of the first row of charts."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit("needs a browser: apt-get install chromium (Debian), or Google Chrome on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(report.resolve().as_uri())
        charts = page.locator("details[open] .chart")
        expect(page.locator("details[open] .chart[data-state=drawn]")).to_have_count(charts.count())
        box = page.locator("figure").first.bounding_box()
        if box is None:
            sys.exit(f"{report} shows no chart")
        end = box["y"] + box["height"] + MARGIN
        page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": SIZE["width"], "height": end})
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
