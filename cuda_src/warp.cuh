// Operations of the 32 threads of a warp together. Only the kernel for GPUs has them.
#pragma once
#include "portable.cuh"

namespace cupysim {

constexpr int WARP_SIZE = 32;
constexpr unsigned int WHOLE_WARP = 0xffffffffu;

CUPYSIM_FUNCTION float sum_of_warp(float value) {
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(WHOLE_WARP, value, distance);
    }
    return value;
}

CUPYSIM_FUNCTION int sum_of_warp(int value) {
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(WHOLE_WARP, value, distance);
    }
    return value;
}

}  // namespace cupysim
