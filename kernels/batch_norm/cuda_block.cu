// block: batch normalisation in training, and its gradient; a block for each channel, one launch.
//
// Idea: all that a channel needs is that channel, so one block does it from the first sum to the
//   last element: the mean, the squares about it with the rounding of the mean taken out (Chan,
//   Golub and LeVeque 1983, equation 1.7), and y. A channel of some ten thousand elements still
//   lies in the cache when it is read again. The gradient: both sums, then dx, in the same way.
// Grid: one block for each channel, striding over what is left.
// Shared memory: BLOCK values for the tree of a block's sum.
// Takes: every shape, optional weight, bias and running statistics, float and double.
// Next rung: few channels leave most of the GPU idle, and long ones are read from memory three
//   times; slices of channels fill it (sliced). A channel that fits into the block's registers need
//   not be read again at all.
#include "moments.cuh"

extern "C" __global__ void batch_norm(
    REAL* y, REAL* mean, REAL* invstd, REAL* running_mean, REAL* running_var, const REAL* x,
    const REAL* weight, const REAL* bias, double epsilon, double momentum, INDEX runs,
    Channels shape, INDEX count
) {
    BLOCK_STRIDE(channel, count) {
        const Moments part = slice_moments(x, shape, channel, 0);
        const double rest = part.rest, centre = part.mean + rest;
        const double about = multiply_add(-shape.length * rest, rest, (double)part.squares);
        const double squares = at_least_zero(about);
        const REAL inverse = inverse_deviation(squares, shape.length, epsilon);
        const REAL scale = shape.has_weight ? inverse * weight[channel] : inverse;
        const REAL shift = shape.has_bias ? bias[channel] : 0;
        for (Walk walk(shape, channel, 0); walk.inside(); walk.next())
            y[walk.at] = multiply_add(x[walk.at] - part.mean - part.rest, scale, shift);
        if (threadIdx.x != 0) continue;
        mean[channel] = (REAL)centre;
        invstd[channel] = inverse;
        REAL *old_mean = running_mean + channel, *old_var = running_var + channel;
        if (runs) run_on(old_mean, old_var, centre, squares, momentum, shape.length);
    }
}

extern "C" __global__ void batch_norm_backward(
    REAL* dx, REAL* dweight, REAL* dbias, const REAL* dy, const REAL* x, const REAL* weight,
    const REAL* mean, const REAL* invstd, Channels shape, INDEX count
) {
    BLOCK_STRIDE(channel, count) {
        const REAL centre = mean[channel], inverse = invstd[channel];
        const Slopes sums = slice_slopes(dy, x, centre, shape, channel, 0);
        const REAL slope = sums.product * inverse, length = (REAL)shape.length;
        const REAL scale = shape.has_weight ? inverse * weight[channel] : inverse;
        for (Walk walk(shape, channel, 0); walk.inside(); walk.next()) {
            const REAL xhat = (x[walk.at] - centre) * inverse;
            const REAL shared = multiply_add(xhat, slope, sums.dy);
            dx[walk.at] = scale * (dy[walk.at] - shared / length);
        }
        if (threadIdx.x != 0) continue;
        dweight[channel] = slope;
        dbias[channel] = sums.dy;
    }
}
