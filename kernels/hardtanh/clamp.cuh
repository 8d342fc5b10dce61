// A clamped number and its gradient. A NaN is neither <= low nor >= high, and stays: fminf and
// fmaxf would hand out a bound in its place.
#pragma once
#include "common.cuh"

__device__ inline REAL clamped(REAL x, REAL low, REAL high) {
    return x <= low ? low : x >= high ? high : x;
}
__device__ inline REAL clamped_gradient(REAL dy, REAL y, REAL low, REAL high) {
    return y <= low || y >= high ? 0 : dy;
}
