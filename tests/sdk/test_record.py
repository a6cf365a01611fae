import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobisdk.latency import log, record
from mobisdk.latency.record import LatencyRun, durations

SCHEMA: dict[str, Any] = json.loads(Path(record.__file__).with_name("latency_run.schema.json").read_bytes())
OBJECTS = {
    "app": record.App,
    "device": record.Device,
    "bundle": record.BundleRef,
    "runtime": record.RuntimeInfo,
    "placement": record.Placement,
    "conditions": record.Conditions,
    "source_image": record.SourceImage,
    "memory": record.Memory,
    "energy": record.Energy,
    "golden": record.GoldenCheck,
}


def names_of(cls: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def test_schema_has_the_fields_of_the_record() -> None:
    assert sorted(SCHEMA["properties"]) == sorted(["schema", *names_of(LatencyRun)])
    assert set(SCHEMA["properties"]) - set(SCHEMA["required"]) == {"per_op"}


@pytest.mark.parametrize("name", OBJECTS)
def test_schema_of_an_object_has_the_fields_of_its_record_and_requires_all(name: str) -> None:
    part = SCHEMA["properties"][name]
    assert list(part["properties"]) == part["required"] == names_of(OBJECTS[name])


@pytest.mark.parametrize(("name", "cls"), [("thermal", record.ThermalSample), ("per_op", record.OpTime)])
def test_schema_of_a_list_has_the_fields_of_its_record(name: str, cls: type[Any]) -> None:
    part = SCHEMA["properties"][name]["items"]
    assert list(part["properties"]) == part["required"] == names_of(cls)


def test_schema_when_read_is_a_valid_one_of_its_draft() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == log.SCHEMA


def test_durations_when_made_are_a_copy_that_nobody_can_change() -> None:
    source = [3, 2]
    made = durations(source)
    source[0] = 0
    assert made.tolist() == [3, 2]
    assert made.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        made[0] = 1
