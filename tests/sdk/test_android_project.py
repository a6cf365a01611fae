"""The Gradle project and android/check.sh build one thing: the same sources, levels and versions."""

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

from mobisdk.devices import phone_logs

ROOT = Path(__file__).resolve().parents[2]
ANDROID = ROOT / "android"
CATALOG = tomllib.loads((ANDROID / "gradle/libs.versions.toml").read_text())
MODULES = ("runtime", "executorch", "app")
NAME = "{http://schemas.android.com/apk/res/android}name"


def read(name: str) -> str:
    return (ANDROID / name).read_text(encoding="utf-8")


def test_executorch_is_the_sdks_own_version() -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    version = CATALOG["versions"]["executorch"]
    assert f"\nexecutorch=={version}\n" in constraints
    classifier = read("executorch/src/main/kotlin/dev/mobisdk/executorch/ExecuTorchClassifier.kt")
    assert f'EXECUTORCH_VERSION: String = "{version}"' in classifier


def test_kotlin_and_its_libraries_are_those_of_the_script() -> None:
    toolchain = read("toolchain.sh")
    versions = CATALOG["versions"]
    assert f'KOTLIN="kotlin-compiler@{versions["kotlin"]} ' in toolchain
    assert f"kotlinx-serialization {versions['kotlinxSerialization']}" in toolchain


def test_levels_are_those_of_the_script() -> None:
    versions = CATALOG["versions"]
    script = read("check/android.sh")
    assert f"MIN_SDK={versions['minSdk']} TARGET_SDK={versions['targetSdk']}" in script
    assert int(versions["compileSdk"]) >= int(versions["targetSdk"])
    app = read("app/build.gradle.kts")
    assert re.findall(r'applicationId = "(.*)"', app) == re.findall(r"APPLICATION_ID=(\S+)", script)


def test_logs_pull_finds_the_log_where_the_app_writes_it() -> None:
    assert f'applicationId = "{phone_logs.ANDROID_APP}"' in read("app/build.gradle.kts")
    storage = read("app/src/main/kotlin/dev/mobisdk/app/Storage.kt")
    assert 'log = File(shared, "latency.jsonl")' in storage
    assert phone_logs._ANDROID_LOG.format(app=phone_logs.ANDROID_APP) in read("README.md")


def test_gradle_and_the_script_compile_the_same_folders() -> None:
    settings = read("settings.gradle.kts")
    assert re.findall(r'":(\w+)"', settings) == list(MODULES)
    steps = "".join(path.read_text() for path in sorted((ANDROID / "check").glob("*.sh")))
    for module in MODULES:
        for part in ("main", "test"):
            assert f"{module}/src/{part}/kotlin" in steps
            assert list((ANDROID / module / "src" / part / "kotlin").rglob("*.kt"))
        # Folders of its own would be compiled by Gradle alone.
        assert "srcDir" not in read(f"{module}/build.gradle.kts")
    folders = {"/".join(path.relative_to(ANDROID).parts[:4]) for path in ANDROID.glob("*/src/**/*.kt")}
    compiled_by_both = {f"{module}/src/{part}/kotlin" for module in MODULES for part in ("main", "test")}
    # A program that plays the phone on a computer is the script's alone.
    assert folders - {"runtime/src/fakePhone/kotlin"} == compiled_by_both
    java = [
        path
        for path in ANDROID.glob("**/*.java")
        if path.relative_to(ANDROID).parts[0] not in ("stubs", "build", "check")
    ]
    assert java == []


def test_every_flavor_has_its_executorch() -> None:
    library, app = read("executorch/build.gradle.kts"), read("app/build.gradle.kts")
    flavors = re.findall(r'create\("(\w+)"\)', library)
    assert flavors == ["xnnpack", "vulkan", "qnn"]
    assert re.findall(r'create\("(\w+)"\)', app) == flavors
    for flavor in flavors:
        assert f'"{flavor}Implementation"(libs.executorch.{flavor})' in library
        suffix = "" if flavor == "xnnpack" else f"-{flavor}"
        module = CATALOG["libraries"][f"executorch-{flavor}"]["module"]
        assert module == f"org.pytorch:executorch-android{suffix}"


def test_every_alias_is_in_the_catalog() -> None:
    known = {name.replace("-", ".") for name in CATALOG["libraries"]}
    known |= {"plugins." + name.replace("-", ".") for name in CATALOG["plugins"]}
    known |= {"versions." + name for name in CATALOG["versions"]}
    used: set[str] = set()
    for path in [ANDROID / "build.gradle.kts", *(ANDROID / module / "build.gradle.kts" for module in MODULES)]:
        used |= set(re.findall(r"libs\.([\w.]+?)(?:\.get\(\)|\))", path.read_text()))
    assert used
    assert used <= known


def test_only_the_executorch_library_touches_the_runtime() -> None:
    importers = {
        path.relative_to(ANDROID).parts[0]
        for path in ANDROID.glob("*/src/**/*.kt")
        if "org.pytorch.executorch" in path.read_text(encoding="utf-8")
    }
    assert importers == {"executorch"}


def test_the_manifest_asks_for_the_network_alone_and_opens_nothing_else() -> None:
    manifest = ElementTree.parse(ANDROID / "app/src/main/AndroidManifest.xml").getroot()  # noqa: S314 our own file
    assert [node.get(NAME) for node in manifest.iter("uses-permission")] == ["android.permission.INTERNET"]
    application = manifest.find("application")
    assert application is not None
    attribute = NAME.replace("name", "{}").replace("{}", "")
    assert application.get(f"{attribute}usesCleartextTraffic") == "false"
    assert application.get(f"{attribute}supportsRtl") == "true"
    exported = {node.get(NAME) for node in application if node.get(f"{attribute}exported") == "true"}
    assert exported == {".MainActivity"}


def test_an_address_or_a_token_never_comes_out_of_an_intent() -> None:
    activity = read("app/src/main/kotlin/dev/mobisdk/app/MainActivity.kt")
    assert re.findall(r"get\w*Extra\((\w+)\)", activity) == ["PLAN"]


def test_the_wrapper_is_a_gradle_that_the_plugin_takes() -> None:
    properties = read("gradle/wrapper/gradle-wrapper.properties")
    version = re.search(r"gradle-([\d.]+)-bin\.zip", properties)
    assert version is not None
    # developer.android.com/build/releases/agp-9-4-0-release-notes: AGP 9.4 needs Gradle 9.6.0, and knows API level 37.
    assert CATALOG["versions"]["agp"].startswith("9.4.")
    assert tuple(map(int, version[1].split("."))) >= (9, 6, 0)
    assert int(CATALOG["versions"]["compileSdk"]) <= 37
