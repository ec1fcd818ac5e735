// Derivatives of diffuse scattering, as in `cupysim/plan/diffuse_slopes.py`.
//
// An operation t of the Laue group turns indices, and all operations share two forms: the halo's, G, and that of
// displacements, S. With an offset x from a reflection h: D = (t x)^T G (t x), W = (t h)^T S (t h).
#pragma once
#include "diffuse.cuh"

namespace cupysim {

// Elements 00, 11, 22, 01, 12, 02 of a symmetric matrix.
constexpr int FORM_ELEMENTS = 6;

// Terms of diffuse scattering of a block, and their derivatives with respect to h, k, l and to the elements of G and S.
struct DiffuseSlopes {
    double value[LANES];
    double along[3][LANES];
    double halo[FORM_ELEMENTS][LANES];
    double displacement[FORM_ELEMENTS][LANES];
};

CUPYSIM_FUNCTION Triple<double> times_matrix(const double* m, double x, double y, double z) {
    return {m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z};
}

// Adds `weight` times the derivatives of v^T M v with respect to the elements of M.
CUPYSIM_FUNCTION void add_form_slopes(double weight, const Triple<double>& v, int i, double (*slopes)[LANES]) {
    slopes[0][i] += weight * v.h * v.h;
    slopes[1][i] += weight * v.k * v.k;
    slopes[2][i] += weight * v.l * v.l;
    slopes[3][i] += 2.0 * weight * v.h * v.k;
    slopes[4][i] += 2.0 * weight * v.k * v.l;
    slopes[5][i] += 2.0 * weight * v.h * v.l;
}

// Adds F^2 times the sum over the operations of W exp(-W)/(1 + D)^2.
CUPYSIM_FUNCTION void add_halo_slopes(const Launch& launch, const Halo& halo, DiffuseSlopes& found) {
    const auto *at = halo.at, *offset = halo.offset;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            const double h = at[0][i], k = at[1][i], l = at[2][i], x = offset[0][i], y = offset[1][i], z = offset[2][i];
            const double w = quadratic_form(operation.displacement, h, k, l);
            const double inverse = 1.0 / (1.0 + quadratic_form(operation.halo, x, y, z));
            const double square = halo.factor[i] * halo.factor[i], still = square * exp_minus(w) * inverse * inverse,
                         value = w * still;
            const double by_halo = -2.0 * value * inverse;
            const Triple<double> slope = times_matrix(operation.halo, x, y, z);
            found.value[i] += value;
            found.along[0][i] += 2.0 * by_halo * slope.h;
            found.along[1][i] += 2.0 * by_halo * slope.k;
            found.along[2][i] += 2.0 * by_halo * slope.l;
            add_form_slopes(by_halo, times_matrix(operation.turn, x, y, z), i, found.halo);
            add_form_slopes((1.0 - w) * still, times_matrix(operation.turn, h, k, l), i, found.displacement);
        }
    }
}

template <Factors factors>
CUPYSIM_FUNCTION void add_rigid_slopes(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                       DiffuseSlopes& found) {
    double moving[LANES];
    InterpolatedSquares squares;
    interpolate_squares<factors>(table, at, squares);
    FOR_LANES(i) moving[i] = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            const double h = at.nearest[0][i] + at.offset[0][i], k = at.nearest[1][i] + at.offset[1][i],
                         l = at.nearest[2][i] + at.offset[2][i];
            const double still = exp_minus(quadratic_form(operation.displacement, h, k, l));
            const double weight = squares.value[i] * still;
            const Triple<double> slope = times_matrix(operation.displacement, h, k, l);
            moving[i] += 1.0 - still;
            found.along[0][i] += 2.0 * weight * slope.h;
            found.along[1][i] += 2.0 * weight * slope.k;
            found.along[2][i] += 2.0 * weight * slope.l;
            add_form_slopes(weight, times_matrix(operation.turn, h, k, l), i, found.displacement);
        }
    }
    FOR_LANES(i) {
        found.value[i] += squares.value[i] * moving[i];
        for (int axis = 0; axis < 3; ++axis) found.along[axis][i] += squares.along[axis][i] * moving[i];
    }
}

// The terms of `diffuse_terms` and their derivatives, without the scale.
template <Factors factors>
CUPYSIM_FUNCTION void diffuse_slopes(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                     DiffuseSlopes& found) {
    FOR_LANES(i) {
        found.value[i] = 0.0;
        for (int axis = 0; axis < 3; ++axis) found.along[axis][i] = 0.0;
        for (int number = 0; number < FORM_ELEMENTS; ++number) {
            found.halo[number][i] = found.displacement[number][i] = 0.0;
        }
    }
    if (launch.of_rigid_cells) {
        add_rigid_slopes<factors>(launch, table, at, found);
        return;
    }
    for_halos<factors>(launch, table, at, [&](const Halo& halo) { add_halo_slopes(launch, halo, found); });
}

}  // namespace cupysim
