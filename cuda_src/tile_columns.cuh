// Derivatives of the pixels of a tile, from orientations that are left within a tolerance.
#pragma once
#include "gradient.cuh"
#include "tile_bounds.cuh"
#include "slope_bounds.cuh"

namespace cupysim {

// The columns of the pixels of a tile from lane `first` on.
template <Shape shape, Factors factors>
class TileColumns {
  public:
    CUPYSIM_FUNCTION TileColumns(const Launch& launch, const Tile& tile, int first)
        : launch(launch), lanes(tile.lanes >> first), n_sub_pixels(launch.oversample * launch.oversample) {
        number_pixels(launch, pixels, tile, first);
        reset(launch, pixels);
        clear(columns);
        if (has_ray_background(launch)) add_background();
    }

    // Adds the orientations of a list, numbers in a group, for a layer and a source.
    CUPYSIM_OUTLINE void add(Int layer, Int source, const OrientationGroup& group, const short* numbers, int count) {
        double nothing[LANES];
        FOR_LANES(i) nothing[i] = 0.0;
        for (Int sub_pixel = 0; sub_pixel < n_sub_pixels; ++sub_pixel) {
            const Ray ray = ray_to(layer, sub_pixel, source);
            RayConstants<Double> constants;
            if (!aim(ray, constants)) continue;
            RaySums sums;
            clear(sums);
            add_list(constants, group, numbers, count, sums, columns);
            add_ray(launch, aimed, ray, nothing, sums, columns);
        }
    }

    CUPYSIM_FUNCTION void store() const { store_derivatives(launch, pixels, columns, lanes); }

  protected:
    const Launch& launch;
    const unsigned long long lanes;  // bits of those that are pixels to compute
    const Int n_sub_pixels;
    PixelBlock pixels, aimed;
    Columns columns;

    CUPYSIM_FUNCTION Ray ray_to(Int layer, Int sub_pixel, Int source) const {
        return {layer, sub_pixel / launch.oversample, sub_pixel % launch.oversample, source};
    }

    // Computes the constants of a ray. Returns whether any pixel is within the resolution limit.
    CUPYSIM_FUNCTION bool aim(const Ray& ray, RayConstants<Double>& constants) {
        aimed = pixels;
        aim_at(launch, aimed, ray, true);
        FOR_LANES(i) aimed.total[i] = 0.0;
        return prepare_source(launch, aimed, ray.source, constants);
    }

    // Adds the orientations of a list for one ray.
    CUPYSIM_FUNCTION void add_list(const RayConstants<Double>& constants, const OrientationGroup& group,
                                   const short* numbers, int count, RaySums& sums, Columns& to) const {
        const auto crystal = crystal_constants<Double>(launch, group.crystal);
        const double* matrices = matrix_of<Double>(launch, group.first);
        const double* derivatives =
            launch.matrix_derivatives + (group.first - launch.first_matrix) * launch.n_spreads * Double::MATRIX_SIZE;
        for (int j = 0; j < count; ++j) {
            const Int number = static_cast<Int>(numbers[j]), place = number * Double::MATRIX_SIZE;
            add_orientation<shape, factors>(launch, constants, crystal, group.first + number, matrices + place,
                                            derivatives + place * launch.n_spreads, sums, to);
        }
    }

    // Adds the background of all rays.
    CUPYSIM_OUTLINE void add_background() {
        for (Int layer = 0; layer < launch.n_layers; ++layer) {
            for (Int sub_pixel = 0; sub_pixel < n_sub_pixels; ++sub_pixel) {
                for (Int source = 0; source < launch.n_sources; ++source) {
                    const Ray ray = ray_to(layer, sub_pixel, source);
                    RayConstants<Double> constants;
                    aim(ray, constants);
                    RaySums sums;
                    clear(sums);
                    add_background_slopes(launch, aimed, source, sums);
                    add_ray(launch, aimed, ray, aimed.total, sums, columns);
                }
            }
        }
    }
};

}  // namespace cupysim
