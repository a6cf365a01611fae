"""The report of `mobisdk analyze --html`, opened in a browser that has no network."""

import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.analysis import AnalysisReport
from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import append_run, parse_run
from mobisdk.latency.record import Device, LatencyRun, durations
from mobisdk.latency.store import read_logs
from mobisdk.report.numbers import format_interval_ms, format_ms

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>"
PIXEL, OTHER = RUN.device, dataclasses.replace(RUN.device, manufacturer=None, model=HOSTILE)
PHONE_WIDTH = 360


def variant_id(alpha: float, resolution: int) -> str:
    return f"{round(alpha * 100):032x}{resolution:032x}"


def measured(device: Device, alpha: float, resolution: int, **parts: Any) -> LatencyRun:
    bundle = dataclasses.replace(
        RUN.bundle, alpha=alpha, resolution=resolution, variant_id=variant_id(alpha, resolution)
    )
    return dataclasses.replace(RUN, run_id=str(uuid.uuid4()), device=device, bundle=bundle, **parts)


def burst(
    device: Device, alpha: float, resolution: int, rng: np.random.Generator, of: float | None = None
) -> LatencyRun:
    median_ns = 1e6 * (0.2 + 8 * alpha**2 * (resolution / 224) ** 2) * rng.lognormal(0, 0.02)
    samples = (median_ns * rng.lognormal(0, 0.05, 40)).astype(np.int64)
    times = {"inference_ns": durations(samples), "sample_at_ns": durations(np.cumsum(samples))}
    return measured(device, of or alpha, resolution, **times, preprocess_ns=durations([]), postprocess_ns=durations([]))


def cold(device: Device, alpha: float, resolution: int, rng: np.random.Generator) -> LatencyRun:
    nothing = dict.fromkeys(("inference_ns", "sample_at_ns", "preprocess_ns", "postprocess_ns"), durations([]))
    load, first = (int(ns * rng.lognormal(0, 0.05)) for ns in (3e7, 5e6))
    return measured(device, alpha, resolution, mode="cold", load_ns=load, first_inference_ns=first, **nothing)


@dataclasses.dataclass(frozen=True)
class Made:
    """A page that the program wrote, and what it was made from."""

    file: Path
    report: AnalysisReport


