// A convolution as a matrix product: where its operands' elements and its results lie.
//
// Idea: all that convolution adds to a matrix product is where an element is read. The input that
//   position (n, p, q) meets at tap (c, r, s) is element (n, c, p stride - pad + r dilation, ...):
//   a part that the position decides plus a part that the tap decides. Either may be the operand's
//   line, and the other its depth (gemm.cuh). The gradients' operands are of the same form.
#pragma once
#include "../gemm.cuh"

// Numbered things on a lattice: number (outer * down + i) * across + j stands in row
// row + i * row_step, column col + j * col_step, of the planes that begin at outer * planes.
struct Lattice {
    INDEX first;  // the number that counting begins with
    INDEX down, across, planes, row, col, row_step, col_step;
};

struct Digits {
    INDEX outer, i, j;
};
struct Leap {
    int outer, i, j;
};
struct Place {
    INDEX begin, row, col;  // begin of a plane, row and column within
};

__device__ inline Digits digits_of(const Lattice& lattice, INDEX number) {
    const INDEX line = number / lattice.across;
    return {line / lattice.down, line % lattice.down, number % lattice.across};
}
__device__ inline Place place_of(const Lattice& lattice, const Digits& at) {
    return {at.outer * lattice.planes, lattice.row + at.i * lattice.row_step,
            lattice.col + at.j * lattice.col_step};
}

// Adds as one adds by hand: each digit carries one at most.
__device__ inline void add_digits(const Lattice& lattice, Digits& at, const Leap& more) {
    at.j += more.j;
    const bool wraps = at.j >= lattice.across;
    at.j -= wraps ? lattice.across : 0;
    at.i += more.i + wraps;
    const bool ends = at.i >= lattice.down;
    at.i -= ends ? lattice.down : 0;
    at.outer += more.outer + ends;
}

// An operand that is gathered from planes of h x w, with zeros around each.
template <bool DEPTH_IS_ALONG>
struct Gather {
    static constexpr bool ALONG_DEPTH = DEPTH_IS_ALONG;
    typedef Place Line;
    struct Depth {
        Digits now;
        Leap leap;
    };
    const REAL* data;
    INDEX h, w;
    Lattice lines, depths;

    __device__ Line line(INDEX i) const {
        return place_of(lines, digits_of(lines, lines.first + i));
    }
    __device__ Depth depth(INDEX i, int leap) const {
        const Digits more = digits_of(depths, leap);
        return {digits_of(depths, depths.first + i), {(int)more.outer, (int)more.i, (int)more.j}};
    }
    __device__ void leap(Depth& depth) const { add_digits(depths, depth.now, depth.leap); }
    __device__ REAL at(const Line& line, const Depth& depth) const {
        return at(line, place_of(depths, depth.now));
    }
    __device__ REAL at(const Place& one, const Place& other) const {
        const INDEX row = one.row + other.row, col = one.col + other.col;
        if (!inside(row, h) || !inside(col, w)) return 0;
        return data[one.begin + other.begin + row * w + col];
    }
};

// ---- the lattices of a convolution ----------------------------------------------------------

__device__ inline INDEX channels_of(const Conv2d& conv) { return conv.c / conv.groups; }
__device__ inline INDEX filters_of(const Conv2d& conv) { return conv.k / conv.groups; }
__device__ inline INDEX taps_of(const Conv2d& conv) { return channels_of(conv) * conv.r * conv.s; }

// Where in the input an output's window begins; where in its window a tap stands.
__device__ inline Lattice windows(const Conv2d& conv, INDEX first = 0) {
    return {first,          conv.p,         conv.q,        conv.c * conv.h * conv.w,
            -conv.pad_top, -conv.pad_left, conv.stride_h, conv.stride_w};
}
__device__ inline Lattice taps(const Conv2d& conv) {
    return {0, conv.r, conv.s, conv.h * conv.w, 0, 0, conv.dilation_h, conv.dilation_w};
}
// Where in the output a position stands, and where a filter's plane begins.
__device__ inline Lattice positions(const Conv2d& conv, INDEX first = 0) {
    return {first, conv.p, conv.q, conv.k * conv.p * conv.q, 0, 0, 1, 1};
}
__device__ inline Lattice planes(INDEX size) { return {0, 1, 1, size, 0, 0, 1, 1}; }

// ---- results --------------------------------------------------------------------------------

// A row is a plane of the image that is written, a column a place in it.
struct Image {
    REAL* data;
    INDEX h, w;
    Lattice places;
    const REAL* bias;
    INDEX has_bias, relu;

    __device__ void operator()(INDEX row, INDEX col, REAL sum) const {
        const Place place = place_of(places, digits_of(places, places.first + col));
        if (has_bias) sum += bias[row];
        data[place.begin + (row * h + place.row) * w + place.col] = relu ? rectified(sum) : sum;
    }
};

// The outputs of a group's filters.
__device__ inline Image outputs(
    REAL* y, const REAL* bias, const Conv2d& conv, INDEX group, INDEX first = 0
) {
    const INDEX filter = group * filters_of(conv);
    return {y + filter * conv.p * conv.q, conv.p, conv.q, positions(conv, first), bias + filter,
            conv.has_bias, conv.relu};
}
