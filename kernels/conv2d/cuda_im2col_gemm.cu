// im2col_gemm: convolution and both gradients as products with a column matrix in the workspace.
//
// Idea: a first launch copies every window into a column (taps x positions); then convolution is a
//   matrix product and gemm.cuh does it at full speed on plain matrices:
//     y (filters x positions)       = weight (filters x taps) * columns
//     columns (taps x positions)    = weight^T * dy, and every input gathers its taps from them
//     dweight (filters x taps)      = dy (filters x positions) * columns^T
//   The matrix holds every input up to R S times, so it is made for a chunk of the batch's
//   positions at a time. A chunk may begin within an image: such an image's data gradient is added
//   to. The weight gradient's sum is split into slices of a chunk's positions, which a further
//   launch adds to what the chunks before gave. All in a fixed order and without atomics.
// Grid: one thread for each element of the columns, of the touched images or of the weights; one
//   block of 256 threads for each 64 x 64 tile (double: 64 x 32) of a group's product and slice;
//   all stride over what is left.
// Shared memory: two strips of 8 x 68 (double: the second 8 x 36).
// Takes: every shape (strides, padding on four sides, dilation, groups), float and double. A tap
//   that stands outside the image is multiplied with zero.
// Next rung: the columns are written once and read at least once for R S times the input. A block
//   can gather its strip of them from the image itself (implicit_gemm).
#include "gather.cuh"

// ---- columns --------------------------------------------------------------------------------

// The columns of `count / all taps` positions from `first` on, tap by tap; the groups' taps follow
// each other as their channels do.
extern "C" __global__ void im2col(
    REAL* columns, const REAL* x, Conv2d conv, INDEX first, INDEX size, INDEX count
) {
    const Gather<false> image = {x, conv.h, conv.w, windows(conv, first), taps(conv)};
    GRID_STRIDE(i, count) {
        const Digits tap = digits_of(image.depths, i / size);
        columns[i] = image.at(image.line(i % size), place_of(image.depths, tap));
    }
}

// What the chunk's windows give back to element (row, col) of channel c of image n.
__device__ REAL taps_sum(
    const REAL* columns, const Conv2d& conv, INDEX first, INDEX size, INDEX n, INDEX c, INDEX row,
    INDEX col
) {
    LongSum sum;
    for (INDEX r = 0; r < conv.r; ++r) {
        const INDEX p = window_at(row + conv.pad_top - r * conv.dilation_h, conv.stride_h, conv.p);
        if (p < 0) continue;
        for (INDEX s = 0; s < conv.s; ++s) {
            const INDEX across = col + conv.pad_left - s * conv.dilation_w;
            const INDEX q = window_at(across, conv.stride_w, conv.q);
            const INDEX at = (n * conv.p + p) * conv.q + q - first;
            const INDEX tap = (c * conv.r + r) * conv.s + s;
            if (q >= 0 && inside(at, size)) sum.add(columns[tap * size + at]);
        }
    }
    return sum.value();
}

// dx of the images that the chunk touches, `image` the first of them.
extern "C" __global__ void col2im(
    REAL* dx, const REAL* columns, Conv2d conv, INDEX image, INDEX first, INDEX size, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX col = i % conv.w, row = i / conv.w % conv.h;
        const INDEX c = i / conv.w / conv.h % conv.c, n = image + i / conv.w / conv.h / conv.c;
        const REAL sum = taps_sum(columns, conv, first, size, n, c, row, col);
        REAL* own = dx + image * conv.c * conv.h * conv.w + i;
        *own = n * conv.p * conv.q < first ? *own + sum : sum;
    }
}

// ---- products -------------------------------------------------------------------------------

extern "C" __global__ void conv2d(
    REAL* y, const REAL* columns, const REAL* weight, const REAL* bias, Conv2d conv, Gemm gemm,
    INDEX first, INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const Matrix<true> a = {weight + tile.batch * gemm.rows * gemm.depth, gemm.depth};
        const Matrix<false> b = {columns + tile.batch * gemm.depth * gemm.cols, gemm.cols};
        Results sum;
        product(a, b, gemm, tile, sum);
        each_result(gemm, tile, sum, outputs(y, bias, conv, tile.batch, first));
    }
}

extern "C" __global__ void conv2d_input(
    REAL* columns, const REAL* dy, const REAL* weight, Conv2d conv, Gemm gemm, INDEX first,
    INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const INDEX plane = conv.p * conv.q;
        const REAL* slopes = dy + tile.batch * gemm.depth * plane;
        const Matrix<false> a = {weight + tile.batch * gemm.depth * gemm.rows, gemm.rows};
        const Gather<false> b = {slopes, conv.p, conv.q, positions(conv, first), planes(plane)};
        Results sum;
        product(a, b, gemm, tile, sum);
        REAL* out = columns + tile.batch * gemm.rows * gemm.cols;
        each_result(gemm, tile, sum, Plain{out, gemm.cols});
    }
}

extern "C" __global__ void conv2d_weight_slices(
    REAL* partial, const REAL* columns, const REAL* dy, Conv2d conv, Gemm gemm, INDEX first,
    INDEX tiles
) {
    BLOCK_STRIDE(i, tiles) {
        const Tile tile = tile_at(gemm, i);
        const INDEX plane = conv.p * conv.q, part = tile.slice * gemm.batch + tile.batch;
        const REAL* slopes = dy + tile.batch * gemm.rows * plane;
        const Gather<true> a = {slopes, conv.p, conv.q, planes(plane), positions(conv, first)};
        const Matrix<true> b = {columns + tile.batch * gemm.cols * gemm.depth, gemm.depth};
        Results sum;
        product(a, b, gemm, tile, sum);
        each_result(gemm, tile, sum, Plain{partial + part * gemm.rows * gemm.cols, gemm.cols});
    }
}

// The slices of a chunk in order, added to the chunks before unless there are none.
extern "C" __global__ void conv2d_weight_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX first, INDEX count
) {
    GRID_STRIDE(i, count) {
        const REAL sum = sum_of_slices(partial, slices, count, i);
        dweight[i] = first > 0 ? dweight[i] + sum : sum;
    }
}
