// implicit_gemm: convolution and both gradients as matrix products, gathered straight from memory.
//
// Idea: gemm.cuh's product on operands that are nowhere written down: a block that wants a strip of
//   the column matrix (im2col_gemm) gathers it from the image into shared memory.
//     y  (filters x positions)  = weight (filters x taps) * windows (taps x positions)
//     dx (channels x places)    = weight^T (channels x filter's taps) * outputs (... x places)
//     dweight (filters x taps)  = dy (filters x positions) * windows^T (positions x taps)
//   With a stride, an input in row h meets only the taps r with h + pad - r dilation = p stride.
//   Rows with the same (h + pad) mod stride, their residue, meet the same taps, evenly spaced. So
//   the data gradient is a product for each residue of rows and of columns, over its own taps,
//   and nothing is multiplied with zeros. The weight gradient sums over all positions of the
//   batch: slices of them, a block each, then the slices in order. No atomics.
// Grid: one block of 256 threads for each 64 x 64 tile (double: 64 x 32) of a group's result and
//   slice, striding over what is left; a launch for each pair of residues; for the total one thread
//   for each weight.
// Shared memory: two strips of 8 x 68 (double: the second 8 x 36).
// Takes: every shape (strides, padding on four sides, dilation, groups), float and double. A tap
//   that stands outside the image is multiplied with zero.
// Next rung: a gathered element costs about ten integer operations; channels last in memory
//   (NHWC) need them once for four channels, which also come in one read of 16 bytes.
#include "gather.cuh"

// ---- forward --------------------------------------------------------------------------------

extern "C" __global__ void conv2d(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Conv2d conv, Gemm gemm,
    INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const REAL* image = x + tile.batch * channels_of(conv) * conv.h * conv.w;
        const Matrix<true> a = {weight + tile.batch * gemm.rows * gemm.depth, gemm.depth};
        const Gather<false> b = {image, conv.h, conv.w, windows(conv), taps(conv)};
        Results sum;
        product(a, b, gemm, tile, sum);
        each_result(gemm, tile, sum, outputs(y, bias, conv, tile.batch));
    }
}

// ---- data gradient --------------------------------------------------------------------------

// What a residue has along one axis: inputs first, first + stride, ... (count of them), and taps
// tap, tap + tap_step, ... (taps of them, or 1 where the product has no depth). The first input
// meets the first tap at output `window`, and the next tap `back` outputs before.
struct Axis {
    INDEX first, count, tap, taps, tap_step, window, back;
};
struct Residue {
    Axis down, across;
};

__device__ inline Lattice places_in_input(const Conv2d& conv, const Residue& at) {
    return {0, at.down.count, at.across.count, conv.c * conv.h * conv.w, at.down.first,
            at.across.first, conv.stride_h, conv.stride_w};
}
__device__ inline Lattice places_in_output(const Conv2d& conv, const Residue& at) {
    return {0, at.down.count, at.across.count, conv.k * conv.p * conv.q, at.down.window,
            at.across.window, 1, 1};
}
__device__ inline Lattice taps_in_output(const Conv2d& conv, const Residue& at) {
    return {0, at.down.taps, at.across.taps, conv.p * conv.q, 0, 0, -at.down.back, -at.across.back};
}
__device__ inline Lattice taps_in_weight(const Conv2d& conv, const Residue& at) {
    return {0, at.down.taps, at.across.taps, taps_of(conv), at.down.tap, at.across.tap,
            at.down.tap_step, at.across.tap_step};
}

extern "C" __global__ void conv2d_input(
    REAL* dx, const REAL* dy, const REAL* weight, Conv2d conv, Residue residue, Gemm gemm,
    INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const INDEX filter = tile.batch * filters_of(conv);
        const Gather<true> a = {weight + filter * taps_of(conv), conv.r, conv.s,
                                planes(conv.r * conv.s), taps_in_weight(conv, residue)};
        const Gather<false> b = {dy + filter * conv.p * conv.q, conv.p, conv.q,
                                 places_in_output(conv, residue), taps_in_output(conv, residue)};
        Results sum;
        product(a, b, gemm, tile, sum);
        REAL* image = dx + tile.batch * gemm.rows * conv.h * conv.w;
        const Lattice places = places_in_input(conv, residue);
        each_result(gemm, tile, sum, Image{image, conv.h, conv.w, places, dy, 0, 0});
    }
}

// ---- weight gradient ------------------------------------------------------------------------

extern "C" __global__ void conv2d_weight_slices(
    REAL* partial, const REAL* x, const REAL* dy, Conv2d conv, Gemm gemm, INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const REAL* image = x + tile.batch * channels_of(conv) * conv.h * conv.w;
        const REAL* slopes = dy + tile.batch * gemm.rows * conv.p * conv.q;
        const Gather<true> a = {slopes, conv.p, conv.q, planes(conv.p * conv.q), positions(conv)};
        const Gather<true> b = {image, conv.h, conv.w, taps(conv), windows(conv)};
        Results sum;
        product(a, b, gemm, tile, sum);
        const INDEX part = tile.slice * gemm.batch + tile.batch;
        each_result(gemm, tile, sum, Plain{partial + part * gemm.rows * gemm.cols, gemm.cols});
    }
}

extern "C" __global__ void conv2d_weight_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX count
) {
    GRID_STRIDE(i, count) dweight[i] = sum_of_slices(partial, slices, count, i);
}
