// warp: softmax and negative log-likelihood in one, one warp for each label.
//
// Idea: as softmax (32 lanes share a row, five shuffles for a sum), but only the loss is kept. It
//   is log sum e^(x - m) - (x_target - m), both less the largest logit m, never a logarithm of a
//   rounded probability. A block adds up the losses of its warps and writes one partial sum; a
//   second launch of one block adds those in a tree. No atomics: the same bits every time.
// Grid: at most PARTIALS blocks of eight warps, striding over the labels; then one block. The
//   gradient: one warp for each label, striding.
// Shared memory: BLOCK values for the sum over a block.
// Takes: (N, K) and (N, K, H, W), label smoothing, float and double. A label that is no class
//   gives NaN: the host does not read labels back to check them.
// Next rung: as softmax.
#include "rows.cuh"

__device__ REAL row_loss(const REAL* row, long long target, REAL smoothing, Rows shape) {
    if (target < 0 || target >= shape.classes) return not_a_number();
    const REAL largest = row_largest(row, shape);
    const REAL log_sum = logarithm(row_powers(row, shape, largest));
    const REAL own = row[(INDEX)target * shape.positions] - largest;
    REAL loss = log_sum - (1 - smoothing) * own;
    if (smoothing > 0) {
        REAL sum = 0;
        LANE_STRIDE(c, shape.classes) sum += row[c * shape.positions] - largest;
        loss -= smoothing * (warp_sum(sum) / (REAL)shape.classes);
    }
    return loss;
}

extern "C" __global__ void cross_entropy_partial(
    REAL* partial, const REAL* x, const long long* target, REAL smoothing, Rows shape, INDEX rows
) {
    LongSum own;
    WARP_STRIDE(i, rows) own.add(row_loss(x + row_begin(shape, i), target[i], smoothing, shape));
    const bool speaks = threadIdx.x % LANES == 0;  // every lane of a warp holds its sum
    const REAL sum = block_sum(speaks ? own.value() : 0);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" __global__ void cross_entropy_mean(
    REAL* loss, const REAL* partial, INDEX partials, INDEX rows
) {
    REAL sum = 0;
    for (INDEX i = threadIdx.x; i < partials; i += BLOCK) sum += partial[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) loss[0] = sum / (REAL)rows;
}

extern "C" __global__ void cross_entropy_backward(
    REAL* dx, const REAL* dloss, const REAL* x, const long long* target, REAL smoothing,
    Rows shape, INDEX rows
) {
    WARP_STRIDE(i, rows) {
        const INDEX begin = row_begin(shape, i);
        const REAL largest = row_largest(x + begin, shape);
        const REAL sum = row_powers(x + begin, shape, largest);
        const bool legal = 0 <= target[i] && target[i] < shape.classes;
        const REAL slope = legal ? dloss[0] / (REAL)rows : not_a_number();
        LANE_STRIDE(c, shape.classes) {
            const INDEX at = begin + c * shape.positions;
            const REAL wanted = smoothing / (REAL)shape.classes;
            const REAL hit = c == target[i] ? 1 - smoothing : 0;
            dx[at] = slope * (exponential(x[at] - largest) / sum - wanted - hit);
        }
    }
}
