// Structure factors at Miller indices: constant, of the nearest reflection, or
// interpolated; divided by the table's largest.
#pragma once
#include "launch.cuh"
#include "miller_index.cuh"

namespace cupysim {

enum Factors { CONSTANT, NEAREST, TRICUBIC };

// The table of a source's channel. Its border, one entry wide, holds the value
// outside; an index beyond it is moved there, so that no comparison is needed.
template <class Policy>
struct FactorTable {
    const typename Policy::Real* values;
    Triple<typename Place<typename Policy::Number>::Type> before;  // index of the border in front
    Triple<typename Place<typename Policy::Number>::Type> last;  // place of the border behind
    int n_k, n_l;
};

template <class Policy>
CUPYSIM_FUNCTION FactorTable<Policy> factor_table(const Launch& launch, const double* source) {
    using Number = typename Place<typename Policy::Number>::Type;
    FactorTable<Policy> table;
    const Int channel = static_cast<Int>(source[10]);
    table.values = static_cast<const typename Policy::Real*>(launch.table[0]) + channel * launch.channel_size[0];
    const Int *first = launch.first_index, *lengths = launch.lengths;
    table.before = {static_cast<Number>(first[0] - 1), static_cast<Number>(first[1] - 1),
                    static_cast<Number>(first[2] - 1)};
    table.last = {static_cast<Number>(lengths[0] - 1), static_cast<Number>(lengths[1] - 1),
                  static_cast<Number>(lengths[2] - 1)};
    table.n_k = static_cast<int>(launch.lengths[1]);
    table.n_l = static_cast<int>(launch.lengths[2]);
    return table;
}

// Place in the table along one axis.
template <class Number>
CUPYSIM_FUNCTION int place_in_table(Number whole, Number before, Number last) {
    return static_cast<int>(smaller(larger(whole - before, Number(0)), last));
}

// The place of the nearest reflection.
template <class Policy>
CUPYSIM_FUNCTION int nearest_place(const FactorTable<Policy>& table, Triple<typename Policy::Number> whole) {
    const int h = place_in_table(place_of(whole.h), table.before.h, table.last.h);
    const int k = place_in_table(place_of(whole.k), table.before.k, table.last.k);
    const int l = place_in_table(place_of(whole.l), table.before.l, table.last.l);
    return (h * table.n_k + k) * table.n_l + l;
}

// Its factor.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Real nearest_factor(const FactorTable<Policy>& table,
                                                      Triple<typename Policy::Number> whole) {
    return table.values[nearest_place(table, whole)];
}

// Numerators of the four cubic Lagrange polynomials through -1, 0, 1, 2,
// divided by their denominators; 0 <= x < 1.
template <class Real>
CUPYSIM_FUNCTION void lagrange_weights(Real x, Real weights[4]) {
    const Real before = x + Real(1), after = x - Real(1), beyond = x - Real(2);
    weights[0] = x * after * beyond * Real(-1.0 / 6.0);
    weights[1] = before * after * beyond * Real(0.5);
    weights[2] = before * x * beyond * Real(-0.5);
    weights[3] = before * x * after * Real(1.0 / 6.0);
}

// Where four nodes begin, and their weights.
template <class Policy>
CUPYSIM_FUNCTION int place_nodes(const Index<Policy>& index, typename Place<typename Policy::Number>::Type before,
                                 typename Place<typename Policy::Number>::Type last,
                                 typename Policy::Number weights[4]) {
    using Number = typename Policy::Number;
    using PlaceType = typename Place<Number>::Type;
    const Number offset = Narrow<Number>::of(index.offset);
    const Number down = offset < Number(0) ? Number(1) : Number(0);
    lagrange_weights(offset + down, weights);
    const PlaceType place = place_of(index.whole - down) - before;
    return static_cast<int>(smaller(larger(place, PlaceType(1)), last - PlaceType(2))) - 1;
}

// Whether the table holds the four nodes along one axis.
template <class Policy>
CUPYSIM_FUNCTION bool has_nodes(const Index<Policy>& index, typename Place<typename Policy::Number>::Type before,
                                typename Place<typename Policy::Number>::Type last) {
    using Number = typename Policy::Number;
    using PlaceType = typename Place<Number>::Type;
    const Number down = Narrow<Number>::of(index.offset) < Number(0) ? Number(1) : Number(0);
    const PlaceType place = place_of(index.whole - down) - before;
    return place >= PlaceType(2) && place <= last - PlaceType(3);
}

template <class Policy>
CUPYSIM_FUNCTION bool has_all_nodes(const FactorTable<Policy>& table, const Triple<Index<Policy>>& indices) {
    return has_nodes(indices.h, table.before.h, table.last.h) && has_nodes(indices.k, table.before.k, table.last.k) &&
           has_nodes(indices.l, table.before.l, table.last.l);
}

// Interpolated through 4 x 4 x 4 table points: along l, then k, then h; the nearest where the
// table does not hold them.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Real tricubic_factor(const FactorTable<Policy>& table,
                                                       const Triple<Index<Policy>>& indices) {
    using Number = typename Policy::Number;
    if (!has_all_nodes(table, indices)) return nearest_factor(table, wholes_of(indices));
    Number weights[3][4];
    const int corner[3] = {place_nodes(indices.h, table.before.h, table.last.h, weights[0]),
                           place_nodes(indices.k, table.before.k, table.last.k, weights[1]),
                           place_nodes(indices.l, table.before.l, table.last.l, weights[2])};
    Number along_h = Number(0);
    for (int h = 0; h < 4; ++h) {
        Number along_k = Number(0);
        for (int k = 0; k < 4; ++k) {
            const auto* row = table.values + ((corner[0] + h) * table.n_k + corner[1] + k) * table.n_l + corner[2];
            Number along_l = Number(0);
            for (int l = 0; l < 4; ++l) along_l = multiply_add(weights[2][l], Number(row[l]), along_l);
            along_k = multiply_add(weights[1][k], along_l, along_k);
        }
        along_h = multiply_add(weights[0][h], along_k, along_h);
    }
    return static_cast<typename Policy::Real>(along_h);
}

}  // namespace cupysim
