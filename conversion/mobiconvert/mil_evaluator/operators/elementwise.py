"""Operations on each element alone: arithmetic, comparison, activations, casts."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mobiconvert.mil_evaluator.dtypes import DTYPES


def clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    """x between alpha and beta."""
    return x.clamp(alpha, beta)


def threshold(x: Tensor, alpha: float) -> Tensor:
    """The larger of x and alpha."""
    return x.clamp(min=alpha)


def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """1 / √(x + ε)."""
    return torch.rsqrt(x + epsilon)


def inverse(x: Tensor, epsilon: float = 1e-4) -> Tensor:
    """1 / (x + ε)."""
    return torch.reciprocal(x + epsilon)


def log(x: Tensor, epsilon: float = 1e-45) -> Tensor:
    """Natural logarithm of x + ε."""
    return torch.log(x + epsilon)


def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """x where it is positive, else alpha · x."""
    return F.leaky_relu(x, alpha)


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """As leaky_relu, with one alpha a channel of (N,C,*D)."""
    return F.prelu(x, alpha)


def elu(x: Tensor, alpha: float) -> Tensor:
    """x where it is positive, else alpha · (eˣ − 1)."""
    return F.elu(x, alpha)


def clamped_relu(x: Tensor, alpha: float, beta: float) -> Tensor:
    """leaky_relu, at most beta."""
    return F.leaky_relu(x, alpha).clamp(max=beta)


def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    """x where it is at least alpha, else 0."""
    return torch.where(x >= alpha, x, torch.zeros_like(x))


def sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha · x + beta between 0 and 1."""
    return (x * alpha + beta).clamp(0, 1)


def linear_activation(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha · x + beta."""
    return x * alpha + beta


def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha · tanh(beta · x)."""
    return alpha * torch.tanh(x * beta)


def gelu(x: Tensor, mode: Literal["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"] = "EXACT") -> Tensor:
    """Gaussian error linear unit, or one of its two approximations."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


def softplus_parametric(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha · log(1 + e^(beta · x)), a channel of (N,C,*D) each."""
    channels = (-1, *[1] * (x.dim() - 2))
    return alpha.reshape(channels) * F.softplus(x * beta.reshape(channels))


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Exponentials along `axis` that sum to 1."""
    return torch.softmax(x, axis)


def cast(x: Tensor, dtype: Literal["fp16", "fp32", "int8", "uint8", "int16", "uint16", "int32", "bool"]) -> Tensor:
    """The same values in another type; fractions are cut off for whole numbers. float16 is rounded by the caller."""
    return x.to(DTYPES[dtype].held)


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where `cond` holds, else `b`."""
    return torch.where(cond, a, b)


def _of_one(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def operator(x: Tensor) -> Tensor:
        return function(x)

    return operator


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def operator(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return operator


_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "abs": torch.abs,
    "acos": torch.acos,
    "asin": torch.asin,
    "atan": torch.atan,
    "atanh": torch.atanh,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "logical_not": torch.logical_not,
    "relu": torch.relu,
    "relu6": F.relu6,
    "round": torch.round,
    "sigmoid": torch.sigmoid,
    "sign": torch.sign,
    "silu": F.silu,
    "sin": torch.sin,
    "sinh": torch.sinh,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tan": torch.tan,
    "tanh": torch.tanh,
}

_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "equal": torch.eq,
    "floor_div": torch.floor_divide,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mod": torch.remainder,
    "mul": torch.mul,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "real_div": torch.true_divide,  # of whole numbers: the caller cuts the fraction off
    "sub": torch.sub,
}

OPERATORS: dict[str, Callable[..., Tensor]] = {
    **{name: _of_one(function) for name, function in _ONE.items()},
    **{name: _of_two(function) for name, function in _TWO.items()},
    "cast": cast,
    "clamped_relu": clamped_relu,
    "clip": clip,
    "elu": elu,
    "gelu": gelu,
    "inverse": inverse,
    "leaky_relu": leaky_relu,
    "linear_activation": linear_activation,
    "log": log,
    "prelu": prelu,
    "rsqrt": rsqrt,
    "scaled_tanh": scaled_tanh,
    "select": select,
    "sigmoid_hard": sigmoid_hard,
    "softmax": softmax,
    "softplus_parametric": softplus_parametric,
    "threshold": threshold,
    "thresholded_relu": thresholded_relu,
}
