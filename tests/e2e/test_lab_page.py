"""The lab server's page in a real browser: nothing in its console, whatever a phone is called."""

import csv
import dataclasses
import io
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.report.accuracy import Accuracy
from mobisdk.server.tokens import create_code

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
FORMULA = "=HYPERLINK(1)"
NETWORKS = ((0.25, 128, 1.0, 0.5), (0.5, 160, 3.0, 0.6), (1.0, 224, 12.0, 0.7))
"""α, ρ, milliseconds, accuracy."""


def variant_id(alpha: float) -> str:
    return f"{round(alpha * 100):064x}"


def measured(alpha: float, resolution: int, ms: float, rng: np.random.Generator, **parts: Any) -> LatencyRun:
    samples = (1e6 * ms * rng.lognormal(0, 0.02) * rng.lognormal(0, 0.03, 100)).astype(np.int64)
    bundle = dataclasses.replace(RUN.bundle, alpha=alpha, resolution=resolution, variant_id=variant_id(alpha))
    none = durations([])
    times = {"inference_ns": durations(samples), "sample_at_ns": durations(np.cumsum(samples) - samples[0])}
    fields = {"bundle": bundle, "preprocess_ns": none, "postprocess_ns": none, **times, **parts}
    return dataclasses.replace(RUN, run_id=str(uuid.uuid4()), **fields)


def upload(lab: Any, runs: list[LatencyRun], *more: str) -> dict[str, Any]:
    body = "".join(f"{line}\n" for line in (*map(to_json_line, runs), *more))
    with lab.client(lab.token("write")) as phone:
        answer = phone.post("/v1/runs", content=body.encode(), headers={"Content-Type": "application/x-ndjson"})
    return dict(answer.json())


@pytest.fixture(scope="module")
def lab(start_lab: Any) -> Any:
    """Two phones, one of a hostile name; one run that failed, one that was throttled, one line that is none."""
    accuracies = {
        variant_id(alpha): Accuracy(variant_id(alpha), share, share - 0.02, share + 0.02, 360, "ab", "test")
        for alpha, _, _, share in NETWORKS
    }
    running = start_lab(accuracies=accuracies)
    rng = np.random.default_rng(3)
    phones = (RUN.device, dataclasses.replace(RUN.device, manufacturer=None, model=HOSTILE, soc=None))
    runs = [
        measured(alpha, resolution, ms, rng, device=device)
        for device in phones
        for alpha, resolution, ms, _ in NETWORKS
        for _ in range(6)
    ]
    slowing = (np.linspace(1, 1.6, 100) * 3e6).astype(np.int64)
    times = {"inference_ns": durations(slowing), "sample_at_ns": durations(np.arange(100) * 100_000_000)}
    runs.append(measured(0.5, 160, 3, rng, mode="sustained", **times))
    assert RUN.golden is not None
    runs.append(measured(0.5, 160, 30, rng, golden=dataclasses.replace(RUN.golden, passed=False)))
    runs.append(
        measured(0.5, 160, 3, rng, device=dataclasses.replace(RUN.device, manufacturer=None, model=FORMULA, soc=None))
    )
    assert upload(running, runs, HOSTILE)["accepted"] == len(runs)
    return running


@pytest.fixture
def open_page(browser: Browser, lab: Any) -> Iterator[Any]:
    """Opens the page by a one-time code; at the end the console was empty and every request was to the server."""
    told: list[str] = []
    contexts: list[BrowserContext] = []

    def opened(query: str = "", *, width: int = 1280, scheme: Any = "light", code: str | None = None) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on(
            "request", lambda request: None if request.url.startswith((lab.url, "data:")) else told.append(request.url)
        )
        code = code or create_code(lab.lab.store, ("read", "write", "manage"))
        page.goto(f"{lab.url}/{query}#code={code}")
        expect(page.locator("#lab")).to_be_visible()
        for chart in ("latency", "pareto", "timeline"):
            expect(page.locator(f"#{chart}-chart svg, #{chart}-chart:not(:empty)").first).to_be_visible(timeout=20_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


def test_page_when_opened_by_its_code_shows_what_came_and_forgets_the_code(open_page: Any, lab: Any) -> None:
    page = open_page()
    assert "code" not in page.url
    expect(page.locator("#count-runs")).to_have_text("39")
    expect(page.locator("#latency-table")).to_contain_text(HOSTILE)
    expect(page.locator("#trouble-table")).to_contain_text("golden image failed")
    expect(page.locator("#trouble-table")).to_contain_text("not JSON")
    expect(page.locator("#phones-table .flag").first).to_be_visible()
    assert page.locator("#timeline-chart path").count() > 0
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(page.locator("#lab")).to_be_visible()
    expect(page.locator("#pareto-chart svg")).to_be_visible()


def test_page_without_a_session_asks_for_a_code_and_refuses_a_wrong_one(browser: Browser, lab: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(lab.url)
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("#lab")).to_be_hidden()
    page.locator("#code").fill("0123456789abcdef")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-error")).to_have_text("The code was used. Show a new one.")
    page.locator("#code").fill(create_code(lab.lab.store, ("read",)))
    page.keyboard.press("Enter")
    expect(page.locator("#lab")).to_be_visible()
    expect(page.locator("#access")).to_be_hidden()
    context.close()


def test_run_when_it_arrives_shows_within_two_seconds(open_page: Any, lab: Any) -> None:
    page = open_page("?arch=mobilenet_v1")
    before = int(page.locator("#count-runs").inner_text())
    assert upload(lab, [measured(0.25, 128, 1.0, np.random.default_rng(8))])["accepted"] == 1
    expect(page.locator("#count-runs")).to_have_text(str(before + 1), timeout=2000)
    expect(page.locator("#arrivals-table tr.fresh")).to_have_count(1)


def test_budget_when_dragged_names_the_best_network_that_fits(open_page: Any) -> None:
    page = open_page("?budget=5")
    expect(page.locator("#pareto-answer")).to_contain_text("0.5 at 160")
    expect(page.locator("#pareto-answer")).to_contain_text("60.0 %")
    line = page.locator("#pareto-chart .budget_line_marks, #pareto-chart [class*=budget_line]").first.locator("line")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 500, y, steps=5)
    page.mouse.up()
    expect(page.locator("#pareto-answer")).not_to_contain_text("0.5 at 160")
    dragged = float(re.search(r"budget=([\d.]+)", page.url).group(1))  # type: ignore[union-attr]
    assert dragged < 3
    assert page.locator("#budget-value").inner_text() == f"{dragged:g} ms"
    page.locator("#budget").focus()
    page.keyboard.press("End")
    expect(page.locator("#pareto-answer")).to_contain_text("1.0 at 224")


