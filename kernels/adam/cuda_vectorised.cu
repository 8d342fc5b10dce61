// vectorised: one step of Adam or AdamW over a flat array, 16 bytes a thread.
//
// Idea: as direct, but a thread takes four floats (two doubles) of each array with one load, works
//   on them in registers, and writes them back with one store.
// Grid: one thread for each vector, striding over what is left.
// Shared memory: three numbers.
// Takes: every option (weight decay in the gradient or decoupled), float and double. Arrays that
//   do not start on a multiple of 16 bytes are taken one by one, as in direct.
// Next rung: fewer bytes: moments kept in 16 bits, with an error of their own.
#include "step.cuh"
#include "vectors.cuh"

extern "C" __global__ void adam(
    REAL* parameter, REAL* m, REAL* v, const REAL* gradient, const REAL* lr,
    const long long* step, Adam numbers, INDEX vectors, INDEX count
) {
    const Rates now = block_rates(numbers, lr, step);
    GRID_STRIDE(i, vectors) {
        const Vector g = load(gradient, i);
        Vector w = load(parameter, i), first = load(m, i), second = load(v, i);
        for (int lane = 0; lane < Vector::SIZE; ++lane) {
            adam_step(
                w.lane[lane], first.lane[lane], second.lane[lane], g.lane[lane], numbers, now
            );
        }
        store(parameter, i, w);
        store(m, i, first);
        store(v, i, second);
    }
    REST_STRIDE(at, vectors, count)
        adam_element(parameter, m, v, gradient, at, numbers, now);
}
