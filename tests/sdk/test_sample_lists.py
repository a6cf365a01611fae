import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sdk.test_columns import as_document

from mobisdk.errors import DataError
from mobisdk.latency import columns
from mobisdk.latency.columns import read_block
from mobisdk.latency.log import parse_run
from mobisdk.latency.sample_lists import SAMPLE_LISTS, cut_samples

CONTRACT = Path(__file__).parents[1] / "contract/latency"
GOOD = (CONTRACT / "good.jsonl").read_bytes().splitlines()
BAD = (CONTRACT / "bad.jsonl").read_bytes().split(b"\n")[:-1]


def bounds(*lines: bytes) -> tuple[bytes, Any]:
    return b"".join(line + b"\n" for line in lines), np.cumsum([0, *(len(line) + 1 for line in lines)])


def retold(line: bytes, **changes: Any) -> bytes:
    return json.dumps(json.loads(line) | changes, separators=(",", ":")).encode()


def test_samples_are_those_of_each_line_and_the_rest_is_the_line_without_them() -> None:
    backwards = dict(reversed(json.loads(GOOD[0]).items()))
    lines = [GOOD[0], json.dumps(backwards, separators=(",", ":")).encode(), GOOD[1], GOOD[0]]
    cut = cut_samples(*bounds(*lines))
    assert cut is not None
    rest = [cut.rest[first:last] for first, last in zip(cut.offsets, cut.offsets[1:], strict=False)]
    assert b"".join(rest) == cut.rest
    for row, line in enumerate(lines):
        document = json.loads(line)
        for name in SAMPLE_LISTS:
            assert cut.samples[name][row].as_py() == document[name]
        assert json.loads(rest[row]) == document | {name: [] for name in SAMPLE_LISTS}


@pytest.mark.parametrize(
    "values", [b"[1.5]", b'["1"]', b"[null]", b"[true]", b"[01]", b"[1,]", b"[1e3]", b"[9223372036854775808]", b"7"]
)
def test_list_of_something_else_is_left_to_the_careful_reader(values: bytes) -> None:
    assert cut_samples(*bounds(GOOD[0].replace(b"[2200000,1950000]", values))) is None


CHANGES = [
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns" : [ 2200000 , 1950000 ]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns":[ ]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns":[-0]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns":[-1]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns":[],"warmup_ns":[]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup_ns":[1],"warmup_ns": [2]'),
    (b'"warmup_ns":[2200000,1950000]', b'"later":{"warmup_ns":[2200000,1950000]}'),
    (b'"warmup_ns":[2200000,1950000]', b'"later":{"warmup_ns":[9]},"warmup_ns": [ ]'),
    (b'"warmup_ns":[2200000,1950000]', b'"later":{"warmup_ns":[null]},"warmup_ns":[1]'),
    (b'"warmup_ns":[2200000,1950000]', b'"later":{"warmup_ns":["]"]},"warmup_ns":[1]'),
    (b'"warmup_ns":[2200000,1950000]', b'"x\\"warmup_ns":["]",1],"warmup_ns":[1]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup\\u005fns":[3]'),
    (b'"warmup_ns":[2200000,1950000]', b'"warmup\\u005fns":[3],"warmup_ns":[4]'),
    (b'"notes":null', b'"notes":"\\"warmup_ns\\":[1,2]"'),
    (b'"notes":null', b'"notes":"[\\"inference_ns\\":["'),
    (b'"soc":"Tensor G3",', b'"later":{"warmup_ns":[null]},'),
    (b'"soc":"Tensor G3"', b'"soc":"[]"'),
    (b"1840000", b"18446744073709551615"),
    (b'"notes":null', b'"notes":null,"later_ns":[1e400]'),
    (b'"notes":null', b'"notes":null,"later_ns":[' + b"9" * 400 + b".0]"),
    (b'"notes":null', b'"notes":null,"later_ns":["\\ud800"]'),
    (b'"notes":null', b'"notes":null,"later_ns":[{"a":1,"a":2}]'),
    (b'"notes":null', b'"notes":null,"later_ns":[1,[2]]'),
    (b'"notes":null', b'"notes":null,"later_ns":[1.5,2]'),
    (b'"warmup_ns":[2200000,1950000]', b'"later":{"warmup_ns":[{"a":1,"a":2}]},"warmup_ns": [1]'),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_line_is_a_run_with_samples_apart_exactly_where_parsing_says_so(change: tuple[bytes, bytes]) -> None:
    line = GOOD[0].replace(*change)
    assert line != GOOD[0]
    table, numbers, odd = read_block(b"\n".join([GOOD[1], line, GOOD[2]]))
    try:
        run = parse_run(line)
    except DataError as error:
        refused = [(1, str(error))]
    else:
        refused = []
    assert [(each.number, each.reason) for each in odd] == refused
    if refused:
        return
    (row,) = table.filter(numbers == 1).to_pylist()
    assert {name: row[name] for name in SAMPLE_LISTS} == {name: getattr(run, name).tolist() for name in SAMPLE_LISTS}


def test_both_ways_of_reading_give_the_same_columns_and_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lines = [line.replace(*change) for change in CHANGES for line in GOOD[:2]]
    for number in range(40):
        samples = rng.integers(0, 10 ** int(rng.integers(1, 18)), int(rng.integers(1, 30)))
        lines.append(
            retold(
                GOOD[0], run_id=f"00000000-0000-0000-0000-{number:012d}", inference_ns=samples.tolist(),
                sample_at_ns=np.sort(samples).tolist(), preprocess_ns=[], postprocess_ns=samples[::-1].tolist(),
            )
        )  # fmt: skip
    for _ in range(6):
        rng.shuffle(lines)
        text = b"\n".join([*lines, *BAD])
        table, numbers, odd = read_block(text)
        with monkeypatch.context() as patch:
            patch.setattr(columns, "cut_samples", lambda *_: None)
            plain, plain_numbers, plain_odd = read_block(text)
        assert (sorted(numbers), odd) == (sorted(plain_numbers), plain_odd)
        rows, plain_rows = (
            [as_document(row) for row in found.take(np.argsort(places)).to_pylist()]
            for found, places in ((table, numbers), (plain, plain_numbers))
        )
        assert rows == plain_rows
