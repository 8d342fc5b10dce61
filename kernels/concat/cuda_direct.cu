// direct: one part written into the joined array, or cut out of it, one thread per element.
//
// Idea: whatever the axis, a part is rows of `part` elements in a row of `whole` of the joined
//   array, `begin` further on: everything behind the axis is contiguous in both. One division
//   finds the row; the rest is a copy.
// Grid: one thread for each element of the part, striding over what is left.
// Shared memory: none.
// Takes: every shape and axis, float and double.
// Next rung: the division; a block for each row needs none, and could copy 16 bytes at a time
//   where rows are aligned. All parts in one launch.
#include "common.cuh"

struct Part {
    INDEX part, whole, begin;  // elements of a row in the part, in the joined array; the first
};

// Where element `i` of the part lies in the joined array.
__device__ inline INDEX joined_at(Part shape, INDEX i) {
    return i / shape.part * shape.whole + shape.begin + i % shape.part;
}

extern "C" __global__ void concat(REAL* y, const REAL* x, Part shape, INDEX count) {
    GRID_STRIDE(i, count) y[joined_at(shape, i)] = x[i];
}

extern "C" __global__ void concat_backward(REAL* dx, const REAL* dy, Part shape, INDEX count) {
    GRID_STRIDE(i, count) dx[i] = dy[joined_at(shape, i)];
}
