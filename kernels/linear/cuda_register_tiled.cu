// register_tiled: a fully connected layer and both gradients, 4 x 4 results a thread.
//
// Idea: gemm.cuh's product, with the operands as they lie in memory: of each of the three products
//   an operand's rows are either walked along or walked across, and either way neighbouring
//   threads read neighbours. A thread with 4 x 4 results reads half a value from shared memory for
//   each multiply-add, where one with a single result (tiled) reads two. A small result has too few
//   tiles to keep a GPU busy: its sum is split into slices of the inner dimension, a block for each
//   tile and slice, and a second launch adds the slices in order, always the same, so that no
//   atomics are needed and the same bits come every time.
// Grid: one block of 256 threads for each 64 x 64 tile (double: 64 x 32) and slice, striding over
//   what is left; for the slices' total one thread for each result.
// Shared memory: two strips of 8 x 68 (double: the second 8 x 36).
// Takes: every shape, float and double; strips that hang over the edge are filled with zeros.
// Next rung: 8 x 8 results a thread need a quarter of a read for each multiply-add, and two strips
//   of each operand in turn need one barrier for each step instead of two.
#include "gemm.cuh"

struct Epilogue {
    INDEX has_bias, relu;
};

__device__ inline REAL finished(REAL sum, const REAL* bias, INDEX col, Epilogue epilogue) {
    if (epilogue.has_bias) sum += bias[col];
    return epilogue.relu ? rectified(sum) : sum;
}

// C row by row; the slices one after the other.
struct Rows {
    REAL* out;
    const REAL* bias;
    INDEX cols;
    Epilogue epilogue;

    __device__ void operator()(INDEX row, INDEX col, REAL sum) const {
        out[row * cols + col] = finished(sum, bias, col, epilogue);
    }
};

template <bool A_ROWS_ARE_LINES, bool B_ROWS_ARE_LINES>
__device__ void multiply(
    REAL* out, Matrix<A_ROWS_ARE_LINES> a, Matrix<B_ROWS_ARE_LINES> b, const REAL* bias, Gemm gemm,
    Epilogue epilogue, INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        Results sum;
        product(a, b, gemm, tile, sum);
        REAL* slice = out + tile.slice * gemm.rows * gemm.cols;
        each_result(gemm, tile, sum, Rows{slice, bias, gemm.cols, epilogue});
    }
}

// y (N, O) = x (N, I) weight (O, I)^T
extern "C" __global__ void linear(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Gemm gemm, Epilogue epilogue,
    INDEX tiles
) {
    const Matrix<true> a = {x, gemm.depth}, b = {weight, gemm.depth};
    multiply(y, a, b, bias, gemm, epilogue, tiles);
}

// dx (N, I) = dy (N, O) weight (O, I)
extern "C" __global__ void linear_input(
    REAL* dx, const REAL* dy, const REAL* weight, const REAL* bias, Gemm gemm, Epilogue epilogue,
    INDEX tiles
) {
    const Matrix<true> a = {dy, gemm.depth};
    const Matrix<false> b = {weight, gemm.cols};
    multiply(dx, a, b, bias, gemm, epilogue, tiles);
}

// dweight (O, I) = dy (N, O)^T x (N, I)
extern "C" __global__ void linear_weight(
    REAL* dweight, const REAL* x, const REAL* dy, const REAL* bias, Gemm gemm, Epilogue epilogue,
    INDEX tiles
) {
    const Matrix<false> a = {dy, gemm.rows}, b = {x, gemm.cols};
    multiply(dweight, a, b, bias, gemm, epilogue, tiles);
}

// The slices' total, in order, and the epilogue.
extern "C" __global__ void linear_total(
    REAL* out, const REAL* partial, const REAL* bias, Gemm gemm, Epilogue epilogue, INDEX count
) {
    GRID_STRIDE(i, count) {
        const REAL sum = sum_of_slices(partial, gemm.slices, count, i);
        out[i] = finished(sum, bias, i % gemm.cols, epilogue);
    }
}
