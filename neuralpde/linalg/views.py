"""Pieces of arrays in compiled loops that count no references: a slice that Numba makes counts them atomically.

In a loop over short rows that count is most of the time, and two threads that share an array wait for each other's.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core.errors import TypingError

intrinsic: Any = extending.intrinsic


@intrinsic
def piece(typing: Any, array: Any, start: Any, size: Any) -> Any:
    """Numbers start … start + size − 1 of an array in C order, as one axis of unit stride, for compiled loops.

    The array must outlive the piece: name it in the loop that takes pieces of it, or get it as an argument. Nothing
    checks the bounds.

    Raises:
        TypingError: at compilation, for an array that is not in C order or numbers that are no integers.

    Example:
        >>> import numba, numpy as np
        >>> numba.njit(lambda a: piece(a, 2, 3).sum())(np.arange(6.0).reshape(2, 3))
        9.0
    """
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypingError(f"a piece needs an array in C order, got {array}: pass np.ascontiguousarray(...)")
    if not isinstance(start, types.Integer) or not isinstance(size, types.Integer):
        raise TypingError(f"a piece needs an integer start and size, got {start} and {size}")
    flat = types.Array(array.dtype, 1, "C")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(array)(context, builder, arguments[0])
        first, count = (
            context.cast(builder, value, kind, types.intp)
            for value, kind in zip(arguments[1:], (start, size), strict=True)
        )
        stride = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        out = context.make_array(flat)(context, builder)
        context.populate_array(
            out, data=builder.gep(whole.data, [first]), shape=[count], strides=[stride], itemsize=stride, meminfo=None
        )
        return out._getvalue()

    return flat(array, start, size), code


@intrinsic
def fetch(typing: Any, array: Any, start: Any) -> Any:
    """Ask for the cache line of number ``start`` of an array in C order, to be there when a loop comes to it.

    The machine sees ahead in long rows only; short pieces from several arrays come a third slower without it.
    """
    if not isinstance(array, types.Array) or array.layout != "C" or not isinstance(start, types.Integer):
        raise TypingError(f"a fetch needs an array in C order and an integer, got {array} and {start}")

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(array)(context, builder, arguments[0])
        first = context.cast(builder, arguments[1], start, types.intp)
        pointer = builder.bitcast(builder.gep(whole.data, [first]), ir.PointerType(ir.IntType(8)))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(prefetch, [pointer, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.none(array, start), code
