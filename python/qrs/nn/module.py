"""`Module`: the base of every layer and model, with PyTorch's contract.

The class is cut by subject: this file keeps attributes, registration and calling; `traversal` walks
the tree of modules, `state` saves and loads it, `conversion` changes dtypes and gradients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from qrs.errors import DtypeError, QrsError, instead_of, type_name
from qrs.nn.conversion import ConversionMixin
from qrs.nn.hooks import RemovableHandle
from qrs.nn.parameter import Parameter
from qrs.nn.registry import Registry
from qrs.nn.state import StateMixin
from qrs.tensor import Tensor

__all__ = ["Module", "check_module"]

_TABLES = ("_parameters", "_buffers", "_modules")


class Module(ConversionMixin, StateMixin):
    """Base class of layers and models.

    Assigning a `Parameter`, a `Module` or (through `register_buffer`) a tensor to an attribute
    registers it, so that it takes part in `parameters`, `state_dict`, `to` and `train`.

    Attributes
    ----------
    training : bool
        True after `train`, False after `eval`. Dropout and batch normalisation read it.

    Notes
    -----
    When a forward pass raises one of qrs's own errors, the error's ``module_path`` names the
    failing module as seen from the outermost module that was called.

    Examples
    --------
    >>> import qrs
    >>> class Net(qrs.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = qrs.nn.Linear(3, 2)
    ...
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    >>> net = Net()
    >>> [name for name, _ in net.named_parameters()]
    ['fc.weight', 'fc.bias']
    >>> net(qrs.zeros(5, 3)).shape
    qrs.Size([5, 2])
    """

    _version = 1

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers: set[str]
    _forward_hooks: OrderedDict[int, Callable[..., Any]]
    _forward_pre_hooks: OrderedDict[int, Callable[..., Any]]

    if TYPE_CHECKING:
        # Members are attributes that a type checker cannot see.
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self) -> None:
        fields = self.__dict__
        fields["training"] = True
        for table in _TABLES:
            fields[table] = Registry(self)
        fields["_non_persistent_buffers"] = set()
        fields["_forward_hooks"] = OrderedDict()
        fields["_forward_pre_hooks"] = OrderedDict()

    # ---- calling ---------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines its own."""
        raise NotImplementedError(
            f"{type(self).__name__}: no forward method, expected the class to define one; "
            "write `def forward(self, ...)`"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the hooks and `forward`."""
        try:
            if self._forward_hooks or self._forward_pre_hooks:
                return self._call_with_hooks(args, kwargs)
            # Most calls pass one value; doing so plainly takes 0.1 us less than unpacking.
            if len(args) == 1 and not kwargs:
                return self.forward(args[0])
            return self.forward(*args, **kwargs)
        except (QrsError, AttributeError, TypeError) as error:
            self._explain(error, args)
            raise

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Tables are copied: a hook may remove itself.
        for hook in tuple(self._forward_pre_hooks.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*args, **kwargs)
        for hook in tuple(self._forward_hooks.values()):
            changed = hook(self, args, output)
            if changed is not None:
                output = changed
        return output

    def _explain(self, error: Exception, args: tuple[Any, ...]) -> None:
        """Say in an error of `forward` where it came from.

        Raises
        ------
        DtypeError
            Instead of an error of Python's that an input which is no tensor led to.
        """
        if isinstance(error, QrsError):
            self._locate(error)
        elif self._refuses(args):
            refusal = DtypeError(
                f"{type(self).__name__}: a {type_name(args[0])} came, expected a tensor; "
                f"{instead_of(args[0])}"
            )
            self._locate(refusal)
            raise refusal from error

    def _refuses(self, args: tuple[Any, ...]) -> bool:
        """Whether an error is due to an input that is no tensor: a layer of qrs takes nothing else.

        A module of the caller's may take anything, and so may a container of such modules.
        """
        if not args or _is_tensor(args[0]):
            return False
        home = type(self).__module__
        return home.startswith("qrs.") and not home.endswith(".container")

    def _locate(self, error: QrsError) -> None:
        """Extend the path of the failing module by this module's name for it.

        An error passes through `__call__` once per level on its way out, so the path grows from
        the inside to the outside and needs no bookkeeping while all is well.
        """
        inner = error._left
        error._left = self
        if inner is None:
            error._class = type(self).__name__
            return
        if inner is self:
            return
        names = (name for name, module in self.named_modules() if module is inner)
        name = next(names, f"<unregistered {type(inner).__name__}>")
        error.module_path = f"{name}.{error.module_path}" if error.module_path else name

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before `forward`; a returned value replaces the inputs.

        Parameters
        ----------
        hook : callable
            Returns None, the new positional inputs as a tuple, or one new input.
        prepend : bool
            Put the hook before those registered earlier.

        Returns
        -------
        RemovableHandle
        """
        return _register(self._forward_pre_hooks, hook, prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after `forward`; a returned value replaces it.

        Parameters
        ----------
        hook : callable
            Returns None or the new output.
        prepend : bool
            Put the hook before those registered earlier.

        Returns
        -------
        RemovableHandle
        """
        return _register(self._forward_hooks, hook, prepend)

    # ---- registration ----------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None keeps the name free of a value (as in ``bias=False``)."""
        self._check_name(name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"{type(self).__name__}.{name}: a {type(param).__name__} came as parameter, "
                "expected a Parameter or None; wrap it in qrs.nn.Parameter"
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not trained, such as a running mean.

        Parameters
        ----------
        name : str
            The attribute name.
        tensor : Tensor, QTensor or None
            The value.
        persistent : bool
            Whether `state_dict` contains it.
        """
        self._check_name(name, "_buffers")
        if tensor is not None and not _is_tensor(tensor):
            raise TypeError(
                f"{type(self).__name__}.{name}: a {type(tensor).__name__} came as buffer, "
                "expected a tensor or None"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers.discard(name)
        else:
            self._non_persistent_buffers.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under a name."""
        self._check_name(name, "_modules")
        if module is not None and not isinstance(module, Module):
            raise TypeError(
                f"{type(self).__name__}.{name}: a {_describe(module)} came as child, "
                "expected a Module or None"
            )
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """Do what `add_module` does."""
        self.add_module(name, module)

    def _check_name(self, name: str, table: str) -> None:
        where = type(self).__name__
        if table not in self.__dict__:
            raise AttributeError(
                f"{where}: {name!r} was set before Module.__init__ ran; call super().__init__() "
                "first"
            )
        if not isinstance(name, str):
            raise TypeError(f"{where}: name {name!r} came, expected a string")
        if not name or "." in name:
            raise KeyError(f"{where}: name {name!r} came, expected one without dots, not empty")
        if hasattr(self, name) and name not in self.__dict__[table]:
            raise KeyError(f"{where}: attribute {name!r} exists already; choose another name")

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if isinstance(value, Parameter):
            self._claim(name, "_parameters")[name] = value
        elif isinstance(value, Module):
            self._claim(name, "_modules")[name] = value
        else:
            for key in _TABLES:
                table = fields.get(key)
                if table is None or name not in table:
                    continue
                if value is None or (key == "_buffers" and _is_tensor(value)):
                    table[name] = value
                    return
                raise TypeError(
                    f"{type(self).__name__}.{name}: a {_describe(value)} came for a registered "
                    f"{key[1:-1]}, expected a {key[1:-1]} or None; `del` the attribute first to "
                    "make it an ordinary one"
                )
            object.__setattr__(self, name, value)

    def _claim(self, name: str, owner: str) -> dict[str, Any]:
        """Remove the name from everywhere else and return the table that is to hold it."""
        fields = self.__dict__
        if owner not in fields:
            raise AttributeError(
                f"{type(self).__name__}: {name!r} was set before Module.__init__ ran; call "
                "super().__init__() first"
            )
        fields.pop(name, None)
        for key in _TABLES:
            if key != owner:
                fields[key].pop(name, None)
        self._non_persistent_buffers.discard(name)
        table: dict[str, Any] = fields[owner]
        return table

    def __delattr__(self, name: str) -> None:
        for key in _TABLES:
            if name in self.__dict__[key]:
                del self.__dict__[key][name]
                self._non_persistent_buffers.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> Iterable[str]:
        # Children of containers are named by number, which no attribute access can reach.
        return sorted(name for name in object.__dir__(self) if not name[0].isdigit())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for table in _TABLES:
            self.__dict__[table].bind(self)

    # ---- modes -----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode on this module and all below it; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError(
                f"{type(self).__name__}.train: mode {mode!r} came, expected True or False"
            )
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: the same as ``train(False)``."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module, children before parents; returns the module."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self


def check_module(where: str, value: object) -> None:
    """Refuse what is no module of qrs, such as a model of PyTorch's.

    Raises
    ------
    TypeError
        Says what came.
    """
    if not isinstance(value, Module):
        raise TypeError(
            f"{where}: a {_describe(value)} came, expected a Module of qrs.nn; make the model of "
            "qrs.nn, and load the weights of another with load_state_dict"
        )


def _register(
    table: OrderedDict[int, Callable[..., Any]], hook: Callable[..., Any], prepend: bool
) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def _is_tensor(value: object) -> bool:
    # A quantized tensor says so itself; its class lies above the modules.
    return isinstance(value, Tensor) or getattr(value, "is_quantized", False)


def _describe(value: object) -> str:
    """Name a value's type, and say so when a class came instead of an instance."""
    if isinstance(value, type):
        return f"class {value.__name__} (not an instance: add parentheses)"
    return type_name(value)
