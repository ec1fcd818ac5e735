// Tiles of 8 x 8 pixels, which a render within a tolerance tests as a whole, and the scattering vectors in
// reach of a tile.
#pragma once
#include "render_block.cuh"

namespace cupysim {

constexpr int TILE_EDGE = 8;
// The pixels of a tile are its lanes. A thread has LANES of them: all 64 on a CPU, one on a GPU.
constexpr int TILE_LANES = TILE_EDGE * TILE_EDGE;

// The row and the column of a lane within its tile. Lanes of 8 x 4, of 4 x 4 and of 2 x 2 pixels follow each
// other.
CUPYSIM_FUNCTION int row_of_lane(int lane) { return (lane >> 5 & 1) * 4 + (lane >> 3 & 1) * 2 + (lane >> 1 & 1); }
CUPYSIM_FUNCTION int column_of_lane(int lane) { return (lane >> 4 & 1) * 4 + (lane >> 2 & 1) * 2 + (lane & 1); }

// A tile: its first row and column on the panel, and the lanes that are pixels to compute, as bits.
struct Tile {
    Int row, column;
    unsigned long long lanes;

    CUPYSIM_FUNCTION bool has(int lane) const { return lanes >> lane & 1; }
    CUPYSIM_FUNCTION bool is_whole() const { return lanes == ~0ull; }

