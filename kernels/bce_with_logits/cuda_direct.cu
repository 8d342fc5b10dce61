// direct: binary cross-entropy of logits in two stages, its gradient one thread per element.
//
// Idea: sigmoid and logarithm are one formula, max(x, 0) - x t + log(1 + e^-|x|), in which nothing
//   overflows and no probability is rounded to 0 or 1 before its logarithm is taken. The mean goes
//   as in mse: a partial sum for each block, then one block adds those, in a fixed order.
// Grid: at most PARTIALS blocks, striding over the elements; then one block. The gradient: one
//   thread for each element, striding.
// Shared memory: BLOCK values for the tree.
// Takes: every shape with at least one element, float and double.
// Next rung: as mse.
#include "functions.cuh"
#include "sums.cuh"

extern "C" __global__ void bce_partial(
    REAL* partial, const REAL* x, const REAL* target, INDEX count
) {
    sum_of_terms(partial, count, [=](INDEX i) {
        const REAL linear = multiply_add(-x[i], target[i], larger(0, x[i]));
        return linear + logarithm_of_one_and(decay(x[i]));
    });
}

extern "C" __global__ void bce_mean(
    REAL* loss, const REAL* partial, INDEX partials, INDEX count
) {
    const REAL sum = sum_of_partials(partial, partials);
    if (threadIdx.x == 0) loss[0] = sum / (REAL)count;
}

extern "C" __global__ void bce_backward(
    REAL* dx, const REAL* dloss, const REAL* x, const REAL* target, INDEX count
) {
    const REAL factor = dloss[0] / (REAL)count;
    GRID_STRIDE(i, count) dx[i] = (logistic(x[i]) - target[i]) * factor;
}
