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

// Halo of a reflection of a block.
struct Halo {
    double factor[LANES];  // F, divided by the largest one; zero where there is no halo
    double reflection[3][LANES];
    const double (*at)[LANES];  // indices for W
    double offset[3][LANES];  // from the reflection
};

// Visits the halos at the indices of a block.
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
        Halo halo;
        auto &there = halo.reflection, &offset = halo.offset;
        FOR_LANES(i) {
            there[0][i] = at.nearest[0][i] + h, offset[0][i] = at.offset[0][i] - h;
            there[1][i] = at.nearest[1][i] + k, offset[1][i] = at.offset[1][i] - k;
            there[2][i] = at.nearest[2][i] + l, offset[2][i] = at.offset[2][i] - l;
            halo.factor[i] = exists[i] * factor_at<factors>(table, there[0][i], there[1][i], there[2][i]);
        }
        halo.at = launch.as_diffbragg ? at.nearest : there;
        visit(halo);
    }
}

// Adds `strength` times the sum over the operations of W exp(-W)/(1 + D)^2.
CUPYSIM_FUNCTION void add_halo(const Launch& launch, const double strength[LANES], const Halo& halo,
                               double sum[LANES]) {
    const auto *at = halo.at, *offset = halo.offset;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            const double w = quadratic_form(operation.displacement, at[0][i], at[1][i], at[2][i]);
            const double d = 1.0 + quadratic_form(operation.halo, offset[0][i], offset[1][i], offset[2][i]);
            sum[i] += strength[i] * w * exp_minus(w) / (d * d);
        }
    }
}

// F^2 between reflections, and its derivatives with respect to h, k, l.
struct InterpolatedSquares {
    double value[LANES];
    double along[3][LANES];
};

// One of the eight reflections around the indices of a block.
struct Corner {
    double factor[LANES];  // F, divided by the largest one
    double reflection[3][LANES];
    double weight[3][LANES];  // along each axis
    double slope[3];  // of the weight: x at 1 and 1 - x at 0
};

// Visits the eight reflections around the indices of a block.
template <Factors factors, class Visit>
CUPYSIM_FUNCTION void for_corners(const FactorTable<Double>& table, const BlockIndices& at, Visit visit) {
    for (int number = 0; number < 8; ++number) {
        const double step[3] = {static_cast<double>(number & 1), static_cast<double>(number >> 1 & 1),
                                static_cast<double>(number >> 2)};
        Corner corner;
        for (int axis = 0; axis < 3; ++axis) {
            corner.slope[axis] = 2.0 * step[axis] - 1.0;
            FOR_LANES(i) {
                const double back = at.offset[axis][i] < 0.0 ? 1.0 : 0.0;
                corner.weight[axis][i] = 1.0 - step[axis] + corner.slope[axis] * (at.offset[axis][i] + back);
                corner.reflection[axis][i] = at.nearest[axis][i] - back + step[axis];
            }
        }
        const auto& there = corner.reflection;
        FOR_LANES(i) corner.factor[i] = factor_at<factors>(table, there[0][i], there[1][i], there[2][i]);
        visit(corner);
    }
}

// Interpolates F^2 linearly between the eight reflections around an index.
template <Factors factors>
CUPYSIM_FUNCTION void interpolate_squares(const FactorTable<Double>& table, const BlockIndices& at,
                                          InterpolatedSquares& found) {
    FOR_LANES(i) found.value[i] = found.along[0][i] = found.along[1][i] = found.along[2][i] = 0.0;
    for_corners<factors>(table, at, [&](const Corner& corner) {
        FOR_LANES(i) {
            const double of_h = corner.weight[0][i], of_k = corner.weight[1][i], of_l = corner.weight[2][i];
            const double square = corner.factor[i] * corner.factor[i];
            found.value[i] += of_h * of_k * of_l * square;
            found.along[0][i] += corner.slope[0] * of_k * of_l * square;
            found.along[1][i] += corner.slope[1] * of_h * of_l * square;
            found.along[2][i] += corner.slope[2] * of_h * of_k * square;
        }
    });
}

// Sum over the operations of 1 - exp(-W), for rigid cells.
CUPYSIM_FUNCTION void displaced_sum(const Launch& launch, const BlockIndices& at, double moving[LANES]) {
    FOR_LANES(i) moving[i] = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation operation = launch.diffuse_operations[number];
        FOR_LANES(i) {
            moving[i] +=
                1.0 - exp_minus(quadratic_form(operation.displacement, at.nearest[0][i] + at.offset[0][i],
                                               at.nearest[1][i] + at.offset[1][i], at.nearest[2][i] + at.offset[2][i]));
        }
    }
}

// The terms of rigid cells, without the scale.
template <Factors factors>
CUPYSIM_FUNCTION void rigid_terms(const Launch& launch, const FactorTable<Double>& table, const BlockIndices& at,
                                  double sum[LANES]) {
    double moving[LANES];
    InterpolatedSquares squares;
    displaced_sum(launch, at, moving);
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
    for_halos<factors>(launch, table, at, [&](const Halo& halo) {
        double square[LANES];
        FOR_LANES(i) square[i] = halo.factor[i] * halo.factor[i];
        add_halo(launch, square, halo, sum);
    });
}

}  // namespace cupysim
