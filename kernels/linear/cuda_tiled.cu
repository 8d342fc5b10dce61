// tiled: a fully connected layer and both gradients, one matrix product through shared memory.
//
// Idea: C = A B, a block for each 16 x 16 tile of C. It walks along the inner dimension in steps
//   of 16: its threads bring one tile of A and one of B into shared memory, wait for each other,
//   and every thread multiplies a row of the one with a column of the other. Each element fetched
//   is used 16 times. The three products differ only in how A and B lie in memory; a tile is
//   always read along its rows, so reads coalesce, and which way round it is used is decided at
//   compile time. A step's sum goes into a LongSum, which keeps the total accurate.
// Grid: one block of 256 threads for each tile of C, striding over what is left.
// Shared memory: two tiles of 16 x 17; the 17th column puts a tile's column into 16 banks.
// Takes: every shape, float and double; tiles that hang over the edge are filled with zeros.
// Next rung: two shared reads for each multiply-add. A thread that computes 4 x 4 results needs
//   half a read for each; loading the next tile meanwhile hides the waiting.
#include "common.cuh"

#define TILE 16
static_assert(TILE * TILE == BLOCK, "a thread for each element of a tile");

// C is rows x cols, the sum runs over depth.
struct Gemm {
    INDEX rows, cols, depth, has_bias, relu;
};

typedef REAL Tile[TILE][TILE + 1];

// The tile at (row, col) of a rows x cols matrix, zeros beyond its edge.
__device__ inline void load(
    Tile& tile, const REAL* matrix, INDEX row, INDEX col, INDEX rows, INDEX cols
) {
    const int down = threadIdx.x / TILE, across = threadIdx.x % TILE;
    const bool there = row + down < rows && col + across < cols;
    tile[down][across] = there ? matrix[(row + down) * cols + col + across] : 0;
}

// Element (row, col) of the block's tile of C. A lies as it is used, (rows, depth), or transposed,
// (depth, rows); B (depth, cols) or (cols, depth).
template <bool A_TRANSPOSED, bool B_TRANSPOSED>
__device__ REAL product(const REAL* a, const REAL* b, Gemm gemm, INDEX row, INDEX col) {
    __shared__ Tile a_tile, b_tile;
    const int down = threadIdx.x / TILE, across = threadIdx.x % TILE;
    LongSum total;
    for (INDEX step = 0; step < gemm.depth; step += TILE) {
        if (A_TRANSPOSED) load(a_tile, a, step, row, gemm.depth, gemm.rows);
        else load(a_tile, a, row, step, gemm.rows, gemm.depth);
        if (B_TRANSPOSED) load(b_tile, b, col, step, gemm.cols, gemm.depth);
        else load(b_tile, b, step, col, gemm.depth, gemm.cols);
        __syncthreads();
        REAL sum = 0;
        for (int i = 0; i < TILE; ++i) {
            const REAL left = A_TRANSPOSED ? a_tile[i][down] : a_tile[down][i];
            const REAL right = B_TRANSPOSED ? b_tile[across][i] : b_tile[i][across];
            sum = multiply_add(left, right, sum);
        }
        total.add(sum);
        __syncthreads();
    }
    return total.value();
}

template <bool A_TRANSPOSED, bool B_TRANSPOSED>
__device__ void multiply(
    REAL* c, const REAL* a, const REAL* b, const REAL* bias, Gemm gemm, INDEX tiles
) {
    const INDEX tiles_across = (gemm.cols + TILE - 1) / TILE;
    BLOCK_STRIDE(tile, tiles) {
        const INDEX row = tile / tiles_across * TILE, col = tile % tiles_across * TILE;
        REAL sum = product<A_TRANSPOSED, B_TRANSPOSED>(a, b, gemm, row, col);
        const INDEX own_row = row + threadIdx.x / TILE, own_col = col + threadIdx.x % TILE;
        if (own_row < gemm.rows && own_col < gemm.cols) {
            if (gemm.has_bias) sum += bias[own_col];
            c[own_row * gemm.cols + own_col] = gemm.relu ? rectified(sum) : sum;
        }
    }
}

// y (N, O) = x (N, I) weight (O, I)^T
extern "C" __global__ void linear(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Gemm gemm, INDEX tiles
) {
    multiply<false, true>(y, x, weight, bias, gemm, tiles);
}

// dx (N, I) = dy (N, O) weight (O, I)
extern "C" __global__ void linear_input(
    REAL* dx, const REAL* dy, const REAL* weight, Gemm gemm, INDEX tiles
) {
    multiply<false, false>(dx, dy, weight, dy, gemm, tiles);
}

// dweight (O, I) = dy (N, O)^T x (N, I)
extern "C" __global__ void linear_weight(
    REAL* dweight, const REAL* x, const REAL* dy, Gemm gemm, INDEX tiles
) {
    multiply<true, false>(dweight, dy, x, dy, gemm, tiles);
}
