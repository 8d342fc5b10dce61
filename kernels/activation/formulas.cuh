// The activations of one element and their gradients. A sum of a product is written as one
// multiply_add: left to the compiler, it might be rounded once here and twice there.
#pragma once
#include "functions.cuh"

__device__ inline REAL leaky_value(REAL x, REAL slope) { return x <= 0 ? slope * x : x; }
__device__ inline REAL leaky_gradient(REAL dy, REAL x, REAL slope) {
    return x <= 0 ? slope * dy : dy;
}

// depth: alpha * scale.
__device__ inline REAL elu_value(REAL x, REAL depth, REAL scale) {
    return x <= 0 ? depth * exponential_less_one(x) : scale * x;
}
__device__ inline REAL elu_gradient(REAL dy, REAL x, REAL depth, REAL scale) {
    return x <= 0 ? depth * exponential(x) * dy : scale * dy;
}

__device__ inline REAL sigmoid_gradient(REAL dy, REAL y) { return (1 - y) * y * dy; }

__device__ inline REAL tanh_value(REAL x, REAL scale, REAL slope) {
    return scale * hyperbolic_tangent(slope * x);
}
__device__ inline REAL tanh_gradient(REAL dy, REAL y, REAL scale, REAL slope) {
    const REAL t = y / scale;
    return multiply_add(-t, t, 1) * (scale * slope) * dy;
}
