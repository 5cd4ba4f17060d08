"""The tape: every torch operation of one forward pass, who owns it, what went in and what came out."""

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from ganglion.diagnose.tracing import costs, norms, windows  # noqa: F401 - they enter their rules
from ganglion.diagnose.tracing.nest import every, swap
from ganglion.diagnose.tracing.recurrent import UNROLLED
from ganglion.diagnose.tracing.rules import COPIES, RULES
from ganglion.diagnose.tracing.slopes import SLOPES

# How the same operation is called elsewhere in torch.
SYNONYMS = {
    "radd": "add", "iadd": "add", "isub": "sub", "subtract": "sub", "rmul": "mul", "imul": "mul", "multiply": "mul",
    "truediv": "div", "true_divide": "div", "divide": "div", "itruediv": "div", "idiv": "div", "rtruediv": "rdiv",
    "absolute": "abs", "negative": "neg", "rmatmul": "matmul", "mv": "matmul", "dot": "matmul", "vdot": "matmul",
    "ipow": "pow", "clip": "clamp", "_threshold": "threshold", "log_sigmoid": "logsigmoid", "type_as": "to",
    "float": "to", "double": "to", "feature_dropout": "dropout", "max_pool1d_with_indices": "max_pool1d",
    "max_pool2d_with_indices": "max_pool2d", "max_pool3d_with_indices": "max_pool3d",
}  # fmt: skip
FOREIGN = {torch.batch_norm, torch.instance_norm, torch.embedding}  # named like others, with other arguments
DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
FORMULAS = COPIES | set(RULES) | set(SLOPES)
VIEWS = {"T", "mT", "H", "mH"}  # attributes that are operations
OPENED = ("torch.nn.functional", "torch.functional", "torch._tensor")


@dataclass(eq=False, repr=False)
class Value:
    """A tensor of the pass: what it held when it was made, and what flows back to it.

    ``grad`` is dL/d(value), the sum over all places that use it; ``None`` where the loss does not depend on it.
    ``name`` is that of a parameter or an input; ``row`` the operation that made it, if one did.
    """

    tensor: Tensor
    edge: GradientEdge
    name: str = ""
    row: "Row | None" = None
    grad: Tensor | None = None

    def __repr__(self) -> str:
        made = self.name or (self.row.name if self.row else "")
        return f"Value({made}, {tuple(self.tensor.shape)})"


@dataclass(eq=False, repr=False)
class Call:
    """One call of a module: its path, its kind, and whether modules stand inside it."""

    path: str
    kind: str
    leaf: bool
    module: nn.Module | None = None


@dataclass(eq=False, repr=False)
class Row:
    """One operation: ``outputs = name(inputs)`` and, after the way back, ``leaving = arriving x local``.

    ``arriving`` holds dL/d(output) for each output, ``leaving`` pairs (input, this operation's share of
    dL/d(input)), ``local`` the local derivative where it is one number per entry (an activation's f'(z)) or
    the weights of a weighted sum. ``rule`` says the formula in words, ``by_formula`` whether it was ours.
    """

    name: str
    call: Call
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    options: dict[str, Any]
    inputs: list[Value]
    outputs: list[Value]
    step: str = ""
    arriving: list[Tensor | None] = field(default_factory=list)
    leaving: list[tuple[Value, Tensor]] = field(default_factory=list)
    local: Tensor | None = None
    rule: str = ""
    by_formula: bool = True

    def __repr__(self) -> str:
        return f"Row({self.name}, {self.inputs} > {self.outputs})"


