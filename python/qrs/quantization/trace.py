"""Which module's output feeds which, seen in one run: the ground of automatic fusion."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

from qrs.autograd import no_grad
from qrs.autograd.graph import Variable
from qrs.nn.intrinsic import FusedModule
from qrs.nn.layers.container import Identity
from qrs.nn.module import Module
from qrs.quantization.inputs import run_batch
from qrs.tensor import Tensor

__all__ = ["sole_readers"]

_plain = Variable.__dict__["_array"]


class _Watched(Tensor):
    """A tensor that tells its trace whenever somebody reads its elements (or their shape)."""

    _output: _Output | None = None

    @property
    def _array(self) -> Any:
        if self._output is not None:
            self._output.note()
        return _plain.__get__(self)

    @_array.setter
    def _array(self, array: Any) -> None:
        _plain.__set__(self, array)


class _Output:
    """One result of one call of a module, and who read it: None for code outside of all leaves."""

    def __init__(self, trace: _Trace, maker: Module, tensor: _Watched) -> None:
        self.trace = trace
        self.maker = maker
        self.readers: set[Module | None] = set()
        self.tensor = weakref.ref(tensor)

    def note(self) -> None:
        self.readers.add(self.trace.running[-1] if self.trace.running else None)


class _Trace:
    """One run of a model whose leaves are hooked."""

    def __init__(self) -> None:
        self.running: list[Module] = []
        self.calls: dict[Module, int] = {}
        self.outputs: list[_Output] = []

    def hook(self, module: Module) -> None:
        """Watch a leaf, or what counts as one; those that only pass on are looked through."""
        if type(module) is Identity:
            return
        if module._modules and not isinstance(module, FusedModule):
            for child in module.children():
                self.hook(child)
            return
        if module not in self.calls:
            self.calls[module] = 0
            module.register_forward_pre_hook(self._before)
            module.register_forward_hook(self._after)

    def _before(self, module: Module, _args: Any) -> None:
        self.calls[module] += 1
        self.running.append(module)

    def _after(self, module: Module, _args: Any, output: Any) -> Any:
        self.running.pop()
        if not isinstance(output, Tensor):
            return None
        # A new object over the same memory: one that was changed in place is somebody's output.
        watched = _Watched._wrap(_plain.__get__(output))
        watched._output = _Output(self, module, watched)
        self.outputs.append(watched._output)
        return watched

    def readers(self) -> dict[Module, set[Module | None]]:
        """Who read the outputs of each module; None also for what is still held by somebody."""
        found: dict[Module, set[Module | None]] = {}
        for output in self.outputs:
            held = {None} if output.tensor() is not None else set()
            found.setdefault(output.maker, set()).update(output.readers, held)
        return found


def sole_readers(model: Module, batch: Any) -> dict[str, str]:
    """For the names of modules, the name of the only one that reads their output.

    A copy of the model runs once. A pair is listed if every output of the first was read by the
    second and by nobody else, neither by other modules nor by code between modules, and was neither
    returned nor kept; if the second read nothing else and both were called equally often; and if
    both have one name. Shapes count as read.

    Parameters
    ----------
    model : Module
        Runs in the mode that it is in; it is not changed.
    batch : object
        Inputs, as `calibrate` takes them.

    Returns
    -------
    dict of str to str
        In the order of the calls.
    """
    names: dict[Module, list[str]] = {}
    copied = copy.deepcopy(model)
    for name, module in copied.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    trace = _Trace()
    trace.hook(copied)
    with no_grad():
        result = run_batch(copied, batch)
    gc.collect()
    readers = trace.readers()
    del result
    makers: dict[Module, set[Module]] = {}
    for maker, all_readers in readers.items():
        for reader in all_readers:
            if reader is not None:
                makers.setdefault(reader, set()).add(maker)
    pairs: dict[str, str] = {}
    for maker, all_readers in readers.items():
        reader = next(iter(all_readers)) if len(all_readers) == 1 else None
        if reader is None or makers[reader] != {maker}:
            continue
        if trace.calls[maker] == trace.calls[reader] and len(names[maker] + names[reader]) == 2:
            pairs[names[maker][0]] = names[reader][0]
    return pairs
