// A sum over all elements in two stages: a partial sum for each block, then one block adds those.
#pragma once
#include "common.cuh"

// Writes the block's part of the sum of `term(i)` for all i below `count`.
template <class Term>
__device__ void sum_of_terms(REAL* partial, INDEX count, Term term) {
    LongSum own;
    GRID_STRIDE(i, count) own.add(term(i));
    const REAL sum = block_sum(own.value());
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// The sum of the partial sums, to each thread of the one block that asks; call it from all.
__device__ inline REAL sum_of_partials(const REAL* partial, INDEX partials) {
    REAL sum = 0;
    for (INDEX i = threadIdx.x; i < partials; i += BLOCK) sum += partial[i];
    return block_sum(sum);
}