class Tape(TorchFunctionMode):
    """Record the operations of a block on tensors that lead back to an input or a parameter.

    Arguments: ``module`` whose calls own the operations; ``names`` of its parameters by their ids.
    """

    def __init__(self, module: nn.Module, names: dict[int, str]) -> None:
        super().__init__()
        self.module, self.names = module, names
        self.rows: list[Row] = []
        self.leaves: list[Value] = []
        self.calls = [Call("", type(module).__name__, False, module)]
        self.step = ""
        self.hidden: list[tuple[Call, str, Value]] = []
        self._known: dict[tuple[int, int], Value] = {}
        self._edges: dict[tuple[Any, int], Value] = {}
        self._alive: list[Tensor] = []  # so that no id is given twice

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name, is_operation = name_of(func)
        if not is_operation or not torch.is_grad_enabled():
            return func(*args, **kwargs)
        if name in UNROLLED:
            with self:
                return UNROLLED[name](self._at, *args, **kwargs)
        if name in DROPOUTS and any(t.requires_grad for t in every(args, Tensor)):
            return self._dropped(func, args, kwargs)
        if name not in FORMULAS and is_composite(func):
            with self:
                return opened(func)(*args, **kwargs)
        return self._record(name, func, args, kwargs)

    def _at(self, step: str, hidden: Tensor | None = None) -> None:
        """What a recurrent layer says before each step of time, and after it with the new state."""
        self.step = step
        if hidden is not None:
            self.hidden.append((self.calls[-1], step, self.seen(hidden)))
            self.step = ""

    def _record(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen, options = swap((args, kwargs), {Tensor: self.seen})
        result = func(*args, **kwargs)
        made = [t for t in every(result, Tensor) if t.requires_grad]
        if made:
            self._append(name, None if func in FOREIGN else func, seen, options, made)
        return result

    def _dropped(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Dropout as what it is, ``mask x + offset``: asked for 0 and for 1 with the same random numbers."""
        x = args[0]
        kwargs = {**kwargs, "inplace": False} if "inplace" in kwargs else kwargs
        devices = [] if x.device.type == "cpu" else [x.device]
        with torch.no_grad():
            with torch.random.fork_rng(devices, device_type=x.device.type if devices else "cuda"):
                offset = func(torch.zeros_like(x), *args[1:], **kwargs)
            mask = func(torch.ones_like(x), *args[1:], **kwargs) - offset
        seen = self.seen(x)
        result = x * mask + offset
        self._append("dropout", None, (seen, mask), {}, [result])
        return result

    def _append(self, name: str, func: Any, args: Any, options: dict[str, Any], made: list[Tensor]) -> None:
        inputs = list(dict.fromkeys(every((args, options), Value)))
        if not inputs:
            return  # a new leaf
        row = Row(name, self.calls[-1], func, args, options, inputs, [], self.step)
        row.outputs = [self.know(t, row=row) for t in made]
        self.rows.append(row)

    def know(self, tensor: Tensor, name: str = "", row: Row | None = None) -> Value:
        """Enter a tensor as it is now."""
        value = Value(tensor.detach().clone(), get_gradient_edge(tensor), name, row)
        self._known[id(tensor), tensor._version] = value
        self._edges[value.edge.node, value.edge.output_nr] = value
        self._alive.append(tensor)
        if row is None:
            self.leaves.append(value)
        return value

    def seen(self, tensor: Tensor) -> Any:
        """The value that a tensor is now; what needs no gradient is kept as it is."""
        if not tensor.requires_grad:
            return tensor.detach().clone()
        known = self._known.get((id(tensor), tensor._version))
        if known is not None:
            return known
        if tensor.is_leaf:
            return self.know(tensor, self.names.get(id(tensor), "constant"))
        return self._stretch(tensor)

    def _stretch(self, tensor: Tensor) -> Value:
        """A tensor that was made out of sight, by a Function of the user's own or by writing into another:
        one row from the known values nearest before it, gone back by autograd.
        """
        edge = get_gradient_edge(tensor)
        known = self._edges.get((edge.node, edge.output_nr))
        if known is not None and known.tensor.shape == tensor.shape:
            self._known[id(tensor), tensor._version] = known
            self._alive.append(tensor)
            return known
        found: list[Value] = []
        waiting: list[tuple[Any, int]] = [(edge.node, edge.output_nr)]
        visited: set[tuple[Any, int]] = set()
        while waiting:
            node, number = waiting.pop()
            if (node, number) in visited or node is None:
                continue
            visited.add((node, number))
            leaf = getattr(node, "variable", None)
            if (node, number) in self._edges:
                found.append(self._edges[node, number])
            elif leaf is not None:
                found.append(self.seen(leaf))
            else:
                waiting += node.next_functions
        name = type(edge.node).__name__.removesuffix("Backward").removesuffix("Backward0")
        row = Row(name, self.calls[-1], None, (), {}, list(dict.fromkeys(found)), [], self.step)
        row.outputs = [self.know(tensor, row=row)]
        self.rows.append(row)
        return row.outputs[0]

    @contextmanager
    def called(self, path: str, kind: str) -> Iterator[None]:
        """Own the operations of a block."""
        self.calls.append(Call(path, kind, True))
        yield
        self.calls.pop()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Know which module computes, by hooks that are gone afterwards, also after an exception."""
        handles = []
        try:
            for path, module in self.module.named_modules():
                if module is not self.module:
                    handles += self._hooked(path, module)
            if not any(True for _ in self.module.children()):
                self.calls[0].leaf = True
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _hooked(self, path: str, module: nn.Module) -> list[Any]:
        leaf = not any(True for _ in module.children())

        def enter(*_: Any) -> None:
            self.calls.append(Call(path, type(module).__name__, leaf, module))

        def leave(*_: Any) -> None:
            self.calls.pop()

        return [
            module.register_forward_pre_hook(enter, prepend=True),
            module.register_forward_hook(leave, always_call=True),
        ]


def name_of(func: Any) -> tuple[str, bool]:
    """The plain name of a torch function, and whether it computes anything.

    >>> name_of(torch.Tensor.add_), name_of(torch.Tensor.__rsub__), name_of(torch.Tensor.shape.__get__)
    (('add', True), ('rsub', True), ('shape', False))
    """
    name = getattr(func, "__name__", type(func).__name__)
    if name in ("__get__", "__set__"):
        name = func.__self__.__name__
        return name, name in VIEWS
    name = name.removeprefix("__").removesuffix("__").rstrip("_")
    return SYNONYMS.get(name, name), True


def is_composite(func: Any) -> bool:
    """Whether a torch function is written in Python, out of others."""
    return isinstance(func, types.FunctionType) and func.__module__ in OPENED


def opened(func: types.FunctionType) -> Callable[..., Any]:
    """The same function without its first question, whether somebody wants to take it over as a whole.

    Its parts then come by one by one.
    """
    asked = {name: _no for name in func.__globals__ if name.startswith("has_torch_function")}
    inner = types.FunctionType(
        func.__code__, {**func.__globals__, **asked}, func.__name__, func.__defaults__, func.__closure__
    )
    inner.__kwdefaults__ = func.__kwdefaults__
    return inner


def _no(*_: Any) -> bool:
    return False
