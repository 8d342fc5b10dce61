// direct: batch normalisation with running statistics, one thread per element.
//
// Idea: centred first, then one multiplication and one addition: exact where the mean is far larger
//   than the deviation, which x * scale + shift is not.
// Grid: one thread for each element, striding over what is left. Shared memory: none.
// Takes: every shape, optional weight and bias, float and double.
// Next rung: finding the channel of an element takes two divisions; a float4 at once would find it
//   once for four. Folded into the weights of the convolution before it, this pass is saved.
#include "scale.cuh"

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
