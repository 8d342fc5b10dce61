// sliced: the gradient of batch normalisation with running statistics; sums slice by slice.
//
// Idea: the gradients of weight and bias are sums over a channel: a block adds up one slice of it
//   in a tree, then a warp adds the slices in double, in a fixed order. No atomics: the same bits
//   every time. dx needs no sum, each element is by itself.
// Grid: one block for each (slice, channel); one warp for each channel; one thread for each
//   element; all striding over what is left.
// Shared memory: BLOCK values for the tree of a block's sum.
// Takes: every shape, optional weight, float and double.
// Next rung: three launches, and dy comes from memory twice; a block for each channel needs one
//   launch where channels are many and short (block).
#include "scale.cuh"

extern "C" __global__ void batch_norm_inference_slices(
    REAL* partial, const REAL* dy, const REAL* x, const REAL* mean, Channels shape, INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const INDEX channel = i % shape.channels, slice = i / shape.channels;
        const Slopes slopes = slice_slopes(dy, x, mean[channel], shape, channel, slice);
        if (threadIdx.x == 0) keep(partial, shape, channel, slice, slopes);
    }
}

extern "C" __global__ void batch_norm_inference_sums(
    REAL* dweight, REAL* dbias, const REAL* partial, const REAL* var, double epsilon,
    Channels shape, INDEX count
) {
    WARP_STRIDE(channel, count) {
        const double shift = sum_of_partials(partial, shape, 0, channel);
        const double slope = sum_of_partials(partial, shape, 1, channel);
        if (threadIdx.x % LANES != 0) continue;
        dbias[channel] = (REAL)shift;
        dweight[channel] = (REAL)(slope / sqrt(var[channel] + epsilon));
    }
}

extern "C" __global__ void batch_norm_inference_backward(
    REAL* dx, const REAL* dy, const REAL* weight, const REAL* var, REAL epsilon, Channels shape,
    INDEX count
) {
    GRID_STRIDE(i, count)
        dx[i] = dy[i] * scale_of(weight, var, epsilon, shape, channel_of(shape, i));
}
