"""Every ExecuTorch recipe, opened: the backend and the precision of its name are really in the file."""

import json
import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mobiconvert import find_recipe
from mobiconvert.quiet import quiet_imports
from mobisdk.bundle import Bundle
from mobisdk.cli.networks import Network, convert_network, create_untrained_network
from mobisdk.specs import ModelSpec

SPEC = ModelSpec(alpha=0.25, resolution=32, num_classes=10)
Export = Callable[[str], Bundle]


@pytest.fixture(scope="module")
def network() -> Network:
    return create_untrained_network(SPEC)


@pytest.fixture(scope="module")
def export(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Export by a recipe's name, once a recipe."""
    folder = tmp_path_factory.mktemp("bundles")
    return cache(lambda name: convert_network(network, find_recipe(name, "android"), folder))


def open_program(bundle: Bundle) -> Any:
    with quiet_imports():
        from executorch.exir._serialize._program import deserialize_pte_binary

        return deserialize_pte_binary(bundle.model_path.read_bytes())


def delegate_ids(bundle: Bundle) -> list[str]:
    (plan,) = open_program(bundle).program.execution_plan
    return [delegate.id for delegate in plan.delegates]


def kernels(bundle: Bundle) -> set[str]:
    (plan,) = open_program(bundle).program.execution_plan
    return {operator.name for operator in plan.operators}


def open_xnnpack_graph(bundle: Bundle) -> dict[str, Any]:
    """The delegate's flatbuffer as JSON: what XNNPACK itself will read."""
    with quiet_imports():
        from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize as serialize
        from executorch.exir._serialize._flatbuffer import _flatc_decompile

        program = open_program(bundle).program
        (plan,) = program.execution_plan
        blob = program.backend_delegate_data[plan.delegates[0].processed.index].data
        header = serialize.XNNHeader.from_bytes(blob[: serialize.XNNHeader.EXPECTED_LENGTH])
    flatbuffer = blob[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.fbs").write_bytes(serialize._get_schema_bytes())
        (folder / "graph.bin").write_bytes(flatbuffer)
        _flatc_decompile(name, str(folder / "schema.fbs"), str(folder / "graph.bin"), ["--raw-binary"])
        text = (folder / "graph.json").read_text()
    graph: dict[str, Any] = json.loads(re.sub(r": (-?)inf\b", r": \1Infinity", text))
    return graph


def datatypes_of_convolutions(graph: dict[str, Any]) -> set[tuple[str, str]]:
    """What convolutions and dense layers read and give, by XNNPACK's names."""
    types = {}
    for value in graph["xvalues"]:
        inner = value["xvalue_union"]
        tensor = inner.get("tensor_value", inner)
        types[tensor["id_out"]] = tensor["datatype"]
    layers = [node["xnode_union"] for node in graph["xnodes"] if "filter_id" in node["xnode_union"]]
    assert len(layers) == 28  # thirteen blocks of two, the stem, the classifier
    return {(types[layer["input1_id"]], types[layer["output_id"]]) for layer in layers}


@pytest.mark.parametrize(
    ("recipe", "datatype"),
    [
        ("xnnpack_fp32", "xnn_datatype_fp32"),
        ("xnnpack_fp16", "xnn_datatype_fp16"),
        ("xnnpack_int8", "xnn_datatype_qint8"),
    ],
)
def test_xnnpack_when_opened_then_every_layer_is_in_one_delegate_and_in_that_precision(
    export: Export, recipe: str, datatype: str
) -> None:
    bundle = export(recipe)
    assert delegate_ids(bundle) == ["XnnpackBackend"]
    assert bundle.delegated_share == 1.0
    assert datatypes_of_convolutions(open_xnnpack_graph(bundle)) == {(datatype, datatype)}


def test_xnnpack_int8_when_opened_then_weights_have_a_scale_for_each_channel(export: Export) -> None:
    graph = open_xnnpack_graph(export("xnnpack_int8"))
    weights = [
        value["xvalue_union"]
        for value in graph["xvalues"]
        if value["xvalue_union"].get("tensor_value", {}).get("datatype") == "xnn_datatype_qcint8"
    ]
    assert len(weights) == 28
    for weight in weights:
        quantization = weight["quant_params"]
        assert quantization["num_scales"] == weight["tensor_value"]["dims"][quantization["channel_dim"]]


def test_xnnpack_fp16_when_opened_then_only_the_two_casts_are_left_to_kernels(export: Export) -> None:
    assert kernels(export("xnnpack_fp16")) == {"dim_order_ops::_to_dim_order_copy"}


def test_portable_when_opened_then_there_is_no_delegate(export: Export) -> None:
    bundle = export("portable_fp32")
    assert delegate_ids(bundle) == []
    assert {"aten::convolution", "aten::addmm", "aten::relu"} <= kernels(bundle)
    assert bundle.delegated_share == 0.0