def size_bytes(alpha: float) -> int:
    return round(8e6 * alpha)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("report")
    log, page = folder / "runs.jsonl", folder / "report.html"
    rng = np.random.default_rng(3)
    grid = [(alpha, resolution) for alpha in (0.25, 0.5, 1.0) for resolution in (128, 224)]
    for device in (PIXEL, OTHER):
        for alpha, resolution in grid:
            for _ in range(6):
                append_run(log, burst(device, alpha, resolution, rng))
        append_run(log, cold(device, 0.25, 128, rng))
    with log.open("a") as file:
        file.write(f'{HOSTILE}\n{{"schema": "mobisdk.lat\n')
    old = folder / "old.jsonl"
    for alpha, resolution in grid:
        for _ in range(6):  # half as slow again is a regression, by whatever noise
            append_run(old, burst(PIXEL, alpha / 1.5 if alpha == 1.0 else alpha, resolution, rng, of=alpha))
    budget = ["--max-latency-ms", "3", "--min-accuracy", "0.7", "--max-size-mb", "4"]
    arguments = ["analyze", str(log), "--html", str(page), "--against", str(old), *budget]
    for number, (alpha, resolution) in enumerate(grid[:-1]):
        share = 0.5 + 0.3 * alpha + resolution / 2000
        evaluation = {
            "bundle_id": f"b{number}", "variant_id": variant_id(alpha, resolution), "weights_source": "checkpoint",
            "image_set_sha256": "ab", "images": 360, "accuracy": share, "interval_95": [share - 0.02, share + 0.02],
            "model_bytes": size_bytes(alpha),
        }  # fmt: skip
        (folder / f"{number}.json").write_text(json.dumps(evaluation))
        arguments += ["--accuracy", str(folder / f"{number}.json")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return Made(page, analyze_runs(read_logs([log])))


@pytest.fixture
def open_page(browser: Browser, made: Made) -> Iterator[Any]:
    """Opens the page as a browser would from a mail; at the end there was no message, no dialog and no request."""
    told: list[str] = []
    contexts = []

    def forbid(route: Route) -> None:
        if route.request.url == made.file.as_uri():
            route.continue_()
        else:
            told.append(f"request of {route.request.url}")
            route.abort()

    def opened(*, width: int = 1280, scheme: Any = "light", init: str = "") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_offline(True)
        context.route("**/*", forbid)
        context.add_init_script(init)
        page = context.new_page()
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        page.goto(made.file.as_uri())
        expect(page.locator("details[open] .chart[data-state=drawn]")).to_have_count(
            page.locator("details[open] .chart").count()
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


def open_sections(page: Page) -> None:
    for section in page.locator("details:not([open]) > summary").all():
        section.click()
    expect(page.locator(".chart[data-state=drawn]")).to_have_count(page.locator(".chart").count())


def cut_labels(page: Page) -> list[str]:
    """Texts of charts that reach beyond their chart."""
    cut: list[str] = page.evaluate("""() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll("text")].filter((text) => {
            const { left, right, top, bottom, width } = text.getBoundingClientRect();
            const outside = left < box.left - 1 || right > box.right + 1;
            return width && (outside || top < box.top - 1 || bottom > box.bottom + 1);
        }).map((text) => text.textContent);
    })""")
    return cut


def column(page: Page, name: str, device: int = 0) -> list[str]:
    table = page.locator("table").nth(device)
    names = [text.split("\n")[0] for text in table.locator("th").all_inner_texts()]
    place = names.index(name) + 1
    return table.locator(f"tbody td:nth-child({place})").all_inner_texts()


def test_table_shows_the_reports_numbers(made: Made, open_page: Any) -> None:
    page = open_page()
    open_sections(page)
    devices = list(dict.fromkeys(group.device_label for group in made.report.groups))
    assert len(devices) == 2
    for number, device in enumerate(devices):
        groups = [group for group in made.report.groups if group.device_label == device]
        assert column(page, "network", number) == [group.variant_label for group in groups]
        for name, form in (("p50", format_interval_ms), ("p90", format_ms), ("p99", format_ms)):
            assert column(page, name, number) == [form(getattr(group.warm[0], name)) for group in groups]
        loads = [format_ms(group.cold[0].load) if group.cold else "" for group in groups]
        assert column(page, "cold load", number) == loads
        assert column(page, "runs", number) == ["6"] * 6
        assert column(page, "accuracy", number).count("") == 1


def test_table_is_sorted_by_a_click_and_by_the_keyboard(open_page: Any) -> None:
    page = open_page()
    header = page.locator("th", has_text="p50").first
    expect(header).to_have_attribute("aria-sort", "none")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    medians = [float(text.split()[0]) for text in column(page, "p50")]
    assert medians == sorted(medians)
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    assert [float(text.split()[0]) for text in column(page, "p50")] == medians[::-1]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("th", has_text="network").first).to_have_attribute("aria-sort", "ascending")
    expect(header).to_have_attribute("aria-sort", "none")
    assert column(page, "network")[0] == "mobilenet_v1 0.25 at 128"


def test_what_is_missing_is_last_whichever_way_a_column_is_sorted(open_page: Any) -> None:
    page = open_page()
    for direction in ("ascending", "descending"):
        page.get_by_role("button", name="cold load").click()
        expect(page.locator("th", has_text="cold load").first).to_have_attribute("aria-sort", direction)
        loads = column(page, "cold load")
        assert loads[0] != ""
        assert loads[1:] == [""] * 5


def test_every_chart_has_its_marks_and_lies_within_its_figure(open_page: Any) -> None:
    page = open_page()
    open_sections(page)
    headings = page.locator("section.block:has(figure) h3").all_inner_texts()
    both = [
        "Accuracy against latency",
        "Accuracy against size",
        "Latency over α × ρ",
        "Latency against width α",
        "Latency against resolution ρ",
        "Spread of the samples",
        "Cold against warm",
    ]
    changes = "Changes since the logs of before"
    assert headings in ([changes, *both, *both], [*both, changes, *both])  # one phone was measured before
    for figure in page.locator("figure").all():
        marks = figure.locator("svg .role-mark path, svg .role-mark rect").count()
        assert marks >= 3
        svg, box = figure.locator("svg").bounding_box(), figure.bounding_box()
        assert svg is not None
        assert box is not None
        assert svg["x"] >= box["x"]
        assert svg["x"] + svg["width"] <= box["x"] + box["width"] + 0.5
    assert cut_labels(page) == []


def test_point_tells_its_numbers_to_the_pointer(made: Made, open_page: Any) -> None:
    page = open_page()
    fastest = min(
        (group for group in made.report.groups if group.device_label == made.report.groups[0].device_label),
        key=lambda group: group.warm[0].p50.value_ns if group.warm[0].p50 else 0,
    )
    accuracies = page.locator("section.block", has_text="Accuracy against latency").first
    accuracies.locator(".mark-symbol.role-mark path").first.hover()
    tooltip = page.locator("#vg-tooltip-element.visible")
    expect(tooltip).to_contain_text(f"{format_interval_ms(fastest.warm[0].p50)} ms")
    expect(tooltip).to_contain_text(fastest.variant_label)


def test_changes_and_the_budget_are_told_in_numbers(made: Made, open_page: Any) -> None:
    page = open_page()
    open_sections(page)
    changes = page.locator("section.block:has(figure)", has_text="Changes since the logs of before")
    expect(changes).to_contain_text("2 slower")
    expect(changes).to_contain_text("of 6 variants (threshold 5 %)")
    networks = [text for text in changes.locator(".role-axis-label text").all_text_contents() if " at " in text]
    assert set(networks[:2]) == {"1.0 at 128", "1.0 at 224"}
    accuracies = page.locator("section.block", has_text="Accuracy against latency").first
    sizes = page.locator("section.block:has(figure)", has_text="Accuracy against size").first
    kept = sum(
        1 for group in made.report.groups[:6]
        if group.warm[0].p50 and group.warm[0].p50.value_ns <= 3e6 and size_bytes(group.bundle.alpha or 0) <= 4e6
        and 0.5 + 0.3 * (group.bundle.alpha or 0) + (group.bundle.resolution or 0) / 2000 >= 0.7
    )  # fmt: skip
    for block, lines in ((accuracies, {"3 ms", "70 %"}), (sizes, {"4 MB", "70 %", "size of the model (MB)"})):
        expect(block).to_contain_text(f"{kept} of 5 keep all of it")
        assert lines <= set(block.locator("svg text").all_text_contents())


COLOURS = """() => [
    getComputedStyle(document.body).backgroundColor,
    getComputedStyle(document.querySelector("figure svg .role-axis-label text")).fill,
]"""


def test_theme_follows_the_system_and_the_button_and_is_remembered(open_page: Any) -> None:
    page = open_page(scheme="light")
    light = page.evaluate(COLOURS)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(COLOURS)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(COLOURS) == dark
    page.reload()
    expect(page.locator("details[open] .chart[data-state=drawn]").first).to_be_visible()
    assert page.evaluate(COLOURS) == dark
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate(COLOURS) == light


def test_theme_changes_where_nothing_may_be_stored(open_page: Any) -> None:
    forbidden = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } });"
    page = open_page(init=forbidden)
    before = page.evaluate(COLOURS)
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(COLOURS) != before