def test_filters_are_in_the_address_and_in_the_downloads(open_page: Any) -> None:
    page = open_page()
    page.locator("select[name=device_id]").select_option(label="Google Pixel 8 (Tensor G3), 9 cores, Android 15")
    page.locator("select[name=mode]").select_option("burst")
    assert "mode=burst" in page.url
    expect(page.locator("#latency-table tbody tr")).to_have_count(3)
    expect(page.locator("#latency-table")).not_to_contain_text("script")
    tables = {}
    for kind in ("csv", "json", "parquet"):
        with page.expect_download() as download:
            page.locator(f"#download-{kind}").click()
        tables[kind] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename == f"mobisdk-latency.{kind}"
    rows = json.loads(tables["json"])
    assert {row["mode"] for row in rows} == {"burst"}
    assert len(rows) == 3
    assert len(list(csv.DictReader(io.StringIO(tables["csv"].decode())))) == 3
    parquet = pq.read_table(io.BytesIO(tables["parquet"])).to_pylist()
    assert [row["p50_ms"] for row in parquet] == [row["p50_ms"] for row in rows]
    page.locator("#reset").click()
    assert "mode" not in page.url


def test_formula_in_a_csv_is_text(lab: Any) -> None:
    with lab.client(lab.token("read")) as client:
        rows = list(csv.DictReader(io.StringIO(client.get("/v1/figures?format=csv").text)))
        documents = client.get("/v1/figures?format=json").json()
    assert [row["device"] for row in rows if "HYPERLINK" in row["device"]] == [f"'{FORMULA}, 9 cores, Android 15"]
    assert f"{FORMULA}, 9 cores, Android 15" in {row["device"] for row in documents}


def test_phone_is_added_by_the_pages_code_and_revoked_from_the_page(open_page: Any, lab: Any) -> None:
    page = open_page()
    page.locator("#add-phone").click()
    expect(page.locator("#qr-picture")).to_be_visible()
    code = page.locator("#qr-link").inner_text().split("code=")[1]
    with lab.client() as phone:
        phone.headers["Authorization"] = (
            f"Bearer {phone.post('/v1/tokens', json={'code': code, 'name': HOSTILE}).json()['token']}"
        )
        assert phone.get("/v1/bundles").status_code == 200
        upload(lab, [measured(0.25, 128, 1.0, np.random.default_rng(9))])
        page.get_by_role("button", name=f"Revoke {HOSTILE}").click()
        expect(page.get_by_role("button", name=f"Revoke {HOSTILE}")).to_have_count(0)
        assert phone.get("/v1/bundles").status_code == 401


def test_keyboard_alone_reaches_every_control(open_page: Any) -> None:
    page = open_page()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.name || document.activeElement.textContent"
            )
        )
    wanted = {
        "language",
        "theme",
        "sign-out",
        "device_id",
        "mode",
        "reset",
        "download-csv",
        "download-parquet",
        "budget",
        "add-phone",
    }
    assert wanted <= reached


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_page_in_both_languages_and_themes_needs_no_sideways_scrolling(
    open_page: Any, language: str, scheme: str
) -> None:
    page = open_page(f"?lang={language}", width=360, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    bright = [sum(int(part) for part in re.findall(r"\d+", colour)[:3]) for colour in colours]
    assert (bright[0] > bright[1]) == (scheme == "light")


def test_languages_have_the_same_texts() -> None:
    import mobisdk.server

    script = (Path(mobisdk.server.__file__).parent / "page" / "text.js").read_text()
    english, arabic = (re.findall(r"\b(\w+): (?:\"|\()", part) for part in script.split("\n};")[0].split("\n  ar: {"))
    assert sorted(english) == sorted(arabic)
    page = (Path(mobisdk.server.__file__).parent / "page" / "index.html").read_text()
    assert set(re.findall(r'data-text="(\w+)"', page)) <= set(english)
