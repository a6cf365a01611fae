"""The optimizer and its learning rate."""

from typing import Any

from torch import nn, optim

from mobisdk.layers.depthwise import is_depthwise
from mobisdk.training.course import Course
from mobisdk.training.plan import TrainingPlan
from mobisdk.training.schedule import learning_rate_factor

_MOMENTUM = 0.9


def build_optimizer(model: nn.Module, plan: TrainingPlan) -> optim.Optimizer:
    """SGD with Nesterov's momentum, RMSprop as the paper's TensorFlow had it, or AdamW."""
    groups = parameter_groups(model, plan.weight_decay)
    match plan.optimizer:
        case "sgd":
            return optim.SGD(groups, plan.learning_rate, _MOMENTUM, nesterov=True, fused=True)
        case "rmsprop":
            # TensorFlow's decay and epsilon; torch's own make MobileNets diverge.
            return optim.RMSprop(groups, plan.learning_rate, alpha=0.9, eps=1e-3, momentum=_MOMENTUM, foreach=True)
        case "adamw":
            return optim.AdamW(groups, plan.learning_rate, fused=True)


def build_schedule(optimizer: optim.Optimizer, plan: TrainingPlan, course: Course) -> optim.lr_scheduler.LambdaLR:
    """The plan's schedule over the training's course."""
    return optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: learning_rate_factor(plan.schedule, course.place(step), course.steps, plan.warmup),
    )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """What is trained with weight decay, and without: depthwise filters, norms and biases.

    Source: Howard et al. 2017 (arXiv:1704.04861), section 3.2: "it was important to put very little or no weight
    decay (l2 regularization) on the depthwise filters since there are so few parameters in them".
    """
    # By the module's parameters, since a parametrized `weight` is none.
    depthwise = {
        id(parameter) for module in model.modules() if is_depthwise(module) for parameter in module.parameters()
    }
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        (free if parameter.dim() < 2 or id(parameter) in depthwise else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
