// 16 bytes at a time: the most that one load or store of a thread can move.
//
// A warp that takes a float a lane asks for 4 sectors of 32 bytes in a request, with 16 bytes a
// lane for 16: the same bytes in a quarter of the instructions, and four times as many on their
// way at once. The address must be a multiple of 16. The launcher (Launcher.each_vector) says how
// many whole Vectors there are: none where an array starts elsewhere, as a view may. The elements
// behind the last Vector are taken one by one in the same launch, all of them where there is none.
#pragma once
#include "common.cuh"

struct alignas(16) Vector {
    static constexpr int SIZE = 16 / sizeof(REAL);
    REAL lane[SIZE];
};

__device__ inline Vector load(const REAL* array, INDEX i) {
    return reinterpret_cast<const Vector*>(array)[i];
}
__device__ inline void store(REAL* array, INDEX i, Vector vector) {
    reinterpret_cast<Vector*>(array)[i] = vector;
}

// The elements behind the last Vector, `at` each of them in turn.
#define REST_STRIDE(at, vectors, count)                                                \
    for (INDEX at = (INDEX)blockIdx.x * blockDim.x + threadIdx.x + (vectors) * Vector::SIZE; \
         at < (count); at += (INDEX)gridDim.x * blockDim.x)

template <class Function, class... Vectors>
__device__ inline Vector lane_by_lane(Function function, Vectors... x) {
    Vector y;
    for (int lane = 0; lane < Vector::SIZE; ++lane) y.lane[lane] = function(x.lane[lane]...);
    return y;
}

// y = function(x...), element by element.
template <class Function, class... Inputs>
__device__ inline void map(
    INDEX vectors, INDEX count, REAL* y, Function function, const Inputs*... x
) {
    GRID_STRIDE(i, vectors) store(y, i, lane_by_lane(function, load(x, i)...));
    REST_STRIDE(at, vectors, count) y[at] = function(x[at]...);
}
