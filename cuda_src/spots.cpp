// Predicted spots on a CPU, for ctypes.
#include "ewald_shell.cuh"
#include "spot_sums.cuh"

using namespace cupysim;

extern "C" {

const char* cupysim_digest() { return CUPYSIM_DIGEST; }

// Sizes of the structs (bytes), which the Python code checks.
long long cupysim_shell_search_size() { return sizeof(ShellSearch); }
long long cupysim_spot_step_size() { return sizeof(SpotStep); }
long long cupysim_spot_search_size() { return sizeof(SpotSearch); }

// Finds reflections near the Ewald sphere, and returns their number, which may exceed the capacity.
long long cupysim_find_reflections(const ShellSearch* search) { return ShellReflections(*search).find(); }

// Adds photons, places and excitations of reflections, and returns whether there are formulas for their shape.
int cupysim_add_spots(const SpotSearch* search) {
    switch (static_cast<Shape>(search->shape)) {
        case SQUARE: SpotSums<SQUARE>(*search).add_all(); return 1;
        case ROUND: SpotSums<ROUND>(*search).add_all(); return 1;
        case GAUSS: SpotSums<GAUSS>(*search).add_all(); return 1;
        case TOPHAT: SpotSums<TOPHAT>(*search).add_all(); return 1;
        case FLAT: SpotSums<FLAT>(*search).add_all(); return 1;
        case NO_FRINGES: break;
    }
    return 0;
}
}
