// vectorised: one step of stochastic gradient descent over a flat array, 16 bytes a thread.
//
// Idea: as direct, but a thread takes four floats (two doubles) of each array with one load, works
//   on them in registers, and writes them back with one store.
// Grid: one thread for each vector, striding over what is left. Shared memory: none.
// Takes: momentum, Nesterov, weight decay, both forms ("torch", "paper"), float and double. Arrays
//   that do not start on a multiple of 16 bytes are taken one by one, as in direct.
// Next rung: none alone; the gradient's zeroing for the next step could go into the same pass.
#include "step.cuh"
#include "vectors.cuh"

extern "C" __global__ void sgd(
    REAL* parameter, REAL* velocity, const REAL* gradient, const REAL* lr, REAL momentum,
    REAL weight_decay, Sgd form, INDEX vectors, INDEX count
) {
    const Step step = {-lr[0], momentum, weight_decay, form};
    GRID_STRIDE(i, vectors) {
        const Vector g = load(gradient, i);
        Vector w = load(parameter, i), v = form.has_velocity ? load(velocity, i) : g;
        for (int lane = 0; lane < Vector::SIZE; ++lane)
            sgd_step(w.lane[lane], v.lane[lane], g.lane[lane], step);
        store(parameter, i, w);
        if (form.has_velocity) store(velocity, i, v);
    }
    REST_STRIDE(at, vectors, count) sgd_element(parameter, velocity, gradient, at, step);
}
