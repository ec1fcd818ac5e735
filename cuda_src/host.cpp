// Entry points on a CPU, for ctypes. OpenMP threads share the blocks of pixels.
#include <type_traits>

#include "culled_block.cuh"
#include "culled_gradient.cuh"
#include "factor_entries.cuh"
#include "gradient.cuh"
#include "search.cuh"

using namespace cupysim;

namespace {

using Block = void (*)(const Launch&, Int);

// Each function calls `visit` with the number as a compile-time constant. Unknown numbers call nothing.
template <class Visit>
void with_shape(int number, Visit visit) {
    switch (number) {
#define CUPYSIM_CASE(name) \
    case name: visit(std::integral_constant<Shape, name>()); break;
        CUPYSIM_SHAPES(CUPYSIM_CASE)
#undef CUPYSIM_CASE
    }
}

template <class Visit>
void with_factors(int number, Visit visit) {
    switch (number) {
#define CUPYSIM_CASE(name) \
    case name: visit(std::integral_constant<Factors, name>()); break;
        CUPYSIM_FACTORS(CUPYSIM_CASE)
#undef CUPYSIM_CASE
    }
}

template <class Visit>
void with_policy(int number, Visit visit) {
    switch (number) {
#define CUPYSIM_CASE(name, type) \
    case name: visit(type()); break;
        CUPYSIM_PRECISIONS(CUPYSIM_CASE)
#undef CUPYSIM_CASE
    }
}

// Floats lose too many digits in interpolation.
template <class Policy, Shape shape, Factors factors>
using SuitedPolicy = std::conditional_t<factors == TRICUBIC || SpotShape<shape>::ALWAYS_DOUBLE, Double, Policy>;

template <class Policy, Shape shape, Factors factors, bool running, bool diffuse = false>
void render(const Launch& launch, Int first) {
    render_block<Policy, shape, factors, running, diffuse>(launch, first);
}

// Kinds of sums: of terms, of running products (quirk Q14), or with diffuse scattering.
enum Sums { OF_TERMS, OF_PRODUCTS, WITH_DIFFUSE };

Block choose_render(int precision, int shape, int factors, int sums) {
    Block block = nullptr;
    with_policy(precision, [&](auto policy) {
        with_shape(shape, [&](auto shape) {
            with_factors(factors, [&](auto factors) {
                constexpr Shape SHAPE = decltype(shape)::value;
                constexpr Factors FACTORS = decltype(factors)::value;
                using Policy = SuitedPolicy<decltype(policy), SHAPE, FACTORS>;
                switch (sums) {
                    case OF_TERMS: block = render<Policy, SHAPE, FACTORS, false>; break;
                    case OF_PRODUCTS: block = render<Policy, SHAPE, FACTORS, true>; break;
                    case WITH_DIFFUSE: block = render<Double, SHAPE, FACTORS, false, true>; break;
                }
            });
        });
    });
    return block;
}

template <class Policy, Shape shape, Factors factors>
void render_culled(const Launch& launch, Int first) {
    render_tile<Policy, shape, factors>(launch, first);
}

template <class Policy, Shape shape, Factors factors>
void estimate(const Launch& launch, Int first) {
    estimate_tile<Policy, shape, factors>(launch, first);
}

Block choose_tile(int precision, int shape, int factors, bool estimates) {
    Block block = nullptr;
    with_policy(precision, [&](auto policy) {
        with_shape(shape, [&](auto shape) {
            with_factors(factors, [&](auto factors) {
                constexpr Shape SHAPE = decltype(shape)::value;
                constexpr Factors FACTORS = decltype(factors)::value;
                using Policy = SuitedPolicy<decltype(policy), SHAPE, FACTORS>;
                block = estimates ? estimate<Policy, SHAPE, FACTORS> : render_culled<Policy, SHAPE, FACTORS>;
            });
        });
    });
    return block;
}

template <Shape shape, Factors factors>
void differentiate(const Launch& launch, Int first) {
    differentiate_block<shape, factors>(launch, first);
}

template <Factors factors>
void differentiate_diffuse(const Launch& launch, Int first) {
    differentiate_block<SQUARE, factors, true>(launch, first);
}

template <Shape shape, Factors factors>
void collect(const Launch& launch, Int first) {
    collect_block<shape, factors>(launch, first);
}

template <Shape shape, Factors factors>
void differentiate_culled(const Launch& launch, Int first) {
    differentiate_tile<shape, factors>(launch, first);
}

template <Factors factors>
void collect_diffuse(const Launch& launch, Int first) {
    collect_block<SQUARE, factors, true>(launch, first);
}

// Kinds of derivatives: of pixels with respect to parameters, of tiles within a tolerance, of pixels with respect to
// structure factors, or of diffuse scattering with respect to parameters or to structure factors.
enum Derivatives { OF_PIXELS, OF_TILES, OF_FACTORS, OF_DIFFUSE, OF_DIFFUSE_FACTORS };

Block choose_gradient(int shape, int factors, int kind) {
    Block block = nullptr;
    if (kind == OF_DIFFUSE || kind == OF_DIFFUSE_FACTORS) {
        with_factors(factors, [&](auto factors) {
            constexpr Factors FACTORS = decltype(factors)::value;
            block = kind == OF_DIFFUSE ? differentiate_diffuse<FACTORS> : collect_diffuse<FACTORS>;
        });
        return block;
    }
    with_shape(shape, [&](auto shape) {
        with_factors(factors, [&](auto factors) {
            constexpr Shape SHAPE = decltype(shape)::value;
            constexpr Factors FACTORS = decltype(factors)::value;
            if constexpr (SpotShape<SHAPE>::HAS_DERIVATIVES) {
                switch (kind) {
                    case OF_PIXELS: block = differentiate<SHAPE, FACTORS>; break;
                    case OF_TILES: block = differentiate_culled<SHAPE, FACTORS>; break;
                    case OF_FACTORS: block = collect<SHAPE, FACTORS>; break;
                }
            }
        });
    });
    return block;
}

template <Shape shape>
void search_stop(const Launch& launch, Int first) {
    find_interpolation_stop<shape>(launch, first);
}

Block choose_search(int shape) {
    Block block = nullptr;
    with_shape(shape, [&](auto shape) { block = search_stop<decltype(shape)::value>; });
    return block;
}

void search_first_ray(const Launch& launch, Int first) { find_first_ray(launch, first); }

// Carries out launches together; all have the same number of pixels. Returns 1 if there is no block, because
// the variant is not known, and otherwise 0.
int run(Block block, const Launch* launches, Int n_launches, int threads) {
    if (block == nullptr) return 1;
    const Int each = (launches->n_pixels + LANES - 1) / LANES, n_blocks = each * n_launches;
    if (threads > n_blocks) threads = static_cast<int>(n_blocks);
    // enough blocks at a time to keep contention low, but few enough to keep all threads busy to the end
    const Int at_once = n_blocks < 64 * threads ? 1 : 8;
    (void)at_once;
#pragma omp parallel for num_threads(threads) schedule(dynamic, at_once)
    for (Int number = 0; number < n_blocks; ++number) {
        const Int which = n_launches == 1 ? 0 : number / each;
        block(launches[which], (number - which * each) * LANES);
    }
    return 0;
}

}  // namespace

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Number of pixels of a block.
int cupysim_lanes() { return LANES; }

