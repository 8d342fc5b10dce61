// A pooling window: where it begins, and what an average over it divides by.
#pragma once
#include "common.cuh"

__device__ inline INDEX first_row(Pool2d pool, INDEX p) {
    return p * pool.stride_h - pool.pad_top;
}
__device__ inline INDEX first_col(Pool2d pool, INDEX q) {
    return q * pool.stride_w - pool.pad_left;
}

// How many of a window's positions along one axis lie in [low, high).
__device__ INDEX counted(INDEX first, INDEX window, INDEX dilation, INDEX low, INDEX high) {
    INDEX count = 0;
    for (INDEX r = 0; r < window; ++r) {
        const INDEX at = first + r * dilation;
        if (low <= at && at < high) ++count;
    }
    return count;
}

// What window (p, q) divides by: positions of the image, and of the padding if it is included.
__device__ REAL divisor(Pool2d pool, INDEX p, INDEX q) {
    const INDEX top = pool.include_pad ? pool.pad_top : 0;
    const INDEX left = pool.include_pad ? pool.pad_left : 0;
    const INDEX bottom = pool.h + (pool.include_pad ? pool.pad_bottom : 0);
    const INDEX right = pool.w + (pool.include_pad ? pool.pad_right : 0);
    const INDEX rows = counted(first_row(pool, p), pool.r, pool.dilation_h, -top, bottom);
    const INDEX cols = counted(first_col(pool, q), pool.s, pool.dilation_w, -left, right);
    return (REAL)(rows * cols);
}
