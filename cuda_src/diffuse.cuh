// Diffuse scattering: halos around reflections,
//     scale sum over neighbours n of F^2(h_n) sum over operations of W exp(-W)/(1 + D)^2,
// with W and D forms of h_n and of the offset from it. `plan/diffuse.py` has the same function. All in double
// precision. For cells that move independently as rigid bodies, the term is
//     scale F^2(h) sum over operations of (1 - exp(-W)),
// with F^2 interpolated linearly between the eight reflections around h, and W the form of h.
#pragma once
#include "exponential.cuh"
#include "structure_factor.cuh"

namespace cupysim {

CUPYSIM_FUNCTION double quadratic_form(const double* m, double x, double y, double z) {
    return m[0] * x * x + m[4] * y * y + m[8] * z * z + 2.0 * (m[1] * x * y + m[5] * y * z + m[2] * x * z);
}

// Indices of a block: the nearest reflections and the offsets from them.
struct BlockIndices {
    double nearest[3][LANES];
    double offset[3][LANES];
};

CUPYSIM_FUNCTION void block_indices(const Scattering<Double>& q, const double* matrix, double grid, BlockIndices& at) {
    FOR_LANES(i) {
        const auto found = miller_indices(q, i, matrix, grid);
        at.nearest[0][i] = found.h.nearest, at.offset[0][i] = found.h.offset;
        at.nearest[1][i] = found.k.nearest, at.offset[1][i] = found.k.offset;
        at.nearest[2][i] = found.l.nearest, at.offset[2][i] = found.l.offset;
    }
}

// Whether a reflection and its neighbours are in the table.
CUPYSIM_FUNCTION bool is_in_table(const Launch& launch, const double nearest[3]) {
    const double reach = static_cast<double>(launch.diffuse_neighbours);
    bool inside = true;
    for (int axis = 0; axis < 3; ++axis) {
        const double first = static_cast<double>(launch.first_index[axis]);
        const double last = first + static_cast<double>(launch.table_shape[axis] - 3);
        inside = inside && nearest[axis] - reach >= first && nearest[axis] + reach <= last;
    }
    return inside;
}

// F of a reflection, divided by the largest one.
template <Factors factors>
CUPYSIM_FUNCTION double factor_at(const FactorTable<Double>& table, double h, double k, double l) {
    if constexpr (factors == CONSTANT) {
        return 1.0;
    } else {
        return nearest(table, Triple<double>{h, k, l});
    }
}

// Visits the reflections that have halos at the indices of a block. The arguments of `visit` are F^2, the indices for
// W, and the offsets from the reflections.
template <Factors factors, class Visit>
CUPYSIM_FUNCTION void for_halos(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                Visit visit) {
    double exists[LANES];
    FOR_LANES(i) exists[i] = 1.0;
    if (launch.as_diffbragg) {
        FOR_LANES(i) {
            const double nearest[3] = {at.nearest[0][i], at.nearest[1][i], at.nearest[2][i]};
            const bool is_absent = factor_at<factors>(table, nearest[0], nearest[1], nearest[2]) == 0.0;
            exists[i] = !is_absent && (factors == CONSTANT || is_in_table(launch, nearest)) ? 1.0 : 0.0;
        }
    }
    const int reach = static_cast<int>(launch.diffuse_neighbours), edge = 2 * reach + 1;
    for (int number = 0; number < edge * edge * edge; ++number) {
        const double h = number / (edge * edge) - reach, k = number / edge % edge - reach, l = number % edge - reach;
        double square[LANES], there[3][LANES], offset[3][LANES];
        FOR_LANES(i) {
            there[0][i] = at.nearest[0][i] + h, offset[0][i] = at.offset[0][i] - h;
            there[1][i] = at.nearest[1][i] + k, offset[1][i] = at.offset[1][i] - k;
            there[2][i] = at.nearest[2][i] + l, offset[2][i] = at.offset[2][i] - l;
            const double factor = factor_at<factors>(table, there[0][i], there[1][i], there[2][i]);
            square[i] = exists[i] * factor * factor;
        }
        visit(square, launch.as_diffbragg ? at.nearest : there, offset);
    }
}

// Adds F^2 times the sum over the operations of W exp(-W)/(1 + D)^2.
CUPYSIM_FUNCTION void add_halos(const Launch& launch, const double square[LANES], const double (*at)[LANES],
                                const double (*offset)[LANES], double sum[LANES]) {
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            const double w = quadratic_form(operation.displacement, at[0][i], at[1][i], at[2][i]);
            const double d = 1.0 + quadratic_form(operation.halo, offset[0][i], offset[1][i], offset[2][i]);
            sum[i] += square[i] * w * exp_minus(w) / (d * d);
        }
    }
}

