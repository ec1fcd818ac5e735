// Derivatives of diffuse scattering, as in `cupysim/plan/diffuse.py`.
//
// An operation t of the Laue group turns indices, and all operations share two forms: the halo's, G, and that of
// displacements, S. With an offset x from a reflection h: D = (t x)^T G (t x), W = (t h)^T S (t h).
#pragma once
#include "diffuse.cuh"

namespace cupysim {

// Elements 00, 11, 22, 01, 12, 02 of a symmetric matrix.
constexpr int FORM_ELEMENTS = 6;

// A term of diffuse scattering, and its derivatives with respect to h, k, l and to the elements of G and S.
struct DiffuseSlopes {
    double value;
    double along[3];
    double halo[FORM_ELEMENTS];
    double displacement[FORM_ELEMENTS];
};

// Adds `weight` times the derivatives of v^T M v with respect to the elements of M.
CUPYSIM_FUNCTION void add_form_slopes(double weight, const double v[3], double slopes[FORM_ELEMENTS]) {
    slopes[0] += weight * v[0] * v[0];
    slopes[1] += weight * v[1] * v[1];
    slopes[2] += weight * v[2] * v[2];
    slopes[3] += 2.0 * weight * v[0] * v[1];
    slopes[4] += 2.0 * weight * v[1] * v[2];
    slopes[5] += 2.0 * weight * v[0] * v[2];
}

CUPYSIM_FUNCTION void times_matrix(const double* m, Triple<double> v, double result[3]) {
    for (int row = 0; row < 3; ++row) result[row] = m[3 * row] * v.h + m[3 * row + 1] * v.k + m[3 * row + 2] * v.l;
}

// Adds the halos of a reflection with squared factor `square`: W exp(-W)/(1 + D)^2, W at `at`, D at `offset`.
CUPYSIM_FUNCTION void add_halo_slopes(const Launch& launch, double square, Triple<double> at, Triple<double> offset,
                                      DiffuseSlopes& found) {
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation& operation = launch.diffuse_operations[number];
        const double w = quadratic_form(operation.displacement, at.h, at.k, at.l);
        const double inverse = 1.0 / (1.0 + quadratic_form(operation.halo, offset.h, offset.k, offset.l));
        const double still = square * exp(-w) * inverse * inverse, value = w * still;
        double slope[3], turned[3];
        times_matrix(operation.halo, offset, slope);
        found.value += value;
        const double by_halo = -2.0 * value * inverse;
        for (int axis = 0; axis < 3; ++axis) found.along[axis] += 2.0 * by_halo * slope[axis];
        times_matrix(operation.turn, offset, turned);
        add_form_slopes(by_halo, turned, found.halo);
        times_matrix(operation.turn, at, turned);
        add_form_slopes((1.0 - w) * still, turned, found.displacement);
    }
}

template <Factors factors>
CUPYSIM_FUNCTION void add_rigid_slopes(const Launch& launch, const FactorTable<Double>& table,
                                       const Triple<Index<Double>>& indices, DiffuseSlopes& found) {
    const InterpolatedSquare square = interpolated_square<factors>(table, indices);
    const Triple<double> at = {indices.h.nearest + indices.h.offset, indices.k.nearest + indices.k.offset,
                               indices.l.nearest + indices.l.offset};
    double moving = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation& operation = launch.diffuse_operations[number];
        const double still = exp(-quadratic_form(operation.displacement, at.h, at.k, at.l));
        double slope[3], turned[3];
        times_matrix(operation.displacement, at, slope);
        moving += 1.0 - still;
        for (int axis = 0; axis < 3; ++axis) found.along[axis] += 2.0 * square.value * still * slope[axis];
        times_matrix(operation.turn, at, turned);
        add_form_slopes(square.value * still, turned, found.displacement);
    }
    found.value = square.value * moving;
    for (int axis = 0; axis < 3; ++axis) found.along[axis] += square.along[axis] * moving;
}

// The term of `diffuse_term`, and its derivatives.
template <Factors factors>
CUPYSIM_FUNCTION DiffuseSlopes diffuse_slopes(const Launch& launch, const FactorTable<Double>& table,
                                              const Triple<Index<Double>>& indices) {
    DiffuseSlopes found{};
    if (launch.of_rigid_cells) {
        add_rigid_slopes<factors>(launch, table, indices, found);
    } else {
        for_halos<factors>(launch, table, indices, [&](double square, Triple<double> at, Triple<double> offset) {
            add_halo_slopes(launch, square, at, offset, found);
        });
    }
    const double scale = launch.diffuse_scale;
    found.value *= scale;
    for (int axis = 0; axis < 3; ++axis) found.along[axis] *= scale;
    for (int number = 0; number < FORM_ELEMENTS; ++number) {
        found.halo[number] *= scale;
        found.displacement[number] *= scale;
    }
    return found;
}

}  // namespace cupysim
