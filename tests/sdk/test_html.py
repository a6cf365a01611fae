import base64
import dataclasses
import hashlib
import html
import json
import re
import uuid
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobisdk.latency.in_memory import analyze_runs
from mobisdk.latency.log import parse_run
from mobisdk.latency.log_files import SetAside
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.latency.store import collect_runs
from mobisdk.report.accuracy import Accuracy
from mobisdk.report.frame import is_page
from mobisdk.report.html import Beside, build_page
from mobisdk.report.numbers import format_interval_ms, format_ms

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])
NOON = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)
LARGEST_BYTES = 2_000_000


def run(alpha: float = 0.5, ns: list[int] | None = None, *, model: str = "Pixel 8", **parts: Any) -> LatencyRun:
    changes: dict[str, Any] = {
        "run_id": str(uuid.uuid4()),
        "device": dataclasses.replace(RUN.device, model=model),
        "bundle": dataclasses.replace(RUN.bundle, alpha=alpha, variant_id=f"{round(alpha * 1e4):064x}"),
        "preprocess_ns": durations([]),
        "postprocess_ns": durations([]),
        "inference_ns": durations(ns or [1_000_000, 1_100_000]),
    }
    return dataclasses.replace(RUN, **{**changes, **parts})


def page(*runs: LatencyRun, set_aside: tuple[SetAside, ...] = (), **accuracies: Accuracy) -> str:
    logs = collect_runs((Path("runs.jsonl"),), runs, set_aside, 0)
    return build_page(
        analyze_runs(logs), logs, Beside({known.variant_id: known for known in accuracies.values()}), NOON
    )


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and every text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.texts.append(data)


def cells(text: str) -> list[list[str]]:
    """The texts of each row of each table's body."""
    main = text[text.index("<main") : text.index("</main>")]
    rows = re.findall(r"<tr>(<td.*?)</tr>", main)
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows]


def test_page_has_the_reports_figures_in_its_table() -> None:
    runs = [run(0.5, [1_000_000 + 1000 * n + m for m in range(50)]) for n in range(6)]
    cold = run(
        mode="cold", compile_ns=None, load_ns=30_000_000, first_inference_ns=5_000_000, inference_ns=durations([])
    )
    logs = collect_runs((Path("runs.jsonl"),), (*runs, cold), (), 0)
    report = analyze_runs(logs)
    warm = report.groups[0].warm[0]
    (row,) = cells(build_page(report, logs, Beside(), NOON))
    assert row == [
        "mobilenet_v1 0.5 at 160",
        format_interval_ms(warm.p50),
        format_ms(warm.p90),
        format_ms(warm.p99),
        "30.0",
        "5.00",
        "997",
        "6",
    ]


def test_page_says_what_the_figures_mean_and_how_they_were_measured() -> None:
    texts = " ".join(" ".join(Tags(page(run(0.25), run(1.0, [4_000_000]))).texts).split())
    assert "Latency on Google Pixel 8 (Tensor G3)" in texts
    assert "mobilenet_v1 0.25 at 160 is fastest: 1.05 ms; α = 1.0 costs 3.8 × as much." in texts
    assert "executorch 1.4.1, xnnpack" in texts
    assert "4 threads" in texts
    assert "Made on 24 November 2025, 12:00 UTC by mobisdk" in texts
    assert "No line was set aside." in texts


def test_page_without_accuracy_or_a_second_resolution_says_how_to_get_them() -> None:
    text = html.unescape(page(run(0.25), run(1.0)))
    assert "mobisdk evaluate BUNDLE --data DATA --json > accuracy.json" in text
    assert "mobisdk export --target android --resolution 128,160,192,224 --untrained" in text
    assert "--alpha 0.25,0.5,0.75,1.0" not in text


def test_page_with_accuracy_draws_it_and_has_a_column_of_it() -> None:
    runs = run(0.25), run(1.0, [4_000_000])
    known = Accuracy(runs[0].bundle.variant_id, 0.975, 0.953, 0.987, 360, "ab", "a.json")
    text = page(*runs, known=known)
    assert [row[-2] for row in cells(text)] == ["97.5 [95.3, 98.7]", ""]
    assert "Pareto front" in text
    assert "The accuracy of 1 more is not known." in text


def test_page_names_set_aside_lines_with_their_reasons() -> None:
    aside = tuple(SetAside(Path("<b>.jsonl"), number, "the line is not JSON") for number in range(1, 151))
    texts = " ".join(" ".join(Tags(page(run(), set_aside=aside)).texts).split())
    assert "150 lines set aside" in texts
    assert "<b>.jsonl , line 1: the line is not JSON" in texts
    assert "And 50 more" in texts


def test_runs_kept_apart_are_told_below_the_table() -> None:
    odd = run(golden=dataclasses.replace(RUN.golden, passed=False))  # type: ignore[type-var]
    assert "Kept apart from these figures: golden image failed (1)." in page(run(), odd)