// F^2 between reflections, and its derivatives with respect to h, k, l.
struct InterpolatedSquares {
    double value[LANES];
    double along[3][LANES];
};

// Interpolates F^2 linearly between the eight reflections around an index.
template <Factors factors>
CUPYSIM_FUNCTION void interpolate_squares(const FactorTable<Double>& table, const BlockIndices& at,
                                          InterpolatedSquares& found) {
    FOR_LANES(i) found.value[i] = found.along[0][i] = found.along[1][i] = found.along[2][i] = 0.0;
    for (int corner = 0; corner < 8; ++corner) {
        const double h = corner & 1, k = (corner >> 1) & 1, l = corner >> 2;
        // the weight of a corner is x at 1 and 1 - x at 0
        const double sign_h = 2.0 * h - 1.0, sign_k = 2.0 * k - 1.0, sign_l = 2.0 * l - 1.0;
        FOR_LANES(i) {
            const double back_h = at.offset[0][i] < 0.0 ? 1.0 : 0.0, back_k = at.offset[1][i] < 0.0 ? 1.0 : 0.0,
                         back_l = at.offset[2][i] < 0.0 ? 1.0 : 0.0;
            const double of_h = 1.0 - h + sign_h * (at.offset[0][i] + back_h),
                         of_k = 1.0 - k + sign_k * (at.offset[1][i] + back_k),
                         of_l = 1.0 - l + sign_l * (at.offset[2][i] + back_l);
            const double factor = factor_at<factors>(table, at.nearest[0][i] - back_h + h,
                                                     at.nearest[1][i] - back_k + k, at.nearest[2][i] - back_l + l);
            const double square = factor * factor;
            found.value[i] += of_h * of_k * of_l * square;
            found.along[0][i] += sign_h * of_k * of_l * square;
            found.along[1][i] += sign_k * of_h * of_l * square;
            found.along[2][i] += sign_l * of_h * of_k * square;
        }
    }
}

// The terms of rigid cells, without the scale.
template <Factors factors>
CUPYSIM_FUNCTION void rigid_terms(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                  double sum[LANES]) {
    double moving[LANES];
    InterpolatedSquares squares;
    FOR_LANES(i) moving[i] = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            moving[i] +=
                1.0 - exp_minus(quadratic_form(operation.displacement, at.nearest[0][i] + at.offset[0][i],
                                               at.nearest[1][i] + at.offset[1][i], at.nearest[2][i] + at.offset[2][i]));
        }
    }
    interpolate_squares<factors>(table, at, squares);
    FOR_LANES(i) sum[i] = squares.value[i] * moving[i];
}

// The terms of diffuse scattering of a block, without the scale.
template <Factors factors>
CUPYSIM_FUNCTION void diffuse_terms(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                    double sum[LANES]) {
    if (launch.of_rigid_cells) {
        rigid_terms<factors>(launch, table, at, sum);
        return;
    }
    FOR_LANES(i) sum[i] = 0.0;
    for_halos<factors>(launch, table, at,
                       [&](const double square[LANES], const double (*there)[LANES], const double (*offset)[LANES]) {
                           add_halos(launch, square, there, offset, sum);
                       });
}

}  // namespace cupysim
