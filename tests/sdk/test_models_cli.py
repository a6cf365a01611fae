import json

import pytest
from typer.testing import CliRunner

from mobisdk.cli.models import models_app
from mobisdk.errors import ConfigError
from mobisdk.models import list_models


def run(*arguments: str) -> str:
    result = CliRunner().invoke(models_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout


def test_list_shows_every_architecture() -> None:
    rows = {words[0]: words[1:] for words in map(str.split, run("list").splitlines()) if words}

    assert set(list_models()) <= set(rows)
    assert rows["mobilenet_v1"] == ["4.23", "568.7", "16.9"]


def test_list_takes_both_dials_and_the_classes() -> None:
    document = json.loads(run("list", "--alpha", "0.5", "--resolution", "160", "--num-classes", "1000", "--json"))

    assert document["alpha"] == 0.5
    assert document["models"][list_models().index("mobilenet_v1")] == {
        "arch": "mobilenet_v1",
        "params": 1_331_592,
        "macs": 76_524_800,
        "size_bytes": 4 * 1_331_592,
    }
    assert [model["arch"] for model in document["models"]] == list_models()


def test_show_prints_every_layer_and_the_shares_of_table_2() -> None:
    lines = [line.split() for line in run("show", "mobilenet_v1").splitlines()]

    # 10,838,016 multiply-adds on 4 · (864 + 3·224² + 32·112²) bytes; 51,380,224 on 4 · (1024² + 2 · 1024·7²).
    assert ["stem.conv", "conv", "32×112×112", "864", "10.84", "3.5", "4.9"] in lines
    assert ["blocks.12.pointwise.conv", "conv1x1", "1024×7×7", "1,048,576", "51.38", "4194.3", "11.2"] in lines
    assert ["all", "4,231,976", "568.74", "16927.9"] in lines
    assert ["conv1x1", "13", "94.86", "74.59"] in lines
    assert ["dense", "1", "0.18", "24.33"] in lines


def test_show_answers_with_one_document() -> None:
    document = json.loads(run("show", "mobilenet_v1", "--alpha", "0.25", "--resolution", "128", "--json"))

    assert document["spec"]["alpha"] == 0.25
    assert (document["params"], document["macs"]) == (470_072, 13_570_048)
    assert sum(layer["macs"] for layer in document["layers"]) == document["macs"]
    assert sum(kind["macs_share"] for kind in document["kinds"]) == pytest.approx(1.0)
    assert document["layers"][-1]["output_shape"] == [1, 1000]


def test_paper_lays_the_papers_figures_beside_ours() -> None:
    lines = [line.split() for line in run("paper").splitlines()]

    assert ["Conv", "MobileNet", "71.7", "4866", "4867.3", "29.3", "29.29"] in lines
    assert ["VGG", "16", "71.5", "15300", "–", "138", "–"] in lines
    tables = json.loads(run("paper", "--json"))["tables"]
    assert [table["table"] for table in tables] == [4, 5, 6, 7, 8, 9]
    for row in (row for table in tables for row in table["rows"] if row["spec"]):
        assert row["params"] / 1e6 == pytest.approx(row["million_params"], abs=0.06)
        # SqueezeNet's 1,700 are floating-point operations at 227×227, two a multiply-add.
        factor = 2 if row["name"] == "SqueezeNet" else 1
        assert factor * row["macs"] / 1e6 == pytest.approx(row["million_macs"], rel=0.04)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "mobilnet_v1"], "Did you mean mobilenet_v1?"),
        (["show", "mobilenet_v1", "--resolution", "31"], "resolution must be a whole number, got 31"),
        (["list", "--alpha", "0"], "alpha must be a number, got 0.0"),
        (["list", "--alpha", "nan"], "alpha must be a number, got nan"),
        (["list", "--alpha", "0.01"], "alpha leaves a layer without a channel, got 0.01"),
    ],
)
def test_bad_values_are_named(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(models_app, arguments)

    assert isinstance(result.exception, ConfigError)
    assert sentence in str(result.exception)
    assert result.stdout == ""
