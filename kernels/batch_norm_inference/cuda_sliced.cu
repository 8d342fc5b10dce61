// sliced: batch normalisation with running statistics, and its gradient; sums slice by slice.
//
// Idea: forward, each element by itself: centred first, then one multiplication and one addition,
//   which is exact where the mean is far larger than the deviation. The gradients of weight and
//   bias are sums over a channel: a block adds up one slice of it in a tree, then a warp adds the
//   slices in double, in a fixed order. No atomics: the same bits every time.
// Grid: one thread for each element; one block for each (slice, channel); one warp for each
//   channel; all striding over what is left.
// Shared memory: BLOCK values for the tree of a block's sum.
// Takes: every shape, optional weight and bias, float and double.
// Next rung: nothing here but bytes: the statistics folded into the weights of the convolution
//   before it, or this as that convolution's epilogue, saves the whole pass.
#include "channels.cuh"

__device__ inline float inverse_root(float x) { return rsqrtf(x); }
__device__ inline double inverse_root(double x) { return rsqrt(x); }

__device__ inline REAL scale_of(
    const REAL* weight, const REAL* var, REAL epsilon, Channels shape, INDEX channel
) {
    const REAL invstd = inverse_root(var[channel] + epsilon);
    return shape.has_weight ? invstd * weight[channel] : invstd;
}

extern "C" __global__ void batch_norm_inference(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, const REAL* mean,
    const REAL* var, REAL epsilon, Channels shape, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX channel = channel_of(shape, i);
        const REAL scale = scale_of(weight, var, epsilon, shape, channel);
        y[i] = multiply_add(x[i] - mean[channel], scale, shape.has_bias ? bias[channel] : 0);
    }
}

extern "C" __global__ void batch_norm_inference_slices(
    REAL* partial, const REAL* dy, const REAL* x, const REAL* mean, Channels shape, INDEX count
) {
    BLOCK_STRIDE(i, count) {
        const INDEX channel = i % shape.channels, slice = i / shape.channels;
        slice_gradients(partial, dy, x, mean[channel], shape, channel, slice);
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
