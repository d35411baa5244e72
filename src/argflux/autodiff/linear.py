"""Which of JAX's primitives are linear, and in which of their operands."""

from collections.abc import Sequence

_IN_ALL = {
    "add", "add_any", "broadcast_in_dim", "complex", "concatenate", "conj", "convert_element_type", "copy", "cumsum",
    "device_put", "expand_dims", "fft", "imag", "layout_constraint", "name", "neg", "optimization_barrier", "pad",
    "pbroadcast", "pvary", "real", "reduce_precision", "reduce_sum", "reduce_window_sum", "reshape", "rev",
    "sharding_constraint", "slice", "split", "squeeze", "stack", "sub", "tile", "transpose", "unstack",
    "all_gather", "all_gather_invariant", "all_to_all", "ppermute", "psum", "psum_invariant", "reduce_scatter",
}  # fmt: skip
_IN_SOME = {
    "div": {0},
    "dynamic_slice": {0},
    "dynamic_update_slice": {0, 1},
    "gather": {0},
    "scatter": {0, 2},
    "scatter-add": {0, 2},
    "scatter-mul": {0},
    "scatter-sub": {0, 2},
    "select_and_gather_add": {0},
    "select_and_scatter_add": {0},
    "triangular_solve": {1},
    "tridiagonal_solve": {3},
}
BILINEAR = {"conv_general_dilated", "dot_general", "mul", "ragged_dot_general"}


def is_linear(name: str, moving: Sequence[int]) -> bool:
    """Say whether a primitive is linear in the operands at these positions together, the others held.

    Example:
        >>> is_linear("triangular_solve", [1]), is_linear("triangular_solve", [0, 1]), is_linear("exp", [0])
        (True, False, False)
    """
    if name in BILINEAR:
        return list(moving) in ([0], [1])
    return name in _IN_ALL or set(moving) <= _IN_SOME.get(name, set())