HOSTILE = "<script>alert(1)</script></script><!--<img src=x onerror=alert(2)>\u202e\x1b'\"&{{ 7*7 }}"


def test_page_of_a_hostile_phone_has_only_its_own_tags() -> None:
    bundle = dataclasses.replace(RUN.bundle, arch=HOSTILE, recipe=HOSTILE)
    evil = run(model=HOSTILE, notes=HOSTILE, bundle=bundle, app=dataclasses.replace(RUN.app, name=HOSTILE))
    aside = (SetAside(Path(HOSTILE), 1, HOSTILE),)
    text = page(evil, dataclasses.replace(evil, mode="sustained"), set_aside=aside)
    tags = Tags(text)
    assert [attributes for tag, attributes in tags.tags if tag == "img"] == []
    assert not [name for _, attributes in tags.tags for name in attributes if name.startswith("on")]
    kinds = {attributes.get("type") for tag, attributes in tags.tags if tag == "script"}
    assert kinds == {None, "application/json"}
    assert sum(tag == "script" and not attributes for tag, attributes in tags.tags) == 2
    assert text.count("</script>") == sum(tag == "script" for tag, _ in tags.tags)
    assert not {"\u202e", "\x1b"} & set(text)
    assert "alert(1)" in "".join(tags.texts)
    assert "{{ 7*7 }}" in "".join(tags.texts)
    for figure in re.findall(r'<script type="application/json">(.*?)</script>', text):
        assert "<" not in figure
        assert json.loads(figure)["layer"]


def test_policy_allows_the_pages_own_scripts_and_nothing_else() -> None:
    text = page(run())
    policy = next(a["content"] for tag, a in Tags(text).tags if a.get("http-equiv") == "Content-Security-Policy")
    blocks = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["style", "script", "script"]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for _, code in blocks]
    assert policy == (
        f"default-src 'none'; script-src {hashes[1]} {hashes[2]}; style-src {hashes[0]}; base-uri 'none'; "
        "form-action 'none'"
    )


def test_page_names_no_other_file_or_host() -> None:
    tags = Tags(page(run())).tags
    assert not {name for _, attributes in tags for name in attributes} & {"src", "href", "srcset", "action"}
    assert not [tag for tag, _ in tags if tag in ("link", "iframe", "object", "embed", "base", "form")]


def test_page_of_several_devices_opens_the_first_and_has_charts_in_both() -> None:
    text = page(run(0.25), run(0.5), run(0.25, model="Pixel 9"), run(0.5, model="Pixel 9"))
    devices = [attributes for tag, attributes in Tags(text).tags if tag == "details"]
    assert [("open" in attributes) for attributes in devices] == [True, False]
    assert "Latency on 2 devices" in text
    assert text.count("<h3>Latency against width α</h3>") == 2


SAMPLES = np.random.default_rng(0).lognormal(14, 0.1, (1000, 100)).astype(np.int64)


@pytest.mark.parametrize(
    ("variants", "devices"),
    [(16, 1), (10, 20), (1000, 1), (1, 1000)],
    ids=["usual", "lab", "one device", "each its own"],
)
def test_page_of_a_thousand_runs_of_a_hundred_samples_stays_below_two_megabytes(variants: int, devices: int) -> None:
    runs = [
        run((1 + n % variants) / 1000, list(SAMPLES[n]), model=f"Phone {n // variants % devices}", notes=f"note {n}")
        for n in range(1000)
    ]
    text = page(*runs, set_aside=tuple(SetAside(Path("x" * 200), n, "y" * 300) for n in range(1000)))
    assert len(text.encode()) < LARGEST_BYTES
    shown = len(cells(text))
    if shown < variants * devices:
        assert f"{variants * devices - shown:,} more" in text
        assert "--csv FILE" in text


def test_page_knows_a_page(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page(run()), encoding="utf-8")
    (tmp_path / "other.html").write_text("<!DOCTYPE html><p>mobisdk", encoding="utf-8")
    (tmp_path / "empty.html").touch()
    assert [is_page(tmp_path / name) for name in ("report.html", "other.html", "empty.html")] == [True, False, False]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_colours_stand_out_from_the_page_in_light_and_in_dark() -> None:
    """Texts by 4.5 to 1, marks by 3 to 1; ordered colours one stronger than the other, so that hue is not needed."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", page(run()))
    for theme in (0, 1):
        colours = {name: luminance(values[theme]) for name, *values in pairs}
        contrasts = {
            name: (max(found, colours["page"]) + 0.05) / (min(found, colours["page"]) + 0.05)
            for name, found in colours.items()
        }
        ordered = [contrasts[f"ordered-{step}"] for step in range(1, 8)]
        assert ordered == sorted(ordered)
        assert min(ordered[0], contrasts["text"], contrasts["muted"], contrasts["accent"]) >= 4.5
        assert min(contrasts[f"series-{number}"] for number in range(1, 7)) >= 3
