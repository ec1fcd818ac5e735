"""A least-squares problem of many pixels in as few rows as it has parameters, and one more.

SciPy's `least_squares` needs of residuals r and their Jacobian J only what does not change when
both are turned by an orthogonal matrix: J^T J, J^T r and r^T r. With J^T J = V L V^T, the rows of
L^1/2 V^T and the numbers L^-1/2 V^T J^T r have the same products, and one more number completes
r^T r. The products are computed where the pixels lie, so that none of a GPU's pixels goes to the
host; columns of J are scaled to length one before, lest their units cost digits.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from cupysim.errors import ModelError
from cupysim.maths.arrays import array_namespace, on_host


class LeastSquares(Protocol):
    """Residuals of pixels, NumPy or CuPy arrays, of which the squares are to become small."""

    def residuals(self, x: np.ndarray) -> Any:
        """Residuals, shape (n_pixels,); infinite where a model is impossible."""

    def jacobian(self, x: np.ndarray) -> Any:
        """Their derivatives, shape (n_pixels, n_parameters)."""


class Condensed:
    """Residuals and Jacobian for `scipy.optimize.least_squares`.

    Parameters
    ----------
    problem : LeastSquares
        What is minimised.
    """

    def __init__(self, problem: LeastSquares) -> None:
        self._problem = problem
        self._last: tuple[bytes, np.ndarray] | None = None

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """As many numbers as parameters and one more; infinite where a model is impossible."""
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
        # directions in which nothing changes have no residual either
        is_known = values > len(x) * np.finfo(np.float64).eps
        turned = np.where(is_known, vectors.T @ (along / sizes), 0.0)
        turned /= np.where(is_known, roots, 1.0)
        rest = max(float(residuals @ residuals) - float(turned @ turned), 0.0)
        rows = np.where(is_known, roots, 0.0)[:, None] * vectors.T * sizes
        self._last = x.tobytes(), np.vstack([rows, np.zeros(len(x))])
        return np.append(turned, np.sqrt(rest))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivatives of these numbers, shape (n_parameters + 1, n_parameters)."""
        if self._last is None or self._last[0] != x.tobytes():
            self.residuals(x)
        if self._last is None:
            raise ModelError("refine: an impossible model has no derivatives")
        return self._last[1]