def test_page_as_wide_as_a_phone_is_not_scrolled_sideways(open_page: Any) -> None:
    page = open_page(width=PHONE_WIDTH)
    open_sections(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH
    widths = page.evaluate("[...document.querySelectorAll('figure svg')].map((svg) => svg.clientWidth)")
    assert max(widths) <= PHONE_WIDTH
    assert cut_labels(page) == []


def test_page_when_printed_has_every_section_and_chart_in_light_colours(open_page: Any) -> None:
    page = open_page(scheme="light")
    light = page.evaluate(COLOURS)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(COLOURS) != light
    page.pdf()
    expect(page.locator(".chart[data-state=drawn]")).to_have_count(page.locator(".chart").count())
    page.emulate_media(media="print")
    assert page.evaluate(COLOURS) == light


def test_name_of_a_hostile_phone_is_text(made: Made, open_page: Any) -> None:
    page = open_page()
    expect(page.locator("summary h2").filter(has_text=HOSTILE)).to_have_count(1)
    assert page.locator("img").count() == 0
    expect(page.locator("ol.set-aside li")).to_have_count(len(made.report.set_aside))


def test_policy_of_the_page_lets_no_other_script_run(browser: Browser, made: Made) -> None:
    page = browser.new_page()
    page.goto(made.file.as_uri())
    ran = page.evaluate("""async () => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 'a script'";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", `<img src="data:," onerror="window.ran = 'a handler'">`);
        setTimeout("window.ran = 'a text'", 0);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return window.ran ?? null;
    }""")
    page.close()
    assert ran is None
