"""The app's texts: every key is used and there in both languages, and what Android says too is the same there."""

import json
import re
import xml.etree.ElementTree as ET  # our own files
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "ios/MobiBench/MobiBench"
CATALOG: dict[str, Any] = json.loads((APP / "Localizable.xcstrings").read_text(encoding="utf-8"))
PHRASES = dict(re.findall(r"case (\w+)(?: = \"(\w+)\")?", (APP / "Logic/Phrase.swift").read_text(encoding="utf-8")))
PLURALS = {"en": {"one", "other"}, "ar": {"zero", "one", "two", "few", "many", "other"}}
# Each system has its own word, or its own name.
OWN_WORDS = {"warning_low_power", "lab_offers_none"}

Text = str | dict[str, str]


def text_of(key: str, language: str) -> Text:
    localization = CATALOG["strings"][key]["localizations"][language]
    if "stringUnit" in localization:
        return str(localization["stringUnit"]["value"])
    plural = localization["variations"]["plural"]
    return {quantity: str(form["stringUnit"]["value"]) for quantity, form in plural.items()}


def forms(text: Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def places(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\d\$)?(?:@|lld|s|d)", text))


def test_every_phrase_is_in_the_catalog_and_every_key_is_a_phrase() -> None:
    assert len(PHRASES) > 80
    assert {key or case for case, key in PHRASES.items()} == set(CATALOG["strings"])


def test_every_phrase_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.swift") if path.name != "Phrase.swift")
    assert [case for case in PHRASES if not re.search(rf"\.{case}\b", code)] == []


def test_no_text_stands_in_the_screens_themselves() -> None:
    for path in (APP / "Screens").glob("*.swift"):
        for line in path.read_text(encoding="utf-8").splitlines():
            for call in re.findall(r'(?:Text|Label|Button|Section|Toggle|Picker)\(\s*"([^"]*)"', line):
                assert not re.search(r"[A-Za-z]{2}", re.sub(r"\\\([^)]*\)+", "", call)), line


@pytest.mark.parametrize("key", sorted(CATALOG["strings"]))
def test_both_languages_say_it_with_the_same_places(key: str) -> None:
    english, arabic = text_of(key, "en"), text_of(key, "ar")
    assert type(english) is type(arabic)
    for language, text in (("en", english), ("ar", arabic)):
        if isinstance(text, dict):
            assert set(text) == PLURALS[language]
    wanted = places(forms(english)[-1])
    for form in forms(english) + forms(arabic):
        assert form.strip() == form != ""
        if isinstance(english, str):
            assert places(form) == wanted
        else:
            assert places(form) in ([], wanted)  # "two runs" needs no number
    if key not in {"ok", "classify_answer"}:
        assert any("\u0600" <= sign <= "\u06ff" for sign in forms(arabic)[0])


def android_texts(folder: str) -> dict[str, Text]:
    texts: dict[str, Text] = {}
    path = ROOT / f"android/app/src/main/res/{folder}/strings.xml"
    for item in ET.parse(path).getroot():  # noqa: S314
        if item.tag == "string":
            texts[item.attrib["name"]] = _plain("".join(item.itertext()))
        else:
            texts[item.attrib["name"]] = {form.attrib["quantity"]: _plain("".join(form.itertext())) for form in item}
    return texts


def _plain(text: str) -> str:
    """Without what is each system's own: how places are written, and how quotes are escaped."""
    text = re.sub(r"\s+", " ", text.replace("\\'", "'")).strip()
    return re.sub(r"%(?:\d\$)?(?:@|s)", "%s", re.sub(r"%(?:\d\$)?(?:lld|d)", "%d", text))


@pytest.mark.parametrize(("language", "folder"), [("en", "values"), ("ar", "values-ar")])
def test_what_both_apps_say_is_the_same(language: str, folder: str) -> None:
    android = android_texts(folder)
    shared = (android.keys() & CATALOG["strings"].keys()) - OWN_WORDS
    assert len(shared) >= 40
    for key in sorted(shared):
        here = text_of(key, language)
        plain = _plain(here) if isinstance(here, str) else {name: _plain(form) for name, form in here.items()}
        assert plain == android[key], key
