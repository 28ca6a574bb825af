"""How kernels are compiled: on import, for declared types, once per machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from analytics.engine.types import FloatArray

Function = TypeVar("Function", bound=Callable[..., Any])

#: Arguments that a kernel reads: C-contiguous, and read-only ones (mapped files) are accepted.
floats, floats2, floats3 = (types.Array(types.float64, n, "C", readonly=True) for n in (1, 2, 3))
integers, integers2 = (types.Array(types.int64, n, "C", readonly=True) for n in (1, 2))
narrow = types.Array(types.int32, 1, "C", readonly=True)
#: Arguments that it writes.
out, out2, out3, out4 = (types.Array(types.float64, n, "C") for n in (1, 2, 3, 4))
single2, single4 = (types.Array(types.float32, n, "C") for n in (2, 4))
integers_out, integers2_out = (types.Array(types.int64, n, "C") for n in (1, 2))
codes, codes2, codes3 = (types.Array(types.int8, n, "C") for n in (1, 2, 3))
short2 = types.Array(types.int16, 2, "C")
flags2, flags3 = (types.Array(types.boolean, n, "C") for n in (2, 3))
integer, real = types.int64, types.float64

# Sums may be reordered into vectors and multiply-adds fused; NaN and infinity keep their meaning.
_FASTMATH = {"reassoc", "nsz", "contract"}


def kernel(*arguments: Any, returns: Any = types.void) -> Callable[[Function], Function]:
    """Compile for these types alone: a call with others raises TypeError, it never compiles.

    Without parameters in parentheses numba would compile at the first call, inside a request.
    """
    compiled: Callable[[Function], Function] = njit(
        returns(*arguments), cache=True, nogil=True, fastmath=_FASTMATH, error_model="numpy"
    )
    return compiled


def helper(function: Function) -> Function:
    """Compile a function that kernels of the same file call, into them."""
    compiled: Any = njit(nogil=True, fastmath=_FASTMATH, error_model="numpy", inline="never")(
        function
    )
    return cast("Function", compiled)


def _prefetch(_: Any, array: Any, __: Any, ___: Any) -> Any:
    """Ask for the cache line of ``array[i, j]``, which will be read soon."""

    cgutils: Any = _cgutils

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        table = context.make_array(kind)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(context, builder, kind, table, list(arguments[1:]))
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        takes = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, takes, "llvm.prefetch.p0")
        # For reading, to be kept in every cache, as data.
        builder.call(function, [builder.bitcast(place, byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


prefetch: Callable[[FloatArray, int, int], None] = cast("Any", intrinsic(_prefetch))


def contiguous(values: Any, dtype: Any) -> NDArray[Any]:
    """Return `values` as a C-contiguous array of `dtype`, copied only if it is not one."""
    array: NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
    return array
