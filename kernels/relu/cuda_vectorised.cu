// vectorised: ReLU and its gradient, 16 bytes a thread.
//
// Idea: as direct, but a thread takes four floats (two doubles) with one load and one store: the
//   bytes are what costs, and this moves them in a quarter of the instructions. What is left
//   behind the last whole vector is taken one by one.
// Grid: one thread for each vector, striding over what is left. Shared memory: none.
// Takes: every shape, float and double. Arrays that do not start on a multiple of 16 bytes are
//   taken one by one, as in direct.
// Next rung: none alone. The bytes themselves can go: as the epilogue of the convolution before
//   it, ReLU reads and writes nothing.
#include "vectors.cuh"

extern "C" __global__ void relu(REAL* y, const REAL* x, INDEX vectors, INDEX count) {
    map(vectors, count, y, [](REAL own) { return rectified(own); }, x);
}

extern "C" __global__ void relu_backward(
    REAL* dx, const REAL* dy, const REAL* y, INDEX vectors, INDEX count
) {
    map(vectors, count, dx, [](REAL slope, REAL own) { return own <= 0 ? 0 : slope; }, dy, y);
}
