"""Leaves out roundings that a reshape stands before, which coremltools would get wrong.

Where a flattened activation is rounded once more, to another scale, coremltools takes `dequantize, reshape, quantize`
for a reshape of the whole numbers, and what follows reads them with the wrong scale: a classifier behind a flatten then
gives noise. The values are already rounded, so the second rounding is not needed.
"""

from torch.export import ExportedProgram
from torch.fx import Node

_SHAPING = ("view", "reshape", "flatten", "_unsafe_view", "squeeze", "unsqueeze")


def drop_rounding_after_reshape(program: ExportedProgram) -> ExportedProgram:
    """Change `program` in place: what reads a second rounding reads the reshaped values themselves."""
    graph = program.graph
    for node in list(graph.nodes):
        if not _is(node, "quantize_per_tensor") or not _comes_rounded(node.args[0]):
            continue
        for reader in list(node.users):
            if _is(reader, "dequantize_per_tensor"):
                reader.replace_all_uses_with(node.args[0])
                graph.erase_node(reader)
        if not node.users:
            graph.erase_node(node)
    program.graph_module.recompile()
    return program


def _comes_rounded(node: object) -> bool:
    """Whether these are values of a dequantize, in another shape."""
    if not isinstance(node, Node) or not any(_is(node, name) for name in _SHAPING):
        return False
    source = node.args[0]
    return isinstance(source, Node) and (_is(source, "dequantize_per_tensor") or _comes_rounded(source))


def _is(node: Node, name: str) -> bool:
    return node.op == "call_function" and str(node.target).split(".")[1:2] == [name]
