// direct: convolution and both gradients, one thread per result, straight from the definition.
//
// Idea: a thread walks over everything that its result is the sum of, in a fixed order, and keeps
//   the sum in registers: a window's rows one by one, and the rows in a LongSum. The data gradient
//   gathers: for each input element the outputs that it took part in, so that no two threads ever
//   write to one place. A weight takes part in every output of its channel; that long sum is split
//   into slices of output rows, one thread each, and a second launch adds the slices in order. No
//   atomics: the same bits every time.
// Grid: one thread for each result (or weight and slice), striding over what is left; threads
//   next to each other own elements next to each other, so their reads mostly coalesce.
// Shared memory: none.
// Takes: every shape (strides, padding on four sides, dilation, groups), float and double.
// Next rung: two reads for each multiply-add, the same inputs again for every filter and the same
//   weights again for every position. A block that keeps a tile of both in shared memory reads
//   them once (direct_tiled), and a thread that computes several results reuses them from
//   registers (implicit_gemm).
#include "common.cuh"

__device__ inline INDEX channels_of(Conv2d conv) { return conv.c / conv.groups; }
__device__ inline INDEX filters_of(Conv2d conv) { return conv.k / conv.groups; }

// Element (n, c, row, col) of the input, (k, c, r, s) of the weight, (n, k, p, q) of the output.
__device__ inline INDEX input_at(Conv2d conv, INDEX n, INDEX c, INDEX row, INDEX col) {
    return ((n * conv.c + c) * conv.h + row) * conv.w + col;
}
__device__ inline INDEX weight_at(Conv2d conv, INDEX k, INDEX c, INDEX r, INDEX s) {
    return ((k * channels_of(conv) + c) * conv.r + r) * conv.s + s;
}
__device__ inline INDEX output_at(Conv2d conv, INDEX n, INDEX k, INDEX p, INDEX q) {
    return ((n * conv.k + k) * conv.p + p) * conv.q + q;
}

__device__ REAL output_sum(
    const REAL* x, const REAL* weight, Conv2d conv, INDEX n, INDEX k, INDEX p, INDEX q
) {
    const INDEX channels = channels_of(conv), first = k / filters_of(conv) * channels;
    LongSum sum;
    for (INDEX c = 0; c < channels; ++c) {
        for (INDEX r = 0; r < conv.r; ++r) {
            const INDEX row = p * conv.stride_h - conv.pad_top + r * conv.dilation_h;
            if (!inside(row, conv.h)) continue;
            const REAL* inputs = x + input_at(conv, n, first + c, row, 0);
            const REAL* weights = weight + weight_at(conv, k, c, r, 0);
            INDEX col = q * conv.stride_w - conv.pad_left;
            REAL along = 0;
            for (INDEX s = 0; s < conv.s; ++s, col += conv.dilation_w)
                if (inside(col, conv.w)) along = multiply_add(inputs[col], weights[s], along);
            sum.add(along);
        }
    }
    return sum.value();
}

extern "C" __global__ void conv2d(
    REAL* y, const REAL* x, const REAL* weight, const REAL* bias, Conv2d conv, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX q = i % conv.q, p = i / conv.q % conv.p;
        const INDEX k = i / conv.q / conv.p % conv.k, n = i / conv.q / conv.p / conv.k;
        REAL sum = output_sum(x, weight, conv, n, k, p, q);
        if (conv.has_bias) sum += bias[k];
        y[i] = conv.relu ? rectified(sum) : sum;
    }
}

__device__ REAL input_sum(
    const REAL* dy, const REAL* weight, Conv2d conv, INDEX n, INDEX c, INDEX row, INDEX col
) {
    const INDEX group = c / channels_of(conv), own = c % channels_of(conv);
    const INDEX first = group * filters_of(conv), end = first + filters_of(conv);
    LongSum sum;
    for (INDEX k = first; k < end; ++k) {
        for (INDEX r = 0; r < conv.r; ++r) {
            const INDEX down = row + conv.pad_top - r * conv.dilation_h;
            const INDEX p = window_at(down, conv.stride_h, conv.p);
            if (p < 0) continue;
            REAL along = 0;
            for (INDEX s = 0; s < conv.s; ++s) {
                const INDEX across = col + conv.pad_left - s * conv.dilation_w;
                const INDEX q = window_at(across, conv.stride_w, conv.q);
                if (q < 0) continue;
                const REAL slope = dy[output_at(conv, n, k, p, q)];
                along = multiply_add(slope, weight[weight_at(conv, k, own, r, s)], along);
            }
            sum.add(along);
        }
    }
    return sum.value();
}

extern "C" __global__ void conv2d_input(
    REAL* dx, const REAL* dy, const REAL* weight, Conv2d conv, INDEX count
) {
    GRID_STRIDE(i, count) {
        const INDEX col = i % conv.w, row = i / conv.w % conv.h;
        const INDEX c = i / conv.w / conv.h % conv.c, n = i / conv.w / conv.h / conv.c;
        dx[i] = input_sum(dy, weight, conv, n, c, row, col);
    }
}

// A weight's products with one row of outputs.
__device__ REAL row_sum(const REAL* x_row, const REAL* dy_row, Conv2d conv, INDEX s) {
    REAL sum = 0;
    for (INDEX q = 0; q < conv.q; ++q) {
        const INDEX col = q * conv.stride_w - conv.pad_left + s * conv.dilation_w;
        if (inside(col, conv.w)) sum = multiply_add(dy_row[q], x_row[col], sum);
    }
    return sum;
}

// A weight's products with the output rows [begin, end) of the batch: the rows one by one.
__device__ REAL weight_sum(
    const REAL* x, const REAL* dy, Conv2d conv, INDEX i, INDEX begin, INDEX end
) {
    const INDEX channels = channels_of(conv), s = i % conv.s, r = i / conv.s % conv.r;
    const INDEX k = i / conv.s / conv.r / channels;
    const INDEX c = k / filters_of(conv) * channels + i / conv.s / conv.r % channels;
    LongSum sum;
    for (INDEX at = begin; at < end; ++at) {
        const INDEX n = at / conv.p, p = at % conv.p;
        const INDEX row = p * conv.stride_h - conv.pad_top + r * conv.dilation_h;
        if (!inside(row, conv.h)) continue;
        const REAL* x_row = x + input_at(conv, n, c, row, 0);
        sum.add(row_sum(x_row, dy + output_at(conv, n, k, p, 0), conv, s));
    }
    return sum.value();
}

extern "C" __global__ void conv2d_weight_slices(
    REAL* partial, const REAL* x, const REAL* dy, Conv2d conv, INDEX slices, INDEX count
) {
    const INDEX weights = count / slices, rows = conv.n * conv.p;
    const INDEX size = (rows + slices - 1) / slices;
    GRID_STRIDE(i, count) {
        const INDEX begin = i / weights * size, end = lesser(begin + size, rows);
        partial[i] = weight_sum(x, dy, conv, i % weights, begin, end);
    }
}

extern "C" __global__ void conv2d_weight_total(
    REAL* dweight, const REAL* partial, INDEX slices, INDEX count
) {
    GRID_STRIDE(i, count) dweight[i] = sum_of_slices(partial, slices, count, i);
}
