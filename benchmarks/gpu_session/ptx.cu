// Every instruction of ptx.cuh by itself: its answer on a GPU must be its twin's, bit for bit.
//
// Grid: one block of 32 threads. Shared memory: 3 x 2048 bytes. Takes: sm_80 or newer.
#include "ptx.cuh"

// Three groups of copies, every third chunk of them zeros. What is read of a group after the wait
// that it needs, and before any later one, shows in `y`: 3 x 128 floats.
extern "C" __global__ void copies(float* y, const float* x) {
    __shared__ __align__(16) float copies_to[3][128];
    const int own = threadIdx.x * 4, other = (threadIdx.x * 4 + 68) % 128;
    for (int group = 0; group < 3; ++group) {
        for (int i = 0; i < 4; ++i) copies_to[group][own + i] = -1;
        copy_async(&copies_to[group][own], x + group * 128 + own, (threadIdx.x + group) % 3 != 0);
        commit_copies();
    }
    wait_for_copies<2>();
    __syncthreads();
    for (int i = 0; i < 4; ++i) y[other + i] = copies_to[0][other + i];
    commit_copies();  // an empty group counts
    wait_for_copies<2>();
    __syncthreads();
    for (int i = 0; i < 4; ++i) y[128 + other + i] = copies_to[1][other + i];
    wait_for_copies<0>();
    __syncthreads();
    for (int i = 0; i < 4; ++i) y[256 + other + i] = copies_to[2][other + i];
}
