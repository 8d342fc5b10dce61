// What a channel is multiplied by.
#pragma once
#include "channels.cuh"

__device__ inline float inverse_root(float x) { return rsqrtf(x); }
__device__ inline double inverse_root(double x) { return rsqrt(x); }

__device__ inline REAL scale_of(
    const REAL* weight, const REAL* var, REAL epsilon, Channels shape, INDEX channel
) {
    const REAL invstd = inverse_root(var[channel] + epsilon);
    return shape.has_weight ? invstd * weight[channel] : invstd;
}
