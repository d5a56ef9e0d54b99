"""Quantized modules and their float twins on the same inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from qrs.autograd import no_grad
from qrs.nn.module import Module
from qrs.qtensor import QTensor
from qrs.quantization._numeric_suite.loggers import Logger as BaseLogger
from qrs.quantization._numeric_suite.loggers import ShadowLogger, get_logger_dict, was_called
from qrs.quantization.swaps import (
    get_default_dynamic_quant_module_mappings,
    get_default_static_quant_module_mappings,
)

__all__ = [
    "Shadow",
    "check_twins",
    "check_types",
    "compare_model_stub",
    "prepare_model_with_stubs",
    "remove_stubs",
    "shadowed",
]

Types = Collection[type[Module]]


def _floats(value: Any) -> Any:
    if isinstance(value, QTensor):
        return value.dequantize()
    if isinstance(value, tuple | list):
        return type(value)(_floats(item) for item in value)
    return value


class Shadow(Module):
    """A quantized module with its float twin beside it, on the same inputs.

    The output is that of the quantized module. The operations of `FloatFunctional` are passed on
    the same way.

    Parameters
    ----------
    q_module : Module
    float_module : Module
    Logger : type of Logger
        An instance is called with both outputs.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._numeric_suite import Shadow, ShadowLogger
    >>> layer = qrs.nn.Linear(2, 2)
    >>> shadow = Shadow(qrs.quantization.quantize_dynamic(layer), layer, ShadowLogger)
    >>> _ = shadow(qrs.ones(1, 2))
    >>> len(shadow.logger.stats["float"])
    1
    """

    orig_module: Module
    shadow_module: Module
    logger: Module

    def __init__(self, q_module: Module, float_module: Module, Logger: type[BaseLogger]) -> None:  # noqa: N803 - PyTorch's name
        super().__init__()
        self.orig_module = q_module
        self.shadow_module = float_module
        self.logger = Logger()
        self.train(q_module.training)

    def _both(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = getattr(self.orig_module, method)(*args, **kwargs)
        floats = {name: _floats(value) for name, value in kwargs.items()}
        twin = getattr(self.shadow_module, method)(*_floats(args), **floats)
        self.logger(output, twin)
        return output

    def forward(self, *x: Any, **kwargs: Any) -> Any:
        """Run both modules; the output of the quantized one."""
        return self._both("__call__", x, kwargs)

    def add(self, x: Any, y: Any) -> Any:
        """The sum."""
        return self._both("add", (x, y), {})

    def add_scalar(self, x: Any, y: float) -> Any:
        """The sum with a number."""
        return self._both("add_scalar", (x, y), {})

    def mul(self, x: Any, y: Any) -> Any:
        """The product."""
        return self._both("mul", (x, y), {})

    def mul_scalar(self, x: Any, y: float) -> Any:
        """The product with a number."""
        return self._both("mul_scalar", (x, y), {})

    def matmul(self, x: Any, y: Any) -> Any:
        """The product of matrices."""
        return self._both("matmul", (x, y), {})

    def cat(self, x: Any, dim: int = 0) -> Any:
        """The tensors joined along a dimension."""
        return self._both("cat", (x, dim), {})

    def add_relu(self, x: Any, y: Any) -> Any:
        """The sum, cut at 0 from below."""
        return self._both("add_relu", (x, y), {})


def check_types(where: str, types: object) -> None:
    """Refuse what is no collection of types of modules.

    Raises
    ------
    TypeError
        Says what came.
    """
    if not isinstance(types, Collection) or not all(isinstance(kind, type) for kind in types):
        raise TypeError(
            f"{where}: {types!r} came, expected types of modules, such as {{nn.Conv2d}}"
        )


def check_twins(where: str, name: str, float_module: Module, q_module: Module) -> None:
    """Refuse a quantized module that was not made from a module like its twin.

    Raises
    ------
    ValueError
        Says what would have been one.
    """
    tables = (get_default_static_quant_module_mappings, get_default_dynamic_quant_module_mappings)
    sources = {old for table in tables for old, new in table().items() if new is type(q_module)}
    if sources and type(float_module) not in sources:
        names = " or ".join(sorted({source.__name__ for source in sources}))
        raise ValueError(
            f"{where}: {name} is a float {type(float_module).__name__} and a quantized "
            f"{type(q_module).__name__}, expected a float {names}; fuse both models alike"
        )


def prepare_model_with_stubs(
    float_module: Module,
    q_module: Module,
    module_swap_list: Types,
    Logger: type[BaseLogger],  # noqa: N803 - PyTorch's name
) -> None:
    """Put a `Shadow` in the place of quantized modules, in place; `remove_stubs` undoes it.

    Parameters
    ----------
    float_module : Module
        The float model, fused like the quantized one.
    q_module : Module
        The quantized model.
    module_swap_list : collection of type
        Exact types of float modules, layers or whole blocks, whose quantized twins are wrapped.
    Logger : type of Logger
        Such as `ShadowLogger`.

    Raises
    ------
    TypeError
        If ``module_swap_list`` holds something else than types.
    ValueError
        If there is none to wrap, or a quantized module was made from another kind of module.
    """
    where = "prepare_model_with_stubs"
    check_types(where, module_swap_list)
    twins = dict(float_module.named_modules(remove_duplicate=False))
    wrapped: list[str] = []
    shadows: dict[Module, Shadow] = {}
    for path, parent in list(q_module.named_modules(remove_duplicate=False)):
        if any(path == done or path.startswith(f"{done}.") for done in wrapped):
            continue
        for child_name, child in list(parent._modules.items()):
            name = f"{path}.{child_name}" if path else child_name
            twin = twins.get(name)
            if child is None or type(twin) not in module_swap_list or twin is None:
                continue
            wrapped.append(name)
            if isinstance(child, Shadow):
                continue
            check_twins(where, name, twin, child)
            if child not in shadows:
                shadows[child] = Shadow(child, twin, Logger)
            parent._modules[child_name] = shadows[child]
    if not wrapped:
        names = ", ".join(sorted(kind.__name__ for kind in module_swap_list))
        raise ValueError(
            f"{where}: no module of type {names or '(none)'} in the float model "
            "has a twin of the same name, expected one at least; name the types of the float "
            "model, fused ones among them"
        )


def remove_stubs(model: Module) -> None:
    """Put the quantized modules back in the place of every `Shadow`, in place."""
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, Shadow):
                module._modules[name] = child.orig_module


@contextmanager
def shadowed(
    float_model: Module,
    q_model: Module,
    module_swap_list: Types,
    Logger: type[BaseLogger],  # noqa: N803 - PyTorch's name
) -> Iterator[None]:
    """`prepare_model_with_stubs` for the length of a block."""
    prepare_model_with_stubs(float_model, q_model, module_swap_list, Logger)
    try:
        yield
    finally:
        remove_stubs(q_model)


def compare_model_stub(
    float_model: Module,
    q_model: Module,
    module_swap_list: Types,
    *data: Any,
    Logger: type[BaseLogger] = ShadowLogger,  # noqa: N803 - PyTorch's name
) -> dict[str, dict[str, Any]]:
    """Run quantized modules and their float twins on the same inputs.

    An error here is made by the module itself, not by those before it.

    Parameters
    ----------
    float_model, q_model : Module
        Both fused alike, in evaluation mode. They are as before when the call returns.
    module_swap_list : collection of type
        Exact types of the float modules to compare.
    *data : Tensor
        The inputs of the model.
    Logger : type of Logger

    Returns
    -------
    dict
        ``{name + ".stats": {"float": list, "quantized": list}}``, for the modules that were called;
        quantized outputs as they are.

    Raises
    ------
    ValueError
        See `prepare_model_with_stubs`.

    Examples
    --------
    >>> import qrs
    >>> import qrs.quantization._numeric_suite as ns
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(4, 4)).eval()
    >>> small = qrs.quantization.quantize_dynamic(model)
    >>> list(ns.compare_model_stub(model, small, {qrs.nn.Linear}, qrs.ones(2, 4)))
    ['0.stats']
    """
    with shadowed(float_model, q_model, module_swap_list, Logger), no_grad():
        q_model(*data)
        recorded = get_logger_dict(q_model)
    return {name: stats for name, stats in recorded.items() if was_called(stats)}
