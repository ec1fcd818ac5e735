// Fractional Miller indices of a ray, h = a.q with q = (d - i)/lambda. They are split into the nearest
// reflection and the offset from it.
#pragma once
#include "policies.cuh"

namespace cupysim {

template <class Policy>
struct Index {
    typename Policy::Number nearest;  // integer; halves are rounded down, as in the C program
    typename Policy::Offset offset;  // in (-1/2, 1/2]
};

// Scattering vectors of a block of pixels (1/m).
template <class Policy>
struct Scattering {
    double x[LANES], y[LANES], z[LANES];
};

template <>
struct Scattering<Pairs> {
    float x[LANES], y[LANES], z[LANES];
    float x_low[LANES], y_low[LANES], z_low[LANES];
};

template <class Policy>
CUPYSIM_FUNCTION void set_scattering(Scattering<Policy>& q, int i, double x, double y, double z) {
    q.x[i] = x;
    q.y[i] = y;
    q.z[i] = z;
}

CUPYSIM_FUNCTION void set_scattering(Scattering<Pairs>& q, int i, double x, double y, double z) {
    const Pair px = split_double(x), py = split_double(y), pz = split_double(z);
    q.x[i] = px.hi;
    q.y[i] = py.hi;
    q.z[i] = pz.hi;
    q.x_low[i] = px.lo;
    q.y_low[i] = py.lo;
    q.z_low[i] = pz.lo;
}

// One index; `row` is a cell vector, a row of an orientation matrix.
template <class Policy>
CUPYSIM_FUNCTION Index<Policy> miller_index(const Scattering<Policy>& q, int i, const double* row, double) {
    const double h = multiply_add(row[0], q.x[i], multiply_add(row[1], q.y[i], row[2] * q.z[i]));
    const double nearest = nearest_index(h);
    return {nearest, h - nearest};
}

// The index in pairs of floats. The sum of the three products is rounded to a coarse grid, on which it is
// exact, by adding 1.5 2^23 times the grid first. Fused multiplications find the rest without error, and it
// is summed separately.
CUPYSIM_FUNCTION Index<Pairs> miller_index(const Scattering<Pairs>& q, int i, const float* row, float grid) {
    const float* low = row + 9;
    const float s1 = fused(row[0], q.x[i], grid);
    const float s2 = fused(row[1], q.y[i], s1);
    const float s3 = fused(row[2], q.z[i], s2);
    float rest = fused(row[0], q.x[i], -sum(s1, -grid));
    rest = sum(rest, fused(row[1], q.y[i], -sum(s2, -s1)));
    rest = sum(rest, fused(row[2], q.z[i], -sum(s3, -s2)));
    rest = fused(low[0], q.x[i], fused(row[0], q.x_low[i], rest));
    rest = fused(low[1], q.y[i], fused(row[1], q.y_low[i], rest));
    rest = fused(low[2], q.z[i], fused(row[2], q.z_low[i], rest));
    const float on_grid = sum(s3, -grid);
    float nearest = nearest_even(on_grid);
    float fine = sum(on_grid, -nearest);
    // the rest may move the index across the limit between two reflections
    const float up = rest > sum(0.5f, -fine) ? 1.0f : 0.0f;
    const float down = rest <= sum(-0.5f, -fine) ? 1.0f : 0.0f;
    const float carry = sum(up, -down);
    nearest = sum(nearest, carry);
    fine = sum(fine, -carry);
    return {nearest, exact_sum(fine, rest)};
}

// h, k, l; `matrix` has rows a, b, c.
template <class Policy>
CUPYSIM_FUNCTION Triple<Index<Policy>> miller_indices(const Scattering<Policy>& q, int i,
                                                      const typename Policy::Element* matrix,
                                                      typename Policy::Real grid) {
    return {miller_index(q, i, matrix, grid), miller_index(q, i, matrix + 3, grid),
            miller_index(q, i, matrix + 6, grid)};
}

template <class Policy>
CUPYSIM_FUNCTION Triple<typename Policy::Offset> offsets_of(const Triple<Index<Policy>>& indices) {
    return {indices.h.offset, indices.k.offset, indices.l.offset};
}

template <class Policy>
CUPYSIM_FUNCTION Triple<typename Policy::Number> nearest_of(const Triple<Index<Policy>>& indices) {
    return {indices.h.nearest, indices.k.nearest, indices.l.nearest};
}

}  // namespace cupysim
