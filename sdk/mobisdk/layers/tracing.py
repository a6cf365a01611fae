"""A forward pass as a graph whose steps are layers, for whoever follows channels through it."""

from torch import fx, nn


class LayerTracer(fx.Tracer):
    """Sees every module that has parameters of its own as one step."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether not to look inside."""
        return any(True for _ in m.parameters(recurse=False)) or super().is_leaf_module(m, module_qualified_name)


def concatenation_axis(node: fx.Node) -> object:
    """The axis along which a `torch.cat` joins."""
    return node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
