// block: the gradient of batch normalisation with running statistics; a block for each channel.
//
// Idea: one block adds up a channel's dy and dy (x - mean), each in a tree, and writes dx, for
//   which it still finds dy in the cache; one launch instead of three.
// Grid: one block for each channel, striding over what is left.
// Shared memory: BLOCK values for the tree of a block's sum.
// Takes: every shape, optional weight, float and double.
// Next rung: few channels leave most of the GPU idle; slices of them fill it (sliced).
#include "scale.cuh"

extern "C" __global__ void batch_norm_inference_backward(
    REAL* dx, REAL* dweight, REAL* dbias, const REAL* dy, const REAL* x, const REAL* weight,
    const REAL* mean, const REAL* var, REAL epsilon, Channels shape, INDEX count
) {
    BLOCK_STRIDE(channel, count) {
        const Slopes sums = slice_slopes(dy, x, mean[channel], shape, channel, 0);
        const REAL scale = scale_of(weight, var, epsilon, shape, channel);
        for (Walk walk(shape, channel, 0); walk.inside(); walk.next())
            dx[walk.at] = dy[walk.at] * scale;
        if (threadIdx.x != 0) continue;
        dweight[channel] = sums.product * inverse_root(var[channel] + epsilon);
        dbias[channel] = sums.dy;
    }
}
