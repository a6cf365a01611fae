"""The one table of thermal states, held to the latency schema and to what the two systems document."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("thermal.json").read_text())


def test_states_are_the_latency_schemas_from_cool_to_hot() -> None:
    schema = json.loads(resources.files("mobisdk.latency").joinpath("latency_run.schema.json").read_text())
    assert TABLE["states"] == schema["$defs"]["thermal_state"]["enum"]


def test_every_number_has_a_state_and_a_hotter_one_is_never_called_cooler() -> None:
    for system, count in (("android", 7), ("ios", 4)):
        rows = TABLE[system]
        assert [row["raw"] for row in rows] == list(range(count))
        heat = [TABLE["states"].index(row["state"]) for row in rows]
        assert heat == sorted(heat)
        assert set(heat) == {0, 1, 2, 3}


def test_unknown_numbers_are_in_no_table_and_become_null() -> None:
    for system in ("android", "ios"):
        assert not set(TABLE["unknown"][system]) & {row["raw"] for row in TABLE[system]}
    assert TABLE["unknown"]["state"] is None
