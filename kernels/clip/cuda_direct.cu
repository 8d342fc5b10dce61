// direct: gradient clipping by norm, in two launches, and by value, one thread per element.
//
// Idea: the norm takes every element, and only then can any be scaled, so there is a launch for
//   each. The first leaves a partial sum of squares for each block. In the second every block adds
//   all of those up for itself, in the same order as the others: cheaper than a third launch whose
//   result the rest would wait for. Squares are added in double, so that none overflows in float
//   and a small one beside a large one still counts.
// Grid: at most PARTIALS blocks for both stages, striding over the elements; by value, one thread
//   for each element.
// Shared memory: BLOCK doubles for the tree.
// Takes: every size, float and double. A NaN makes the norm, and then every element, NaN.
// Next rung: where the norm is within the limit nothing needs writing: a block could leave early,
//   half of the traffic saved. 16 bytes a thread.
#include "common.cuh"

// The sum over a block of BLOCK threads, in double whatever REAL is, to each of them.
__device__ inline double wide_sum(double value) {
    __shared__ double wide_sum_part[BLOCK];
    wide_sum_part[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) wide_sum_part[threadIdx.x] += wide_sum_part[threadIdx.x + half];
        __syncthreads();
    }
    return wide_sum_part[0];
}

extern "C" __global__ void clip_partial(double* partial, const REAL* gradient, INDEX count) {
    double own = 0;
    GRID_STRIDE(i, count) own = multiply_add((double)gradient[i], (double)gradient[i], own);
    const double sum = wide_sum(own);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" __global__ void clip_norm(
    REAL* norm, REAL* gradient, const REAL* max_norm, const double* partial, double guard,
    INDEX partials, INDEX count
) {
    double own = 0;
    for (INDEX i = threadIdx.x; i < partials; i += BLOCK) own += partial[i];
    const double before = sqrt(wide_sum(own));
    const double share = max_norm[0] / (before + guard);
    const REAL factor = share > 1 ? 1 : share;
    GRID_STRIDE(i, count) gradient[i] *= factor;
    if (blockIdx.x == 0 && threadIdx.x == 0) norm[0] = before;
}

extern "C" __global__ void clip_value(REAL* gradient, const REAL* limit, INDEX count) {
    const REAL most = limit[0];
    GRID_STRIDE(i, count) {
        const REAL own = gradient[i];
        gradient[i] = own > most ? most : own < -most ? -most : own;
    }
}
