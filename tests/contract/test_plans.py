"""plans.json against a JSON Schema written from the contract's words."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

CASES = json.loads(Path(__file__).with_name("plans.json").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": "mobisdk.plan/1"},
        "bundles": {
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"},
        },
        "mode": {"enum": ["burst", "sustained", "cold"]},
        "runs": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "samples": {"type": "integer", "minimum": 1, "maximum": 300_000},
        "seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
        "threads": {"type": ["integer", "null"], "minimum": 1, "maximum": 1024},
        "compute_units": {"enum": [None, "all", "cpuAndNeuralEngine", "cpuAndGPU", "cpuOnly"]},
    },
    "if": {"required": ["mode"], "properties": {"mode": {"const": "cold"}}},
    "then": {"required": ["bundles"], "properties": {"bundles": {"minItems": 1, "maxItems": 1}}},
}
DEFAULTS: dict[str, Any] = {
    "bundles": [],
    "mode": "burst",
    "runs": 10,
    "samples": 50,
    "seconds": 60,
    "threads": None,
    "compute_units": None,
}


@pytest.mark.parametrize("case", CASES["good"], ids=lambda case: case["name"])
def test_good_plans_pass_and_take_the_defaults(case: dict[str, Any]) -> None:
    plan = json.loads(case["plan"])
    jsonschema.validate(plan, SCHEMA)
    assert {**DEFAULTS, **{key: value for key, value in plan.items() if key != "schema"}} == case["expect"]


@pytest.mark.parametrize("case", CASES["bad"], ids=lambda case: case["name"])
def test_bad_plans_break_the_rule_that_they_name(case: dict[str, Any]) -> None:
    try:
        plan = json.loads(case["plan"])
    except json.JSONDecodeError:
        assert case["field"] == ""
        return
    errors = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(plan))
    assert errors
    named = {str(error.absolute_path[0]) if error.absolute_path else error.message for error in errors}
    assert case["field"] == "" or any(case["field"] in name for name in named)
