"""MobiBench.xcodeproj without Xcode: every target, file and package that it names is there."""

import json
import plistlib
import re
import xml.etree.ElementTree as ET  # our own files
from pathlib import Path
from typing import Any

import pytest

_TOKEN = re.compile(
    r'\s+|//[^\n]*|/\*.*?\*/|(?P<sign>[{}()=;,])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[\w./$-]+)',
    re.DOTALL | re.ASCII,
)


def parse(text: str) -> Any:
    """Read the old property list format that Xcode writes: dicts, lists and texts; anything odd is a ValueError."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"unexpected {text[place : place + 20]!r} at {place}")
        if match.lastgroup is not None:
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
        place = match.end()
    value, rest = _read(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"there is more after the end: {tokens[rest]}")
    return value


def _read(tokens: list[tuple[str, str]], place: int) -> tuple[Any, int]:
    kind, text = tokens[place]
    place += 1
    if kind != "sign":
        return (re.sub(r"\\(.)", r"\1", text) if kind == "quoted" else text), place
    if text == "{":
        members: dict[str, Any] = {}
        while tokens[place] != ("sign", "}"):
            key, place = _read(tokens, place)
            if tokens[place] != ("sign", "="):
                raise ValueError(f"no value for {key}")
            value, place = _read(tokens, place + 1)
            if tokens[place] != ("sign", ";"):
                raise ValueError(f"no ; after {key}")
            if key in members:
                raise ValueError(f"{key} stands twice")
            members[key] = value
            place += 1
        return members, place + 1
    if text == "(":
        items: list[Any] = []
        while tokens[place] != ("sign", ")"):
            item, place = _read(tokens, place)
            items.append(item)
            if tokens[place] == ("sign", ","):
                place += 1
        return items, place + 1
    raise ValueError(f"unexpected {text}")


ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ios/MobiBench"
PROJECT = parse((FOLDER / "MobiBench.xcodeproj/project.pbxproj").read_text(encoding="utf-8"))
OBJECTS: dict[str, dict[str, Any]] = PROJECT["objects"]
ID = re.compile(r"[0-9A-F]{24}")


def of_kind(isa: str) -> dict[str, dict[str, Any]]:
    return {key: item for key, item in OBJECTS.items() if item["isa"] == isa}


def targets() -> dict[str, dict[str, Any]]:
    return {item["name"]: {"id": key, **item} for key, item in of_kind("PBXNativeTarget").items()}


def settings(target: str, name: str = "Release") -> dict[str, str]:
    """The project's settings with the target's over them."""
    merged: dict[str, str] = {}
    for owner in (OBJECTS[PROJECT["rootObject"]], targets()[target]):
        for key in OBJECTS[owner["buildConfigurationList"]]["buildConfigurations"]:
            if OBJECTS[key]["name"] == name:
                merged |= OBJECTS[key]["buildSettings"]
    return merged


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [key, *texts_in(item)]]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value]


def test_the_reader_refuses_what_is_odd() -> None:
    assert parse('// !$*UTF8*$!\n{ a = (1, "b \\" c", ); /* x */ d = { e = f.g; }; }') == {
        "a": ["1", 'b " c'],
        "d": {"e": "f.g"},
    }
    for text in ("{ a = 1; a = 2; }", "{ a = 1 }", "{ a 1; }", "( 1 ) 2", "{ a = ü; }"):
        with pytest.raises(ValueError, match=r"."):
            parse(text)


def test_the_project_is_xcode_16s() -> None:
    assert PROJECT["objectVersion"] == "77"
    assert OBJECTS[PROJECT["rootObject"]]["isa"] == "PBXProject"


def test_every_reference_is_to_an_object_and_every_object_is_referred_to() -> None:
    named = {text for item in OBJECTS.values() for text in texts_in(item) if ID.fullmatch(text)}
    assert named == OBJECTS.keys()


def test_every_file_and_folder_is_there_and_every_group_is_in_the_tree() -> None:
    main = OBJECTS[OBJECTS[PROJECT["rootObject"]]["mainGroup"]]
    for item in [*of_kind("PBXFileReference").values(), *of_kind("PBXFileSystemSynchronizedRootGroup").values()]:
        if item["sourceTree"] == "<group>":
            assert (FOLDER / item["path"]).exists(), item["path"]
        else:
            assert item["sourceTree"] == "BUILT_PRODUCTS_DIR"
    for key, item in of_kind("PBXFileSystemSynchronizedRootGroup").items():
        assert key in main["children"]
        assert all((FOLDER / item["path"] / folder).is_dir() for folder in item["explicitFolders"])


def test_targets_have_their_sources_products_and_phases() -> None:
    assert list(targets()) == ["MobiBench", "MobiBenchTests", "MobiBenchUITests"]
    assert OBJECTS[PROJECT["rootObject"]]["targets"] == [target["id"] for target in targets().values()]
    for name, target in targets().items():
        (group,) = target["fileSystemSynchronizedGroups"]
        sources = list((FOLDER / OBJECTS[group]["path"]).rglob("*.swift"))
        assert OBJECTS[group]["path"] == name
        assert sources
        assert OBJECTS[target["productReference"]]["isa"] == "PBXFileReference"
        phases = [OBJECTS[key]["isa"] for key in target["buildPhases"]]
        assert phases == ["PBXSourcesBuildPhase", "PBXFrameworksBuildPhase", "PBXResourcesBuildPhase"]
        for key in target["dependencies"]:
            dependency = OBJECTS[key]
            proxy = OBJECTS[dependency["targetProxy"]]
            assert dependency["target"] == proxy["remoteGlobalIDString"] == targets()["MobiBench"]["id"]
            assert proxy["containerPortal"] == PROJECT["rootObject"]


def test_the_package_is_the_repositorys_own_and_is_linked() -> None:
    ((key, package),) = of_kind("XCLocalSwiftPackageReference").items()
    assert OBJECTS[PROJECT["rootObject"]]["packageReferences"] == [key]
    manifest = (FOLDER / package["relativePath"] / "Package.swift").resolve()
    assert manifest == ROOT / "ios/MobiRuntime/Package.swift"
    (product,) = targets()["MobiBench"]["packageProductDependencies"]
    name = OBJECTS[product]["productName"]
    assert f'.library(name: "{name}"' in manifest.read_text(encoding="utf-8")
    linked = [
        OBJECTS[file]["productRef"]
        for phase in targets()["MobiBench"]["buildPhases"]
        if OBJECTS[phase]["isa"] == "PBXFrameworksBuildPhase"
        for file in OBJECTS[phase]["files"]
    ]
    assert linked == [product]


@pytest.mark.parametrize("configuration", ["Debug", "Release"])
def test_settings_are_those_of_the_package_and_no_team_is_named(configuration: str) -> None:
    manifest = (ROOT / "ios/MobiRuntime/Package.swift").read_text(encoding="utf-8")
    for name in targets():
        chosen = settings(name, configuration)
        assert chosen["SWIFT_VERSION"] == "6.0"
        assert chosen["SWIFT_TREAT_WARNINGS_AS_ERRORS"] == "YES"
        assert chosen["IPHONEOS_DEPLOYMENT_TARGET"] == "16.0"
        assert not any("TEAM" in key for key in chosen)
    assert ".iOS(.v16)" in manifest
    app = settings("MobiBench", configuration)
    assert (FOLDER / app["INFOPLIST_FILE"]).is_file()
    assert (FOLDER / "MobiBench/Assets.xcassets" / f"{app['ASSETCATALOG_COMPILER_APPICON_NAME']}.appiconset").is_dir()
    assert settings("MobiBenchUITests", configuration)["TEST_TARGET_NAME"] == "MobiBench"


def test_the_shared_scheme_and_its_plan_name_these_targets() -> None:
    scheme = ET.parse(FOLDER / "MobiBench.xcodeproj/xcshareddata/xcschemes/MobiBench.xcscheme").getroot()  # noqa: S314
    ids = {target["id"]: name for name, target in targets().items()}
    references = scheme.findall(".//BuildableReference")
    assert references
    for reference in references:
        assert ids[reference.attrib["BlueprintIdentifier"]] == reference.attrib["BlueprintName"]
    (plan,) = scheme.findall(".//TestPlanReference")
    path = FOLDER / plan.attrib["reference"].removeprefix("container:")
    tested = json.loads(path.read_text(encoding="utf-8"))
    assert [item["target"]["name"] for item in tested["testTargets"]] == ["MobiBenchTests", "MobiBenchUITests"]
    for item in tested["testTargets"]:
        assert ids[item["target"]["identifier"]] == item["target"]["name"]
    assert {item["options"]["language"] for item in tested["configurations"]} == {"en", "ar"}


def test_info_plist_says_what_the_app_needs_in_every_language() -> None:
    info = plistlib.loads((FOLDER / "Info.plist").read_bytes())
    assert info["NSBonjourServices"] == ["_mobisdk._tcp"]
    assert info["CFBundleURLTypes"][0]["CFBundleURLSchemes"] == ["mobisdk"]
    assert info["UIFileSharingEnabled"] is True
    assert "NSAllowsArbitraryLoads" not in info["NSAppTransportSecurity"]
    catalog = json.loads((FOLDER / "MobiBench/InfoPlist.xcstrings").read_text(encoding="utf-8"))["strings"]
    usages = {key for key in info if key.endswith("UsageDescription")}
    assert usages == {
        "NSCameraUsageDescription",
        "NSLocalNetworkUsageDescription",
        "NSPhotoLibraryUsageDescription",
    }
    for key in usages:
        english = catalog[key]["localizations"]["en"]["stringUnit"]["value"]
        assert english == info[key]
        assert catalog[key]["localizations"]["ar"]["stringUnit"]["value"]
