// Structure factors at Miller indices, divided by the largest one of the table. They are constant, those of
// the nearest reflection, or interpolated.
#pragma once
#include "launch.cuh"
#include "miller_index.cuh"

namespace cupysim {

#define CUPYSIM_FACTORS(FACTORS) FACTORS(CONSTANT) FACTORS(NEAREST) FACTORS(TRICUBIC)

#define CUPYSIM_DECLARE(name) name,
enum Factors { CUPYSIM_FACTORS(CUPYSIM_DECLARE) };
#undef CUPYSIM_DECLARE

// The table of a source's channel. Its border is one entry wide and holds the value outside the table. An
// index beyond the border is moved to it, so no comparison is needed.
template <class Policy>
struct FactorTable {
    using Number = typename Place<typename Policy::Number>::Type;
    const typename Policy::Real* values;
    Triple<Number> before;  // index of the border in front
    Triple<Number> last;  // place of the border behind
    int n_k, n_l;

    CUPYSIM_FUNCTION int place(int h, int k, int l) const { return (h * n_k + k) * n_l + l; }
};

template <class Policy>
CUPYSIM_FUNCTION FactorTable<Policy> factor_table(const Launch& launch, const Source& source) {
    using Number = typename FactorTable<Policy>::Number;
    const Int *first = launch.first_index, *shape = launch.table_shape;
    FactorTable<Policy> table;
    table.values = static_cast<const typename Policy::Real*>(launch.table) + source.channel * launch.channel_size;
    table.before = {static_cast<Number>(first[0] - 1), static_cast<Number>(first[1] - 1),
                    static_cast<Number>(first[2] - 1)};
    table.last = {static_cast<Number>(shape[0] - 1), static_cast<Number>(shape[1] - 1),
                  static_cast<Number>(shape[2] - 1)};
    table.n_k = static_cast<int>(shape[1]);
    table.n_l = static_cast<int>(shape[2]);
    return table;
}

// The place in the table along one axis.
template <class Number>
CUPYSIM_FUNCTION int place_in_table(Number index, Number before, Number last) {
    return static_cast<int>(smaller(larger(index - before, Number(0)), last));
}

// The place of the nearest reflection.
template <class Policy>
CUPYSIM_FUNCTION int nearest_place(const FactorTable<Policy>& table, Triple<typename Policy::Number> nearest) {
    const int h = place_in_table(place_of(nearest.h), table.before.h, table.last.h);
    const int k = place_in_table(place_of(nearest.k), table.before.k, table.last.k);
    const int l = place_in_table(place_of(nearest.l), table.before.l, table.last.l);
    return table.place(h, k, l);
}

// F of the nearest reflection.
template <class Policy>
CUPYSIM_FUNCTION typename Policy::Real nearest(const FactorTable<Policy>& table,
                                               Triple<typename Policy::Number> indices) {
    return table.values[nearest_place(table, indices)];
}

// The four cubic Lagrange polynomials through -1, 0, 1, 2; 0 <= x < 1.
template <class Real>
CUPYSIM_FUNCTION void lagrange_weights(Real x, Real weights[4]) {
    const Real before = x + Real(1), after = x - Real(1), beyond = x - Real(2);
    weights[0] = x * after * beyond * Real(-1.0 / 6.0);
    weights[1] = before * after * beyond * Real(0.5);
    weights[2] = before * x * beyond * Real(-0.5);
    weights[3] = before * x * after * Real(1.0 / 6.0);
}

// Their derivatives with respect to x.
template <class Real>
CUPYSIM_FUNCTION void lagrange_derivatives(Real x, Real derivatives[4]) {
    derivatives[0] = (Real(3) * x * x - Real(6) * x + Real(2)) * Real(-1.0 / 6.0);
    derivatives[1] = (Real(3) * x * x - Real(4) * x - Real(1)) * Real(0.5);
    derivatives[2] = (Real(3) * x * x - Real(2) * x - Real(2)) * Real(-0.5);
    derivatives[3] = (Real(3) * x * x - Real(1)) * Real(1.0 / 6.0);
}

// Whether the table holds the four nodes along one axis.
template <class Policy>
CUPYSIM_FUNCTION bool has_neighbours(const Index<Policy>& index, typename FactorTable<Policy>::Number before,
                                     typename FactorTable<Policy>::Number last) {
    using Number = typename Policy::Number;
    using PlaceType = typename FactorTable<Policy>::Number;
    const Number down = Narrow<Number>::of(index.offset) < Number(0) ? Number(1) : Number(0);
    const PlaceType place = place_of(index.nearest - down) - before;
    return place >= PlaceType(2) && place <= last - PlaceType(3);
}

template <class Policy>
CUPYSIM_FUNCTION bool has_neighbours(const FactorTable<Policy>& table, const Triple<Index<Policy>>& indices) {
    return has_neighbours(indices.h, table.before.h, table.last.h) &&
           has_neighbours(indices.k, table.before.k, table.last.k) &&
           has_neighbours(indices.l, table.before.l, table.last.l);
}

// The 4 x 4 x 4 table entries around Miller indices: the first place along h, k, l, the weights of the four
// entries along each axis, and the derivatives of the weights with respect to the index.
template <class Number, bool differentiate>
struct Nodes {
    int first[3];
    Number weights[3][4];
    Number derivatives[differentiate ? 3 : 1][4];
};

template <bool differentiate, class Policy, class Number>
CUPYSIM_FUNCTION void find_nodes(const Index<Policy>& index, typename FactorTable<Policy>::Number before,
                                 typename FactorTable<Policy>::Number last, int axis,
                                 Nodes<Number, differentiate>& nodes) {
    using PlaceType = typename FactorTable<Policy>::Number;
    const Number offset = Narrow<Number>::of(index.offset);
    const Number down = offset < Number(0) ? Number(1) : Number(0);
    lagrange_weights(offset + down, nodes.weights[axis]);
    if constexpr (differentiate) lagrange_derivatives(offset + down, nodes.derivatives[axis]);
    const PlaceType place = place_of(index.nearest - down) - before;
    nodes.first[axis] = static_cast<int>(smaller(larger(place, PlaceType(1)), last - PlaceType(2))) - 1;
}

template <bool differentiate, class Policy>
CUPYSIM_FUNCTION Nodes<typename Policy::Number, differentiate> nodes_of(const FactorTable<Policy>& table,
                                                                        const Triple<Index<Policy>>& indices) {
    Nodes<typename Policy::Number, differentiate> nodes;
    find_nodes(indices.h, table.before.h, table.last.h, 0, nodes);
    find_nodes(indices.k, table.before.k, table.last.k, 1, nodes);
    find_nodes(indices.l, table.before.l, table.last.l, 2, nodes);
    return nodes;
}

// F, and its derivatives with respect to h, k, l if they are needed.
template <class Real>
struct Factor {
    Real value;
    Triple<Real> along;
};

// F interpolated in 4 x 4 x 4 table entries: along l, then k, then h. If the table does not hold them, F of
// the nearest reflection.
template <bool differentiate, class Policy>
CUPYSIM_FUNCTION Factor<typename Policy::Real> tricubic(const FactorTable<Policy>& table,
                                                        const Triple<Index<Policy>>& indices) {
    using Real = typename Policy::Real;
    using Number = typename Policy::Number;
    if (!has_neighbours(table, indices)) return {nearest(table, nearest_of(indices)), {Real(0), Real(0), Real(0)}};
    const auto nodes = nodes_of<differentiate>(table, indices);
    const auto* corner = table.values + table.place(nodes.first[0], nodes.first[1], nodes.first[2]);
    Number value = Number(0), along_h = Number(0), along_k = Number(0), along_l = Number(0);
    for (int h = 0; h < 4; ++h) {
        Number plane = Number(0), plane_k = Number(0), plane_l = Number(0);
        for (int k = 0; k < 4; ++k) {
            const auto* row = corner + table.place(h, k, 0);
            Number line = Number(0), line_l = Number(0);
            for (int l = 0; l < 4; ++l) {
                line = multiply_add(nodes.weights[2][l], Number(row[l]), line);
                if constexpr (differentiate) line_l = multiply_add(nodes.derivatives[2][l], Number(row[l]), line_l);
            }
            plane = multiply_add(nodes.weights[1][k], line, plane);
            if constexpr (differentiate) {
                plane_k = multiply_add(nodes.derivatives[1][k], line, plane_k);
                plane_l = multiply_add(nodes.weights[1][k], line_l, plane_l);
            }
        }
        value = multiply_add(nodes.weights[0][h], plane, value);
        if constexpr (differentiate) {
            along_h = multiply_add(nodes.derivatives[0][h], plane, along_h);
            along_k = multiply_add(nodes.weights[0][h], plane_k, along_k);
            along_l = multiply_add(nodes.weights[0][h], plane_l, along_l);
        }
    }
    return {static_cast<Real>(value),
            {static_cast<Real>(along_h), static_cast<Real>(along_k), static_cast<Real>(along_l)}};
}

// F at Miller indices.
template <Factors factors, bool differentiate, class Policy>
CUPYSIM_FUNCTION Factor<typename Policy::Real> structure_factor(const FactorTable<Policy>& table,
                                                                typename Policy::Real constant_factor,
                                                                const Triple<Index<Policy>>& indices) {
    using Real = typename Policy::Real;
    if constexpr (factors == CONSTANT) {
        return {constant_factor, {Real(0), Real(0), Real(0)}};
    } else if constexpr (factors == NEAREST) {
        return {nearest(table, nearest_of(indices)), {Real(0), Real(0), Real(0)}};
    } else {
        static_assert(factors == TRICUBIC, "there is no rule for this kind of structure factors");
        return tricubic<differentiate>(table, indices);
    }
}

}  // namespace cupysim
