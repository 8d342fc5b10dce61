// vectorised: sums, copies and zeros, 16 bytes a thread.
//
// Idea: as direct's elementwise entries, with four floats (two doubles) in one load and one store:
//   the same bytes in a quarter of the instructions.
// Grid: one thread for each vector, striding over what is left. Shared memory: none.
// Takes: every shape, float and double. Arrays that do not start on a multiple of 16 bytes are
//   taken one by one, as in direct.
// Next rung: none alone; a sum can be the epilogue of the kernel that makes its last term.
#include "vectors.cuh"

extern "C" __global__ void add(
    REAL* y, const REAL* a, const REAL* b, INDEX vectors, INDEX count
) {
    map(vectors, count, y, [](REAL left, REAL right) { return left + right; }, a, b);
}

extern "C" __global__ void accumulate(REAL* total, const REAL* x, INDEX vectors, INDEX count) {
    const REAL* before = total;
    map(vectors, count, total, [](REAL sum, REAL term) { return sum + term; }, before, x);
}

extern "C" __global__ void copy(REAL* y, const REAL* x, INDEX vectors, INDEX count) {
    map(vectors, count, y, [](REAL own) { return own; }, x);
}

extern "C" __global__ void zeros(REAL* y, INDEX vectors, INDEX count) {
    map(vectors, count, y, []() { return (REAL)0; });
}