    // Number of pixels to compute among `n` lanes, counted from `lane` on.
    CUPYSIM_FUNCTION int count(int lane, int n) const {
        int found = 0;
        for (int i = lane; i < lane + n; ++i) found += has(i) ? 1 : 0;
        return found;
    }
};

CUPYSIM_FUNCTION Tile tile_of(const Launch& launch, Int place) {
    const Int index = launch.first_pixel / TILE_LANES + place, number = launch.tiles[index];
    return {number / launch.tiles_across * TILE_EDGE, number % launch.tiles_across * TILE_EDGE,
            static_cast<unsigned long long>(launch.tile_lanes[index])};
}

// Numbers the pixels of a tile from lane `first` on. Lanes that are no pixels of the launch are numbered too.
CUPYSIM_FUNCTION void number_pixels(const Launch& launch, PixelBlock& pixels, const Tile& tile, int first) {
    for (int i = 0; i < LANES; ++i) {
        const Int slow = tile.row + row_of_lane(first + i), fast = tile.column + column_of_lane(first + i);
        pixels.numbers[i] = slow * launch.n_fast + fast;
        pixels.slow[i] = static_cast<double>(slow);
        pixels.fast[i] = static_cast<double>(fast);
    }
}

// Half the distance between the outermost of n sub-pixels in a row, in pixels.
CUPYSIM_FUNCTION double half_extent(const Launch& launch, int n_pixels) {
    return 0.5 * (static_cast<double>(n_pixels) - 1.0 / static_cast<double>(launch.oversample));
}

// Positions of five points of a layer: the centre, two along the fast axis, and two along the slow axis.
struct Cross {
    double x[5], y[5], z[5];  // unit vectors from the sample
    double airpath[5];  // (m)
};

// The five points at a distance of `half` pixels around panel coordinates in pixels.
CUPYSIM_OUTLINE Cross cross_of(const Launch& launch, double fast, double slow, double half, Int layer) {
    const double depth = static_cast<double>(layer) * launch.layer_step;
    const double along_fast[5] = {0.0, half, -half, 0.0, 0.0}, along_slow[5] = {0.0, 0.0, 0.0, half, -half};
    Cross cross;
    for (int i = 0; i < 5; ++i) {
        const double f = (fast + along_fast[i]) * launch.pixel_fast, s = (slow + along_slow[i]) * launch.pixel_slow;
        panel_point(launch, f, s, depth, cross.x[i], cross.y[i], cross.z[i]);
        if (launch.is_curved) bend(launch, cross.x[i], cross.y[i], cross.z[i]);
    }
    for (int i = 0; i < 5; ++i) {
        const double x = cross.x[i], y = cross.y[i], z = cross.z[i];
        const double length = square_root(x * x + y * y + z * z), inverse = 1.0 / length;
        cross.x[i] = x * inverse;
        cross.y[i] = y * inverse;
        cross.z[i] = z * inverse;
        cross.airpath[i] = length;
    }
    return cross;
}

// The square of the distance from the centre of a tile, whose axes reach `half` pixels, to its farther corners.
CUPYSIM_FUNCTION double corner_distance_squared(const Launch& launch, double half) {
    const double fast = half * launch.pixel_fast, slow = half * launch.pixel_slow;
    const double cosine =
        launch.fast[0] * launch.slow[0] + launch.fast[1] * launch.slow[1] + launch.fast[2] * launch.slow[2];
    return fast * fast + slow * slow + 2.0 * fast * slow * (cosine < 0.0 ? -cosine : cosine);
}

// The centre of the tile and four points around it, at a distance of `half` pixels; `shift` pixels from there
// along both axes.
CUPYSIM_FUNCTION Cross cross_of(const Launch& launch, const Tile& tile, double half, Int layer, double shift = 0.0) {
    const double middle = 0.5 * TILE_EDGE + shift;
    return cross_of(launch, static_cast<double>(tile.column) + middle, static_cast<double>(tile.row) + middle, half,
                    layer);
}

// Directions d of the sub-pixels of a tile in one layer: d = centre + s u + t v + e, where s and t are pixels
// along the axes, and |e| <= error.
struct TileDirections {
    double centre[3], u[3], v[3];
    double size_u, size_v;  // |u|, |v|
    double error;
    double shortest;  // least distance from the sample (m)
};

// `rate` is the largest |d''| along a line of the panel (1/m^2), and rho is half the tile's diagonal. The remainder
// of the first-order series is at most rate rho^2/2. The error of u and v together is at most the same. For a line
// at the distance R, |d''| <= sqrt(4/3)/R^2. For two rotations, |d''| is at most the square of the sum of their rates.
CUPYSIM_OUTLINE TileDirections directions_of(const Launch& launch, const Cross& cross, double half) {
    TileDirections tile;
    const double inverse = 1.0 / (2.0 * half);
    const double centre[3] = {cross.x[0], cross.y[0], cross.z[0]};
    const double fast[3] = {cross.x[1] - cross.x[2], cross.y[1] - cross.y[2], cross.z[1] - cross.z[2]};
    const double slow[3] = {cross.x[3] - cross.x[4], cross.y[3] - cross.y[4], cross.z[3] - cross.z[4]};
    for (int axis = 0; axis < 3; ++axis) {
        tile.centre[axis] = centre[axis];
        tile.u[axis] = fast[axis] * inverse;
        tile.v[axis] = slow[axis] * inverse;
    }
    tile.size_u = square_root(tile.u[0] * tile.u[0] + tile.u[1] * tile.u[1] + tile.u[2] * tile.u[2]);
    tile.size_v = square_root(tile.v[0] * tile.v[0] + tile.v[1] * tile.v[1] + tile.v[2] * tile.v[2]);
    const double rho_squared = corner_distance_squared(launch, half);
    double rate = 0.0;
    if (launch.is_curved) {
        // on a curved detector every point has the same distance from the sample
        tile.shortest = cross.airpath[0] * (1.0 - 1e-12);
        for (int n = 0; n < 2; ++n) {
            const double* m = launch.bend_measures + 3 * n;
            rate += square_root(m[0] * m[0] + m[1] * m[1] + m[2] * m[2]) / launch.bend_radius;
        }
        rate *= rate;
    } else {
        tile.shortest = cross.airpath[0] - square_root(rho_squared);
        rate = 1.1547005383792517 / (tile.shortest * tile.shortest);
    }
    // unit vectors and their differences are never farther apart than 4
    tile.error = tile.shortest > 0.0 ? smaller(rate * rho_squared, 4.0) : 4.0;
    return tile;
}

// The sum of the solid angles of a whole tile in one layer, over its pixels (`n` along an edge) or sub-pixels:
// that of n x n equidistant points. The sum over n points with distance g of a function of degree 3 is
// n (f + (n^2 - 1) g^2 f''/24), and f'' follows from the cross.
CUPYSIM_OUTLINE double solid_angle_of_tile(const Launch& launch, const Cross& cross, double half, double n, Int layer) {
    const double close = plane_distance(launch, layer), gap = TILE_EDGE / n;
    const bool point = launch.point_pixel != 0;
    double omega[5];
    for (int i = 0; i < 5; ++i) omega[i] = solid_angle(launch.pixel_area, cross.airpath[i], close, point);
    const double second = (omega[1] + omega[2] + omega[3] + omega[4] - 4.0 * omega[0]) / (half * half);
    return n * n * (omega[0] + (n * n - 1.0) * gap * gap / 24.0 * second);
}

// The pixels of a tile from lane `first` on. Factors are computed only if they are needed.
class TilePixels {
  public:
    PixelBlock pixels;  // after `begin`

