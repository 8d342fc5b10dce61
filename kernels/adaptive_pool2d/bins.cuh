// The bins of adaptive pooling: output i of P is the mean of the elements [floor(i H / P),
// ceil((i + 1) H / P)).
#pragma once
#include "common.cuh"

struct Bins {
    INDEX h, w, p, q;
};

// Bin `i` of `bins` over `size` elements begins here and ends before the next line's.
__device__ inline INDEX begin_of(INDEX i, INDEX size, INDEX bins) { return i * size / bins; }
__device__ inline INDEX end_of(INDEX i, INDEX size, INDEX bins) {
    return ((i + 1) * size + bins - 1) / bins;
}
__device__ inline INDEX size_of(INDEX i, INDEX size, INDEX bins) {
    return end_of(i, size, bins) - begin_of(i, size, bins);
}

__device__ inline REAL elements(Bins shape, INDEX p, INDEX q) {
    return (REAL)(size_of(p, shape.h, shape.p) * size_of(q, shape.w, shape.q));
}
