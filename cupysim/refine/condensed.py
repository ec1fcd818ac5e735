"""A least-squares problem of many pixels, condensed to one row more than it has parameters.

SciPy's `least_squares` uses only three products of the residuals r and their Jacobian J: J^T J,
J^T r and r^T r. An orthogonal matrix that multiplies both r and J does not change them. With
J^T J = V L V^T, the rows of L^1/2 V^T and the numbers L^-1/2 V^T J^T r have the same products. One
more number completes r^T r.

The products are computed on the device that holds the pixels, so no pixels of a GPU are copied to
the host. The columns of J are scaled to length one first, because different units would cost
digits.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import array_namespace, on_host


class LeastSquares(Protocol):
    """A problem that minimises the squares of residuals of pixels (NumPy or CuPy arrays)."""

    def residuals(self, x: np.ndarray) -> Any:
        """Residuals, shape (n_pixels,); infinite if the model is impossible."""

    def jacobian(self, x: np.ndarray) -> Any:
        """Derivatives of the residuals, shape (n_pixels, n_parameters)."""


class Condensed:
    """Residuals and Jacobian for `scipy.optimize.least_squares`.

    Parameters
    ----------
    problem : LeastSquares
        The problem with all pixels.
    """

    def __init__(self, problem: LeastSquares) -> None:
        self._problem = problem
        self._last: tuple[bytes, np.ndarray] | None = None

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Condensed residuals, shape (n_parameters + 1,); infinite if the model is impossible."""
        self._last = None
        residuals = self._problem.residuals(x)
        xp = array_namespace(residuals)
        if not xp.isfinite(residuals).all():
            return np.full(len(x) + 1, np.inf)
        slopes = self._problem.jacobian(x)
        products = on_host(slopes.T @ slopes)
        along = on_host(slopes.T @ residuals)
        sizes = np.sqrt(np.diag(products))
        sizes = np.where(sizes > 0.0, sizes, 1.0)
        if not (np.isfinite(products).all() and np.isfinite(along).all()):
            return np.full(len(x) + 1, np.inf)
        values, vectors = np.linalg.eigh(products / np.outer(sizes, sizes))
        roots = np.sqrt(np.maximum(values, 0.0))
        # directions of parameters that change nothing have no residual either
        is_known = values > len(x) * np.finfo(np.float64).eps
        turned = np.where(is_known, vectors.T @ (along / sizes), 0.0)
        turned /= np.where(is_known, roots, 1.0)
        rest = max(float(residuals @ residuals) - float(turned @ turned), 0.0)
        rows = np.where(is_known, roots, 0.0)[:, None] * vectors.T * sizes
        self._last = x.tobytes(), np.vstack([rows, np.zeros(len(x))])
        return np.append(turned, np.sqrt(rest))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Condensed Jacobian, shape (n_parameters + 1, n_parameters)."""
        if self._last is None or self._last[0] != x.tobytes():
            self.residuals(x)
        if self._last is None:
            raise ModelError("refine: an impossible model has no derivatives")
        return self._last[1]