    CUPYSIM_FUNCTION TilePixels(const Launch& launch, const Tile& tile, int first)
        : launch(launch), tile(tile), first(first), is_begun(false) {}

    // Whether a background, or the sum of the solid angles, needs all rays. The sum does for parts of tiles, and
    // for tiles so wide that `solid_angle_of_tile` would differ by more than 1e-6.
    CUPYSIM_FUNCTION bool needs_all_rays() const {
        const double close = launch.close_distance;
        return has_ray_background(launch) || !tile.is_whole() ||
               corner_distance_squared(launch, 0.5 * TILE_EDGE) > 9e-4 * close * close;
    }

    // Numbers the pixels. The caller then computes all rays in order.
    CUPYSIM_FUNCTION void begin_without_rays() {
        is_begun = true;
        number_pixels(launch, pixels, tile, first);
        reset(launch, pixels);
    }

    // Numbers the pixels, and computes the factors that are used once, and the background, if it is not done.
    CUPYSIM_OUTLINE void begin() {
        if (is_begun) return;
        begin_without_rays();
        const bool all = needs_all_rays();
        const Int n_rays = launch.n_layers * launch.oversample * launch.oversample * launch.n_sources;
        Ray ray = ray_of(launch, 0);
        for (Int n = 0; n < n_rays; ++n, next_ray(launch, ray)) {
            RayConstants<Double> constants;
            prepare_ray(launch, pixels, ray, n == 0, constants);
            bool is_kept = !all;
            for (int i = 0; i < LANES; ++i) is_kept = is_kept && pixels.polar[i] != 0.0 && pixels.omega[i] != 0.0;
            if (is_kept) break;
        }
        if (!all && launch.n_layers > 1 && launch.capture_use == ONCE) {
            const Ray last = {launch.n_layers - 1, 0, 0, 0};
            aim_at(launch, pixels, last, true);
        }
    }

    // Writes the photons. Returns the sum of the solid angles of the thread's pixels, or of the whole tile.
    // `sum_of_terms` is the sum of the solid angles of all rays of a whole tile, if each term has its own.
    CUPYSIM_OUTLINE double store(double sum_of_terms) {
        float* image = launch.image - launch.image_first;
        float photons[LANES];
        if (is_begun) {
            photons_of(launch, pixels, photons);
        } else {
            number_pixels(launch, pixels, tile, first);
            for (int i = 0; i < LANES; ++i) photons[i] = 0.0f;
        }
        for (int i = 0; i < LANES; ++i) {
            if (tile.has(first + i)) image[pixels.numbers[i]] = photons[i];
        }
        if (needs_all_rays()) {
            double sum = 0.0;
            for (int i = 0; i < LANES; ++i) sum += tile.has(first + i) ? pixels.omega_sum[i] : 0.0;
            return sum;
        }
        // the thread of the first lane has the sum of the whole tile
        if (first != 0) return 0.0;
        if (launch.omega_use != ONCE) return sum_of_terms;
        // each ray has the solid angle of the first sub-pixel
        const double half = 0.5 * (TILE_EDGE - 1);
        const double n_rays = static_cast<double>(launch.oversample * launch.oversample * launch.n_layers);
        return n_rays * solid_angle_of_tile(launch, cross_of(launch, tile, half, 0, -half_extent(launch, 1)), half,
                                            TILE_EDGE, 0);
    }

  private:
    const Launch& launch;
    const Tile tile;
    const int first;
    bool is_begun;
};

}  // namespace cupysim
