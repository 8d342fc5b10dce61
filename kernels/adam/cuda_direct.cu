// direct: one step of Adam or AdamW over a flat array, one thread per parameter.
//
// Idea: all parameters of a net lie in one array, so a step is one launch. Learning rate and step
//   lie on the device, and the launch stays the same from step to step; the powers of the betas
//   are worked out in double by one thread of each block and shared.
// Grid: one thread for each parameter, striding over what is left.
// Shared memory: three numbers.
// Takes: every option (weight decay in the gradient or decoupled), float and double.
// Next rung: memory is the limit (four reads, three writes); 16 bytes a thread save instructions
//   (vectorised).
#include "step.cuh"

extern "C" __global__ void adam(
    REAL* parameter, REAL* m, REAL* v, const REAL* gradient, const REAL* lr,
    const long long* step, Adam numbers, INDEX count
) {
    const Rates now = block_rates(numbers, lr, step);
    GRID_STRIDE(i, count) adam_element(parameter, m, v, gradient, i, numbers, now);
}
