"""A least-squares problem of many pixels in as few rows as it has parameters, and one more.

SciPy's `least_squares` needs of residuals r and their Jacobian J only what does not change when
both are turned by an orthogonal matrix: J^T J, J^T r and r^T r. With J = Q R, the rows of R and
the numbers Q^T r, |r - Q Q^T r| have the same (Golub & Van Loan (2013) Matrix Computations, 5.3).
They are computed where the pixels lie, so that none of a GPU's pixels goes to the host.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

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
        residuals = self._problem.residuals(x)
        xp = array_namespace(residuals)
        if not xp.isfinite(residuals).all():
            return np.full(min(len(x), len(residuals)) + 1, np.inf)
        basis, triangle = xp.linalg.qr(self._problem.jacobian(x))
        along = basis.T @ residuals
        rest = xp.linalg.norm(residuals - basis @ along)
        rows = on_host(triangle)
        self._last = x.tobytes(), np.vstack([rows, np.zeros(rows.shape[1])])
        return np.append(on_host(along), float(rest))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Derivatives of these numbers, shape (n_parameters + 1, n_parameters)."""
        if self._last is None or self._last[0] != x.tobytes():
            self.residuals(x)
        assert self._last is not None, "least_squares asks for no Jacobian of an impossible model"
        return self._last[1]
