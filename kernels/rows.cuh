// A warp for each row of classes: the maximum and the sum of exponentials, in a fixed order.
#pragma once
#include "common.cuh"

// Rows lie along axis 1 of (N, classes, positions): one for each image and position.
struct Rows {
    INDEX classes, positions;
};

#define LANES 32
// A lane's classes of a row: its own, then every 32nd.
#define LANE_STRIDE(c, classes) for (INDEX c = threadIdx.x % LANES; c < (classes); c += LANES)

// Where a row begins; class c is c * positions further on.
__device__ inline INDEX row_begin(Rows shape, INDEX row) {
    const INDEX image = row / shape.positions, position = row % shape.positions;
    return image * shape.classes * shape.positions + position;
}

__device__ inline REAL row_largest(const REAL* row, Rows shape) {
    REAL best = -infinity();
    LANE_STRIDE(c, shape.classes) best = larger(best, row[c * shape.positions]);
    return warp_larger(best);
}

// The sum of e^(x - largest): the largest term is 1, so that nothing overflows.
__device__ inline REAL row_powers(const REAL* row, Rows shape, REAL largest) {
    LongSum sum;
    LANE_STRIDE(c, shape.classes) sum.add(exponential(row[c * shape.positions] - largest));
    return warp_sum(sum.value());
}
