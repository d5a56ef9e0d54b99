"""An interpreter for the pickles of torch.save that imports and calls nothing.

A pickle is a program for a stack machine. This one runs the instructions that build containers,
numbers and strings. A name in the file is looked up in a table that the caller gives and never
anywhere else; what the table holds are inert values and the few constructors of
:mod:`qrs.io.torch_names`. Every other instruction and every other name stops the reading.

Source: the descriptions of the instructions in CPython's `pickletools`.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from qrs.errors import FormatError
from qrs.io.limits import Limits

__all__ = ["Constructor", "Names", "ScriptObject", "run_pickle"]

_LONGEST_INTEGER = 8
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Constructor:
    """A name that a pickle may apply to arguments: `build` makes the value out of them."""

    name: str
    build: Callable[..., object]


@dataclass(eq=False)
class ScriptObject:
    """The state of an object of a class that was registered with TorchScript, as PyTorch saved it.

    Parameters
    ----------
    type_name : str
        Such as ``__torch__.torch.classes.rnn.CellParamsBase``.
    state : object
        Containers, numbers and tensors.

    Examples
    --------
    >>> import qrs
    >>> qrs.io.ScriptObject("__torch__.torch.classes.rnn.CellParamsBase", (1, 2)).state
    (1, 2)
    """

    type_name: str = ""
    state: object = None


class Names(Protocol):
    """What an interpreter asks about the names and the storages in a pickle."""

    def find(self, module: str, name: str) -> object:
        """Return the value or the :class:`Constructor` that stands for a name, or raise."""

    def storage(self, identifier: tuple[Any, ...]) -> object:
        """Return the storage that a persistent identifier stands for, or raise."""


def run_pickle(
    data: bytes, start: int, names: Names, limits: Limits, fail: Callable[[str], FormatError]
) -> tuple[Any, int]:
    """Return the value of the pickle that begins at `start`, and the offset behind it.

    Raises
    ------
    FormatError
        Made by `fail`, if the pickle is damaged, too long, or asks for anything but tensors,
        containers and numbers.
    """
    machine = _Machine(data, start, names, limits, fail)
    return machine.run(), machine.position


class _Machine:
    def __init__(
        self,
        data: bytes,
        start: int,
        names: Names,
        limits: Limits,
        fail: Callable[[str], FormatError],
    ) -> None:
        self.position = start
        self._data = data
        self._names = names
        self._fail = fail
        self._budget = limits.opcodes
        self._limit = limits.opcodes
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        data, end, instructions = self._data, len(self._data), _INSTRUCTIONS
        stop = ord(".")
        while True:
            if self.position >= end:
                self._refuse("is cut short")
            code = data[self.position]
            self.position += 1
            if code == stop:
                break
            self._budget -= 1
            if self._budget < 0:
                self._charge(0)
            instruction = instructions.get(code)
            if instruction is None:
                name = _REFUSED.get(code, f"0x{code:02x}")
                self._refuse(
                    f"uses the instruction {name}, which torch.save does not write for tensors"
                )
            instruction(self)
        if len(self._stack) != 1 or self._marks:
            self._refuse("does not end with one value")
        return self._stack.pop()

    def _refuse(self, problem: str) -> NoReturn:
        raise self._fail(
            f"its pickle {problem}; only tensors, containers and numbers are read: "
            "save model.state_dict() with torch.save"
        )

    def _charge(self, work: int) -> None:
        # Building a container from a remembered one is one instruction, but the work of its length.
        self._budget -= work
        if self._budget < 0:
            raise self._fail(
                f"its pickle takes more than {self._limit} instructions; raise limits.opcodes"
            )

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            self._refuse("is cut short")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _number(self, form: struct.Struct) -> Any:
        start = self.position
        self.position = start + form.size
        if self.position > len(self._data):
            self._refuse("is cut short")
        return form.unpack_from(self._data, start)[0]

    def _pop(self, kind: type | None = None) -> Any:
        # A value below the last mark belongs to an unfinished container.
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            self._refuse("takes a value that is not there")
        value = self._stack.pop()
        if kind is not None and type(value) is not kind:
            self._refuse(f"has a {type(value).__name__} where a {kind.__name__} belongs")
        return value

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            self._refuse("takes a mark that is not there")
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    def _top(self) -> Any:
        value = self._pop()
        self._stack.append(value)
        return value

    # Numbers, strings and constants.

    def _protocol(self) -> None:
        version = self._take(1)[0]
        if not 2 <= version <= 5:
            self._refuse(f"has protocol {version}, expected 2 to 5")

    def _frame(self) -> None:
        if self._number(_UINT64) > len(self._data) - self.position:
            self._refuse("is cut short")

    def _constant(self, value: object) -> None:
        self._stack.append(value)

    def _packed_number(self, form: struct.Struct) -> None:
        self._stack.append(self._number(form))

    def _long(self, form: struct.Struct) -> None:
        count = self._number(form)
        if not 0 <= count <= _LONGEST_INTEGER:
            self._refuse(f"has an integer of {count} bytes, expected at most {_LONGEST_INTEGER}")
        self._stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _string(self, form: struct.Struct) -> None:
        raw = self._take(max(0, self._number(form)))
        try:
            self._stack.append(raw.decode())
        except UnicodeDecodeError:
            self._refuse("has a string that is not UTF-8")

    # Containers.

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _tuple(self) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _short_tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def _new(self, kind: type) -> None:
        self._stack.append(kind())

    def _append(self) -> None:
        item = self._pop()
        self._items_of(list).append(item)

    def _appends(self) -> None:
        items = self._pop_to_mark()
        self._items_of(list).extend(items)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._items_of(dict, OrderedDict)[self._key(key)] = value

    def _set_items(self) -> None:
        items = self._pop_to_mark()
        if len(items) % 2:
            self._refuse("has a key without a value")
        target = self._items_of(dict, OrderedDict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self._key(key)] = value

    def _add_items(self) -> None:
        items = self._pop_to_mark()
        self._items_of(set).update(map(self._key, items))

    def _items_of(self, *kinds: type) -> Any:
        target = self._top()
        if type(target) not in kinds:
            self._refuse(f"puts items into a {type(target).__name__}")
        return target

    def _key(self, key: object) -> object:
        # Numbers of 64 bits and strings cannot be made to collide in a table; tuples can.
        if key is not None and type(key) not in (str, int, float, bool):
            self._refuse(f"has a {type(key).__name__} for a key")
        return key

    # The memo.

    def _put(self, form: struct.Struct) -> None:
        self._memo[self._number(form)] = self._top()

    def _memoize(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, form: struct.Struct) -> None:
        index = self._number(form)
        if index not in self._memo:
            self._refuse(f"remembers value {index}, which it never stored")
        self._stack.append(self._memo[index])

    # Names and objects.

    def _global(self) -> None:
        parts = []
        for _ in range(2):
            end = self._data.find(b"\n", self.position, self.position + _LONGEST_NAME)
            if end < 0:
                self._refuse("has a name that does not end")
            raw = self._take(end + 1 - self.position)[:-1]
            parts.append(raw.decode(errors="backslashreplace"))
        self._stack.append(self._names.find(*parts))

    def _stack_global(self) -> None:
        name, module = self._pop(str), self._pop(str)
        self._stack.append(self._names.find(module[:_LONGEST_NAME], name[:_LONGEST_NAME]))

    def _persistent(self) -> None:
        self._stack.append(self._names.storage(self._pop(tuple)))

    def _reduce(self) -> None:
        arguments, constructor = self._pop(tuple), self._pop(Constructor)
        for argument in arguments:
            if isinstance(argument, list | tuple | dict):
                self._charge(len(argument))
        try:
            value = constructor.build(*arguments)
        except FormatError:
            raise
        except (TypeError, ValueError) as error:
            self._refuse(f"gives {constructor.name} the wrong arguments ({error})")
        self._stack.append(value)

    def _new_object(self) -> None:
        arguments, kind = self._pop(tuple), self._pop()
        if kind is not ScriptObject or arguments:
            self._refuse("makes an object")
        self._stack.append(ScriptObject())

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if type(target) is ScriptObject:
            if type(state) is not tuple or len(state) != 2 or type(state[1]) is not str:
                self._refuse("has a ScriptObject without a state and a name")
            target.state, target.type_name = state
        elif type(target) is OrderedDict and type(state) is dict and list(state) == ["_metadata"]:
            # PyTorch's state dicts carry the versions of their modules in this attribute.
            target._metadata = state["_metadata"]  # type: ignore[attr-defined]
        else:
            self._refuse(f"sets the attributes of a {type(target).__name__}")


_UINT8, _UINT16, _UINT32 = struct.Struct("<B"), struct.Struct("<H"), struct.Struct("<I")
_UINT64, _INT32, _DOUBLE = struct.Struct("<Q"), struct.Struct("<i"), struct.Struct(">d")
_M = _Machine


def _with(method: Callable[[_Machine, Any], None], argument: object) -> Callable[[_Machine], None]:
    return lambda machine: method(machine, argument)


_INSTRUCTIONS: Mapping[int, Callable[[_Machine], None]] = MappingProxyType(
    {
        0x80: _M._protocol,
        0x95: _M._frame,
        ord("N"): _with(_M._constant, None),
        0x88: _with(_M._constant, True),
        0x89: _with(_M._constant, False),
        ord("J"): _with(_M._packed_number, _INT32),
        ord("K"): _with(_M._packed_number, _UINT8),
        ord("M"): _with(_M._packed_number, _UINT16),
        ord("G"): _with(_M._packed_number, _DOUBLE),
        0x8A: _with(_M._long, _UINT8),
        0x8B: _with(_M._long, _INT32),
        0x8C: _with(_M._string, _UINT8),
        0x8D: _with(_M._string, _UINT64),
        ord("X"): _with(_M._string, _UINT32),
        # Strings of Python 2.
        ord("U"): _with(_M._string, _UINT8),
        ord("T"): _with(_M._string, _INT32),
        ord("("): _M._mark,
        ord("t"): _M._tuple,
        ord(")"): _with(_M._constant, ()),
        0x85: _with(_M._short_tuple, 1),
        0x86: _with(_M._short_tuple, 2),
        0x87: _with(_M._short_tuple, 3),
        ord("]"): _with(_M._new, list),
        ord("}"): _with(_M._new, dict),
        0x8F: _with(_M._new, set),
        ord("a"): _M._append,
        ord("e"): _M._appends,
        ord("s"): _M._set_item,
        ord("u"): _M._set_items,
        0x90: _M._add_items,
        ord("q"): _with(_M._put, _UINT8),
        ord("r"): _with(_M._put, _UINT32),
        0x94: _M._memoize,
        ord("h"): _with(_M._get, _UINT8),
        ord("j"): _with(_M._get, _UINT32),
        ord("c"): _M._global,
        0x93: _M._stack_global,
        ord("Q"): _M._persistent,
        ord("R"): _M._reduce,
        0x81: _M._new_object,
        ord("b"): _M._build,
    }
)
# Names for the error message alone.
_REFUSED: Mapping[int, str] = MappingProxyType(
    {
        ord("i"): "INST",
        ord("o"): "OBJ",
        ord("P"): "PERSID",
        ord("B"): "BINBYTES",
        ord("C"): "SHORT_BINBYTES",
        0x82: "EXT1",
        0x83: "EXT2",
        0x84: "EXT4",
        0x8E: "BINBYTES8",
        0x92: "NEWOBJ_EX",
        0x96: "BYTEARRAY8",
        0x97: "NEXT_BUFFER",
    }
)
