// Kernels without a fault: check mode must stay silent in every order, and the values be right.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include "tools.cuh"

#ifndef T
#define T float
#endif
#define TILE 16

extern "C" __global__ void matmul(const T* __restrict__ a, const T* __restrict__ b,
                                  T* __restrict__ c, int m, int n, int k) {
  __shared__ T sa[TILE][TILE], sb[TILE][TILE + 1];
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  T sum = 0;
  for (int k0 = 0; k0 < k; k0 += TILE) {
    const int ka = k0 + threadIdx.x, kb = k0 + threadIdx.y;
    sa[threadIdx.y][threadIdx.x] = row < m && ka < k ? a[row * k + ka] : T(0);
    sb[threadIdx.y][threadIdx.x] = kb < k && col < n ? b[kb * n + col] : T(0);
    __syncthreads();
    for (int i = 0; i < TILE; ++i) sum = fma(sa[threadIdx.y][i], sb[i][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && col < n) c[row * n + col] = sum;
}

extern "C" __global__ void __launch_bounds__(128) sum(const float4* x, float* out, int n) {
  float v = 0;
  for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) {
    const float4 q = __ldg(x + i);
    v += q.x + q.y + q.z + q.w;
  }
  v = block_sum<128>(v);
  if (threadIdx.x == 0) atomicAdd(out, v);
}

extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
  __shared__ float tile[32][33];
  const int col = blockIdx.x * 32 + threadIdx.x;
  for (int r = threadIdx.y; r < 32; r += blockDim.y) {
    const int row = blockIdx.y * 32 + r;
    if (row < rows && col < cols) tile[r][threadIdx.x] = x[row * cols + col];
  }
  __syncthreads();
  const int to = blockIdx.y * 32 + threadIdx.x;
  for (int r = threadIdx.y; r < 32; r += blockDim.y) {
    const int row = blockIdx.x * 32 + r;
    if (row < cols && to < rows) y[row * rows + to] = tile[threadIdx.x][r];
  }
}

extern "C" __global__ void histogram(const unsigned char* x, unsigned* bins, int n) {
  __shared__ unsigned mine[256];
  mine[threadIdx.x] = 0;
  __syncthreads();
  const int stride = gridDim.x * 256;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += stride) atomicAdd(mine + x[i], 1);
  __syncthreads();
  if (mine[threadIdx.x]) atomicAdd(bins + threadIdx.x, mine[threadIdx.x]);
}

extern "C" __global__ void reverse(const float* x, float* y) {
  extern __shared__ __align__(16) float buffer[];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  buffer[threadIdx.x] = x[i];
  __syncthreads();
  y[i] = buffer[blockDim.x - 1 - threadIdx.x];
}

// Two buffers: the copy of the next tile is in flight while this one is summed.
extern "C" __global__ void pipeline(const float* x, float* y, int tiles) {
  __shared__ __align__(16) float s[2][128];
  const int t = threadIdx.x;
  auto fetch = [&](int k) {
    if (k < tiles) __pipeline_memcpy_async(&s[k & 1][4 * t], x + 128 * k + 4 * t, 16);
    __pipeline_commit();
  };
  float sum = 0;
  fetch(0);
  for (int k = 0; k < tiles; ++k) {
    fetch(k + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += s[k & 1][127 - t];
    __syncthreads();
  }
  y[t] = sum;
}

// Only the first bytes come from memory, the rest of the target is zero.
extern "C" __global__ void copy_with_zeros(const float* x, float* y) {
  __shared__ __align__(16) float s[4];
  __pipeline_memcpy_async(s, x, 16, 8);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  for (int i = 0; i < 4; ++i) y[i] = s[i];
}

extern "C" __global__ void halves(const half2* x, half2* y, __half scale) {
  const half2 v = x[threadIdx.x];
  y[threadIdx.x] = __hfma2(v, __halves2half2(scale, scale), __floats2half2_rn(1.0f, -1.0f));
}

extern "C" __global__ void half_values(const __half* x, float* y, __half* back, const float* z,
                                       __half* rounded) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = __half2float(x[i]);
  back[i] = __float2half(y[i]);
  rounded[i] = __float2half_rn(z[i]);
}

extern "C" __global__ void bfloats(const float* x, __nv_bfloat16* y) {
  y[threadIdx.x] = __float2bfloat16(x[threadIdx.x]);
}

// Neighbouring bytes belong to different threads.
extern "C" __global__ void mask(const float* x, bool* positive, signed char* sign) {
  __shared__ unsigned char s[64];
  const int i = threadIdx.x;
  s[i] = x[i] > 0;
  __syncthreads();
  positive[63 - i] = s[63 - i];
  sign[i] = s[i] ? 1 : -1;
}

// Lanes exchange through shared memory, ordered by __syncwarp only: all, then each half.
extern "C" __global__ void warps(float* y) {
  __shared__ float s[64];
  const int t = threadIdx.x, half_mask = t % 32 < 16 ? 0x0000ffff : 0xffff0000;
  s[t] = t;
  __syncwarp();
  const float v = s[t ^ 31];
  __syncwarp();
  s[t] = 2 * v;
  __syncwarp(half_mask);
  y[t] = s[t ^ 15];
}

extern "C" __global__ void votes(const float* x, int* out, int n) {
  const int i = threadIdx.x;
  const unsigned all = 0xffffffffu, ballot = __ballot_sync(all, x[i] > 0);
  const int any = __any_sync(all, i % 32 == 7), every = __all_sync(all, i >= 0);
  const int positive = __syncthreads_count(x[i] > 0), both = __syncthreads_and(i < n);
  const int one = __syncthreads_or(i == n);
  const int up = __shfl_up_sync(all, i, 3), down = __shfl_down_sync(all, i, 3, 8);
  const int from = __shfl_sync(all, i, 5, 16), x3 = __shfl_xor_sync(all, i, 3);
  const int row[] = {__popc(ballot), any, every, positive, both, one, up, down, from, x3};
  for (int k = 0; k < 10; ++k) out[i * 10 + k] = row[k];
}

struct Shape {
  int rows, cols;
  double scale;
};
extern "C" __global__ void scaled(double* x, Shape shape, int row) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= shape.cols) return;  // no barrier follows
  x[row * shape.cols + i] *= shape.scale;
}

extern "C" __global__ void relu(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] > 0 ? x[i] : 0.0f;
}

extern "C" __global__ void atomics(int* out, double* sum, unsigned long long* big) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicMax(out, i);
  atomicMin(out + 1, -i);
  atomicOr(out + 2, 1 << i % 8);
  atomicCAS(out + 3, i, i + 1);
  atomicAdd(sum, 0.5);
  atomicAdd(big, 1ull << 40);
}

extern "C" __global__ void copies(const float4* x, float4* y, float* z) {
  __shared__ float4 s[32];
  const int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  memcpy(y + i, s + 31 - i, sizeof(float4));
  memset(z + i, 0, sizeof(float));
}

extern "C" __global__ void where(uint3* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const dim3 size = blockDim;
  out[block * size.x * size.y * size.z + thread] = threadIdx;
}

extern "C" __global__ void mark_last(unsigned char* x, long long n) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = i % 251;
}

extern "C" __global__ void ended_threads(float* y, int n) {
  if (threadIdx.x >= n) return;
  __syncthreads();
  y[threadIdx.x] = 1.0f;
}
