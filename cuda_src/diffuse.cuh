// Diffuse scattering: halos around reflections,
//     scale sum over neighbours n of F^2(h_n) sum over operations of W exp(-W)/(1 + D)^2,
// with W and D forms of h_n and of the offset from it. `plan/diffuse.py` has the same function. All in double
// precision. For cells that move independently as rigid bodies, the term is
//     scale F^2(h) sum over operations of (1 - exp(-W)),
// with F^2 interpolated linearly between the eight reflections around h, and W the form of h.
#pragma once
#include "structure_factor.cuh"

namespace cupysim {

CUPYSIM_FUNCTION double quadratic_form(const double* m, double x, double y, double z) {
    return m[0] * x * x + m[4] * y * y + m[8] * z * z + 2.0 * (m[1] * x * y + m[5] * y * z + m[2] * x * z);
}

// The sum over the operations of W exp(-W)/(1 + D)^2, with W at the indices `at` and D at the offset.
CUPYSIM_FUNCTION double halos(const Launch& launch, Triple<double> at, Triple<double> offset) {
    double sum = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const DiffuseOperation& operation = launch.diffuse_operations[number];
        const double w = quadratic_form(operation.displacement, at.h, at.k, at.l);
        const double d = 1.0 + quadratic_form(operation.halo, offset.h, offset.k, offset.l);
        sum += w * exp(-w) / (d * d);
    }
    return sum;
}

// Whether a reflection and its neighbours are in the table.
CUPYSIM_FUNCTION bool is_in_table(const Launch& launch, Triple<double> nearest) {
    const double indices[3] = {nearest.h, nearest.k, nearest.l};
    const double reach = static_cast<double>(launch.diffuse_neighbours);
    for (int axis = 0; axis < 3; ++axis) {
        const double first = static_cast<double>(launch.first_index[axis]);
        const double last = first + static_cast<double>(launch.table_shape[axis] - 3);
        if (indices[axis] - reach < first || indices[axis] + reach > last) return false;
    }
    return true;
}

// F of a reflection, divided by the largest one.
template <Factors factors>
CUPYSIM_FUNCTION double factor_at(const FactorTable<Double>& table, Triple<double> indices) {
    if constexpr (factors == CONSTANT) {
        return 1.0;
    } else {
        return nearest(table, indices);
    }
}

// F^2 between reflections, and its derivatives with respect to h, k, l.
struct InterpolatedSquare {
    double value;
    double along[3];
};

// Interpolates F^2 linearly between the eight reflections around an index.
template <Factors factors>
CUPYSIM_FUNCTION InterpolatedSquare interpolated_square(const FactorTable<Double>& table,
                                                        const Triple<Index<Double>>& indices) {
    const Triple<double> offset = {indices.h.offset, indices.k.offset, indices.l.offset};
    const Triple<double> nearest = {indices.h.nearest, indices.k.nearest, indices.l.nearest};
    const Triple<double> back = {offset.h < 0.0 ? 1.0 : 0.0, offset.k < 0.0 ? 1.0 : 0.0, offset.l < 0.0 ? 1.0 : 0.0};
    InterpolatedSquare found{};
    for (int corner = 0; corner < 8; ++corner) {
        const double h = corner & 1, k = (corner >> 1) & 1, l = corner >> 2;
        const double along_h = offset.h + back.h, along_k = offset.k + back.k, along_l = offset.l + back.l;
        const double of_h = h != 0.0 ? along_h : 1.0 - along_h, of_k = k != 0.0 ? along_k : 1.0 - along_k,
                     of_l = l != 0.0 ? along_l : 1.0 - along_l;
        const double factor =
            factor_at<factors>(table, {nearest.h - back.h + h, nearest.k - back.k + k, nearest.l - back.l + l});
        const double square = factor * factor;
        found.value += of_h * of_k * of_l * square;
        found.along[0] += (h != 0.0 ? square : -square) * of_k * of_l;
        found.along[1] += (k != 0.0 ? square : -square) * of_h * of_l;
        found.along[2] += (l != 0.0 ? square : -square) * of_h * of_k;
    }
    return found;
}

template <Factors factors>
CUPYSIM_FUNCTION double rigid_term(const Launch& launch, const FactorTable<Double>& table,
                                   const Triple<Index<Double>>& indices) {
    double moving = 0.0;
    for (Int number = 0; number < launch.n_operations; ++number) {
        const double* form = launch.diffuse_operations[number].displacement;
        moving +=
            1.0 - exp(-quadratic_form(form, indices.h.nearest + indices.h.offset, indices.k.nearest + indices.k.offset,
                                      indices.l.nearest + indices.l.offset));
    }
    return launch.diffuse_scale * interpolated_square<factors>(table, indices).value * moving;
}

// Visits the reflections that have halos at an index. The arguments of `visit` are F^2, the indices of W, and the
// offset from the reflection.
template <Factors factors, class Visit>
CUPYSIM_FUNCTION void for_halos(const Launch& launch, const FactorTable<Double>& table,
                                const Triple<Index<Double>>& indices, Visit visit) {
    const Triple<double> at = {indices.h.nearest, indices.k.nearest, indices.l.nearest};
    if (launch.as_diffbragg) {
        if (factor_at<factors>(table, at) == 0.0) return;
        if (factors != CONSTANT && !is_in_table(launch, at)) return;
    }
    const int reach = static_cast<int>(launch.diffuse_neighbours);
    for (int h = -reach; h <= reach; ++h) {
        for (int k = -reach; k <= reach; ++k) {
            for (int l = -reach; l <= reach; ++l) {
                const Triple<double> there = {at.h + h, at.k + k, at.l + l};
                const double factor = factor_at<factors>(table, there);
                if (factor == 0.0) continue;
                const Triple<double> offset = {indices.h.offset - h, indices.k.offset - k, indices.l.offset - l};
                visit(factor * factor, launch.as_diffbragg ? at : there, offset);
            }
        }
    }
}

template <Factors factors>
CUPYSIM_FUNCTION double diffuse_term(const Launch& launch, const FactorTable<Double>& table,
                                     const Triple<Index<Double>>& indices) {
    if (launch.of_rigid_cells) return rigid_term<factors>(launch, table, indices);
    double sum = 0.0;
    for_halos<factors>(launch, table, indices, [&](double square, Triple<double> at, Triple<double> offset) {
        sum += square * halos(launch, at, offset);
    });
    return launch.diffuse_scale * sum;
}

}  // namespace cupysim