// Sizes of the structs (bytes), which the Python code checks.
long long cupysim_launch_size() { return sizeof(Launch); }
long long cupysim_source_size() { return sizeof(Source); }
long long cupysim_crystal_size() { return sizeof(Crystal); }

// The following functions return 1 if a variant is not known, and otherwise 0.
int cupysim_render(const Launch* launches, int n_launches, int precision, int shape, int factors, int sums,
                   int threads) {
    return run(choose_render(precision, shape, factors, sums), launches, n_launches, threads);
}

// Renders tiles within a tolerance. Each launch has 64 places for a tile.
int cupysim_render_culled(const Launch* launches, int n_launches, int precision, int shape, int factors, int threads) {
    return run(choose_tile(precision, shape, factors, false), launches, n_launches, threads);
}

// Estimates the brightest pixels of tiles.
int cupysim_estimate_tiles(const Launch* launch, int shape, int factors, int precision, int threads) {
    return run(choose_tile(precision, shape, factors, true), launch, 1, threads);
}

// Computes derivatives; `kind` is one of `Derivatives`.
int cupysim_gradient(const Launch* launch, int shape, int factors, int kind, int threads) {
    return run(choose_gradient(shape, factors, kind), launch, 1, threads);
}

int cupysim_find_first_ray(const Launch* launch, int threads) { return run(search_first_ray, launch, 1, threads); }

int cupysim_find_interpolation_stop(const Launch* launch, int shape, int threads) {
    return run(choose_search(shape), launch, 1, threads);
}
}
