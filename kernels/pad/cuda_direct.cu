// direct: a border around an array and the border cut off, one thread per element written.
//
// Idea: a thread takes the element's number apart into its coordinates, last axis first, and on the
//   way works out where the element lies in the other array. Axes without padding next to each
//   other are one axis (the launcher joins them), so an image has three: planes, rows, columns.
//   Both directions gather, so that every element is written once, by one thread.
// Grid: one thread for each element of the result, striding over what is left.
// Shared memory: none.
// Takes: up to 8 axes after joining, float and double.
// Next rung: a division for each axis and element costs more than the copy; a block for each row
//   would divide once a row, and could copy 16 bytes at a time where rows are aligned.
#include "common.cuh"

#define AXES 8  // pad/cuda_direct.py has the same number

struct Pad {
    INDEX axes, inner[AXES], before[AXES], outer[AXES];  // sizes without and with the border
};

// Where element `i` of the padded array lies in the array, or -1 in the border.
__device__ inline INDEX inside_of(Pad pad, INDEX i) {
    INDEX at = 0, stride = 1;
    bool there = true;
    for (INDEX axis = pad.axes - 1; axis >= 0; --axis) {
        const INDEX own = i % pad.outer[axis] - pad.before[axis];
        there = there && inside(own, pad.inner[axis]);
        at += own * stride;
        i /= pad.outer[axis];
        stride *= pad.inner[axis];
    }
    return there ? at : -1;
}

// Where element `i` of the array lies in the padded one.
__device__ inline INDEX outside_of(Pad pad, INDEX i) {
    INDEX at = 0, stride = 1;
    for (INDEX axis = pad.axes - 1; axis >= 0; --axis) {
        at += (i % pad.inner[axis] + pad.before[axis]) * stride;
        i /= pad.inner[axis];
        stride *= pad.outer[axis];
    }
    return at;
}

extern "C" __global__ void pad(REAL* y, const REAL* x, REAL value, Pad shape, INDEX count) {
    GRID_STRIDE(i, count) {
        const INDEX at = inside_of(shape, i);
        y[i] = at < 0 ? value : x[at];
    }
}

extern "C" __global__ void pad_backward(REAL* dx, const REAL* dy, Pad shape, INDEX count) {
    GRID_STRIDE(i, count) dx[i] = dy[outside_of(shape, i)];
}
