// direct: mean squared error in two stages, its gradient with one thread per element.
//
// Idea: a sum over everything ends in one place, and blocks cannot wait for each other. So every
//   block adds up its own share (each thread in a LongSum, then the threads in a tree) and leaves
//   one partial sum; a second launch of one block adds those. The order is fixed by the sizes
//   alone: the same bits every time, where an atomic addition would give others at every run.
// Grid: at most PARTIALS blocks, striding over the elements; then one block. The gradient: one
//   thread for each element, striding.
// Shared memory: BLOCK values for the tree.
// Takes: every shape with at least one element, float and double.
// Next rung: the tree keeps half of the threads waiting at each of its barriers; sums of warps by
//   shuffles need two barriers in all. The gradient could be written in the same pass.
#include "sums.cuh"

extern "C" __global__ void mse_partial(
    REAL* partial, const REAL* x, const REAL* target, INDEX count
) {
    sum_of_terms(partial, count, [=](INDEX i) {
        const REAL error = x[i] - target[i];
        return error * error;
    });
}

extern "C" __global__ void mse_mean(
    REAL* loss, const REAL* partial, INDEX partials, INDEX count
) {
    const REAL sum = sum_of_partials(partial, partials);
    if (threadIdx.x == 0) loss[0] = sum / (REAL)count;
}

extern "C" __global__ void mse_backward(
    REAL* dx, const REAL* dloss, const REAL* x, const REAL* target, INDEX count
) {
    const REAL factor = 2 * dloss[0] / (REAL)count;
    GRID_STRIDE(i, count) dx[i] = (x[i] - target[i]) * factor;
}
