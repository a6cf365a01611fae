"""The page of `mobisdk runs show --html`, opened in a browser that has no network."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.specs import ModelSpec
from mobisdk.training import TrainSpec, train

PHONE_WIDTH = 360


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short trainings on the digits, which mistake many of them."""
    folder = tmp_path_factory.mktemp("runs")
    for alpha in (0.1, 0.15):
        model = ModelSpec(alpha=alpha, resolution=32, stem_stride=2)
        train(TrainSpec(model, epochs=2, batch_size=64), runs=folder, name=f"a{alpha:g}")
    return folder


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result


def open_page(browser: Browser, file: Path, scheme: str) -> tuple[Any, list[str]]:
    context = browser.new_context(viewport={"width": PHONE_WIDTH, "height": 800}, color_scheme=scheme, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    return page, complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_when_opened_on_a_phone_then_every_chart_and_image_is_drawn_within_its_width(
    browser: Browser, runs: Path, tmp_path: Path, scheme: str
) -> None:
    file = tmp_path / "show.html"
    run("runs", "show", "a0.1", "--runs", runs, "--html", file)
    assert file.stat().st_size < 2_000_000

    page, complaints = open_page(browser, file, scheme)

    for place in range(4):
        expect(page.locator(".chart svg").nth(place)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH
    widths = page.evaluate("[...document.querySelectorAll('.pictures img')].map((image) => image.naturalWidth)")
    assert widths
    assert set(widths) == {32}
    assert complaints == []
    page.context.close()


def test_page_of_two_trainings_has_a_line_for_each(browser: Browser, runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "both.html"
    compared = run("runs", "compare", "a0.1", "a0.15", "--runs", runs, "--html", file)
    assert "model.alpha" in compared.stdout
    assert "seed" not in compared.stdout

    page, complaints = open_page(browser, file, "light")

    expect(page.locator(".chart").first.locator("path[aria-roledescription='line mark']")).to_have_count(2)
    assert complaints == []
    page.context.close()
