// Photons of a tile of pixels and their derivatives within a tolerance, on a GPU; `culled_gradient.cuh` has the same
// for a CPU.
#pragma once
#include "culled_warp.cuh"
#include "tile_columns.cuh"

namespace cupysim {

template <Shape shape, Factors factors>
class WarpDifferentiator {
  public:
    CUPYSIM_FUNCTION WarpDifferentiator(const Launch& launch, WarpMemory& memory, Int place)
        : tests(launch, memory, place), columns(launch, tests.tile, tests.lane), computed(0) {}

    // Differentiates the pixel of this thread. Returns the number of terms.
    CUPYSIM_FUNCTION Int differentiate() {
        tests.visit(*this);
        columns.store();
        return tests.tile.has(tests.lane) ? computed : 0;
    }

    CUPYSIM_FUNCTION void begin_layer(const Cross&, Int) {}

    CUPYSIM_FUNCTION void compute(Int layer, Int source, const OrientationGroup& group, int count) {
        columns.add(layer, source, group, tests.memory.numbers, count);
        computed += tests.launch.oversample * tests.launch.oversample * count;
    }

  private:
    WarpTests<Double, shape, factors, SlopeBound<shape, factors>> tests;
    TileColumns<shape, factors> columns;
    Int computed;
};

// Differentiates the pixel with number `place` of the launch, together with the others of its half tile.
template <Shape shape, Factors factors>
CUPYSIM_FUNCTION void differentiate_tile(const Launch& launch, Int place) {
    __shared__ WarpMemory memory;
    launch.computed_terms[place] = WarpDifferentiator<shape, factors>(launch, memory, place).differentiate();
}

}  // namespace cupysim
