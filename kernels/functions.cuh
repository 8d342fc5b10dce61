// Functions of one number, in REAL: accurate near 0, and no exponent is positive.
#pragma once
#include "common.cuh"

__device__ inline float exponential_less_one(float x) { return expm1f(x); }
__device__ inline double exponential_less_one(double x) { return expm1(x); }
__device__ inline float logarithm_of_one_and(float x) { return log1pf(x); }
__device__ inline double logarithm_of_one_and(double x) { return log1p(x); }
__device__ inline float hyperbolic_tangent(float x) { return tanhf(x); }
__device__ inline double hyperbolic_tangent(double x) { return tanh(x); }
__device__ inline float square_root(float x) { return sqrtf(x); }
__device__ inline double square_root(double x) { return sqrt(x); }

// e^-|x|, which lies in [0, 1].
__device__ inline REAL decay(REAL x) { return exponential(x > 0 ? -x : x); }
// 1 / (1 + e^-x): where x < 0 with both sides of the fraction times e^x, so that nothing overflows.
__device__ inline REAL logistic(REAL x) {
    const REAL below = decay(x);
    return (x > 0 ? 1 : below) / (1 + below);
}
