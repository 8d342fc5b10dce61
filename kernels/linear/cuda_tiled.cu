// tiled: a matrix product through 16 x 16 tiles in shared memory, for all three operand layouts.
// Grid: (columns / 16, rows / 16) blocks of 16 x 16 threads. Shared memory: two tiles.
// Takes: every shape, float and double; edges are filled with zeros.
//
// A block loads a tile of A and a tile of B, every thread one element of each, and each element is
// then used 16 times from shared memory instead of once from global memory. The strides of A and B
// say which of the three products it is: x @ weight^T, dy @ weight, dy^T @ x. One output a thread
// keeps the arithmetic units waiting for shared memory; the next rung gives a thread a tile of
// outputs in registers.
#include "common.cuh"

#define TILE 16

struct Matmul {
    int m, n, depth;
    int a_row, a_step;  // elements between rows of A, and between its steps along the depth
    int b_column, b_step;
    int has_bias, relu;
};

extern "C" __global__ void matmul(REAL* y, const REAL* a, const REAL* b, const REAL* bias, Matmul o) {
    __shared__ REAL tile_a[TILE][TILE + 1];  // one more column: no two rows in one bank
    __shared__ REAL tile_b[TILE][TILE + 1];
    const int tx = threadIdx.x, ty = threadIdx.y;
    const INDEX row = (INDEX)blockIdx.y * TILE + ty, column = (INDEX)blockIdx.x * TILE + tx;
    REAL sum = o.has_bias && column < o.n ? bias[column] : (REAL)0;
    for (INDEX k0 = 0; k0 < o.depth; k0 += TILE) {
        const bool in_a = row < o.m && k0 + tx < o.depth, in_b = column < o.n && k0 + ty < o.depth;
        tile_a[ty][tx] = in_a ? a[row * o.a_row + (k0 + tx) * o.a_step] : (REAL)0;
        tile_b[ty][tx] = in_b ? b[column * o.b_column + (k0 + ty) * o.b_step] : (REAL)0;
        __syncthreads();
        for (int k = 0; k < TILE; ++k) sum += tile_a[ty][k] * tile_b[k][tx];
        __syncthreads();
    }
    if (row < o.m && column < o.n) y[row * o.n + column] = o.relu && sum <= 0 ? (REAL)0 : sum;
}
