import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobisdk.errors import DataError
from mobisdk.latency.columns import read_block
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.run_columns import run_schema

CONTRACT = Path(__file__).parents[1] / "contract/latency"
GOOD = (CONTRACT / "good.jsonl").read_bytes().splitlines()
BAD = (CONTRACT / "bad.jsonl").read_bytes().split(b"\n")[:-1]


def as_document(row: dict[str, Any]) -> dict[str, Any]:
    row["bundle"]["spec"] = json.loads(row["bundle"]["spec"]) if row["bundle"]["spec"] else None
    row["placement"]["share"] = json.loads(row["placement"]["share"])
    return row | {"per_op": row["per_op"] or []}


def test_columns_hold_what_parsing_gives() -> None:
    table, numbers, odd = read_block(b"\n".join(GOOD))
    assert odd == []
    rows = {int(number): as_document(row) for number, row in zip(numbers, table.to_pylist(), strict=True)}
    for number, line in enumerate(GOOD):
        assert rows[number] == json.loads(to_json_line(parse_run(line)))


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_line_that_is_no_run_is_none_among_others_too(line: bytes) -> None:
    with pytest.raises(DataError) as refused:
        parse_run(line)
    table, numbers, odd = read_block(b"\n".join([*GOOD[:6], line, *GOOD[6:]]) + b"\n")
    assert sorted(numbers) == [*range(6), *range(7, len(GOOD) + 1)]
    assert table.num_rows == len(GOOD)
    assert [(each.number, each.reason) for each in odd] == [(6, str(refused.value))]


@pytest.mark.parametrize(
    "change",
    [
        (b'"soc":"Tensor G3",', b""),
        (b'"compile_ns":null,', b""),
        (b'"notes":null', b'"note":":null"'),
        (b'"compile_ns":null,', b'"later":null,'),
        (b'"soc":"Tensor G3",', b'"chip":null,'),
        (b'"notes":null', b'"note":"x\\":null"'),
        (b'"portable":0.02', b'"portable":NaN'),
        (b'"portable":0.02', b'"portable":"all"'),
        (b'"portable":0.02', b'"portable":null'),
        (b'"width":640', b'"width":640,"width":640'),
        (b'"num_classes":1000', b'"num_classes":{"deep":1}'),
        (b'"mode":"burst"', b'"mode":"burst","later":Infinity'),
        (b"}", b"}{}"),
        (b"2026-03-01T09", b"2026-03-01T25"),
        (b"1840000", b"1840000.5"),
        (b"1840000", b'"1840000"'),
        (b"1840000", b"true"),
        (b"[2200000,1950000]", b"[2200000,1950000,]"),
        (b"[2200000,1950000]", b"[2200000,1950000,[1]]"),
    ],
)
def test_change_that_breaks_a_line_is_seen_in_columns_as_in_parsing(change: tuple[bytes, bytes]) -> None:
    line = GOOD[0].replace(*change) if change[0] != b"}" else GOOD[0] + b"{}"
    assert line != GOOD[0]
    with pytest.raises(DataError):
        parse_run(line)
    table, _, odd = read_block(b"\n".join([GOOD[1], line]))
    assert (table.num_rows, [each.number for each in odd]) == (1, [1])


@pytest.mark.parametrize(
    "change",
    [
        (b'"notes":null', b'"notes":"a :null b"'),
        (b'"alpha":0.5,', b'"alpha":1,'),
        (b'"mode":"burst"', b'"mode":"burst","later":null'),
        (b'"compile_ns":null,', b'"compile_ns" : null,'),
        (b'"compile_ns":null,', b'"compile_ns": null,'),
        (b"1840000", b"1.84e6"),
        (b'"mode":"burst"', b'"mode":"burst","later":{"deep":[null,{"x":1}]}'),
        (b'{"schema"', b' {"schema"'),
        (b"09:30:00.125+02:00", b"09:30:00Z"),
    ],
)
def test_odd_line_that_is_a_run_is_one(change: tuple[bytes, bytes]) -> None:
    line = GOOD[0].replace(*change)
    parse_run(line)
    table, numbers, odd = read_block(b"\n".join([GOOD[1], line]))
    assert (table.num_rows, sorted(numbers), odd) == (2, [0, 1], [])


def test_blank_lines_and_ends_of_windows_keep_their_numbers() -> None:
    table, numbers, odd = read_block(b"\r\n\r\n".join([GOOD[0], GOOD[1]]) + b"\r\n  \t\r\nno\r\n")
    assert table.num_rows == 2
    assert numbers.tolist() == [0, 2]
    assert [each.number for each in odd] == [4]


def test_nothing_is_an_empty_table() -> None:
    for text in (b"", b"\n\n"):
        table, numbers, odd = read_block(text)
        assert table.schema == run_schema()
        assert (table.num_rows, numbers.tolist(), odd) == (0, [], [])


def test_samples_keep_every_digit() -> None:
    samples = np.random.default_rng(0).integers(0, 10**18, 3).tolist()
    line = GOOD[0].replace(b"[1840000,1835500,1861000]", json.dumps(samples).encode())
    assert read_block(line)[0]["inference_ns"][0].as_py() == samples
