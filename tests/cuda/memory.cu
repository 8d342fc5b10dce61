// Accesses whose cost is known: bank conflicts of a transpose, sectors of strided loads.
#ifndef PITCH
#define PITCH 32
#endif

extern "C" __global__ void transpose(const float* x, float* y) {
    __shared__ float transpose_tile[32][PITCH];
    transpose_tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];
    __syncthreads();
    y[threadIdx.y * 32 + threadIdx.x] = transpose_tile[threadIdx.x][threadIdx.y];
}

extern "C" __global__ void strided(const float* x, float* y, int stride) {
    y[threadIdx.x] = x[threadIdx.x * stride];
}
