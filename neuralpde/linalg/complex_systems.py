"""Complex systems as real ones of twice the size."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg.matrix import as_tensor


def is_complex(value: Any) -> bool:
    """Whether an array, matrix or list holds complex numbers; False for operators and functions."""
    dtype = getattr(value, "dtype", None)
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        dtype = as_tensor(value).dtype
    if isinstance(dtype, torch.dtype):
        return dtype.is_complex
    return dtype is not None and np.issubdtype(dtype, np.complexfloating)


def real_form(matrix: Any) -> Any:
    """[[Re A, −Im A], [Im A, Re A]], which acts on (Re x, Im x) as A acts on x; ``(2 n, 2 n)``.

    It is symmetric where A is Hermitian, and then positive definite where A is. Dense matrices stay dense, and
    gradients go through; SciPy's sparse ones stay sparse. What is neither, such as a SciPy ``LinearOperator``, comes
    back as it is.

    Args:
        matrix: complex, ``(n, n)``.

    Example:
        >>> real_form([[1j]]).tolist()
        [[0.0, -1.0], [1.0, 0.0]]
    """
    if sp.issparse(matrix):
        return sp.bmat([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]], format="csr")
    if isinstance(matrix, list | tuple):
        matrix = as_tensor(matrix)
    if not isinstance(matrix, Tensor | np.ndarray):
        return matrix
    dense = as_tensor(matrix)
    dense = dense.to_dense() if dense.layout is not torch.strided else dense
    if dense.ndim != 2:
        return matrix
    upper = torch.cat([dense.real, -dense.imag], dim=1)
    return torch.cat([upper, torch.cat([dense.imag, dense.real], dim=1)], dim=0)


def stacked(values: Tensor) -> Tensor:
    """(Re v, Im v), ``(2 n, …)``, of v ``(n, …)``, complex or real."""
    imaginary = values.imag if values.is_complex() else torch.zeros_like(values)
    return torch.cat([values.real if values.is_complex() else values, imaginary], dim=0)


def parted(values: Tensor) -> Tensor:
    """(Re v, Im v), ``(n, 2 k)``, of v ``(n,)`` (k = 1) or ``(n, k)``, complex or real."""
    return torch.cat(stacked(values.reshape(len(values), -1) if values.ndim == 1 else values).chunk(2), dim=1)


def unstacked(values: Tensor) -> Tensor:
    """v ``(n, …)``, complex, of (Re v, Im v) ``(2 n, …)``."""
    n = values.shape[0] // 2
    return torch.complex(values[:n], values[n:])
