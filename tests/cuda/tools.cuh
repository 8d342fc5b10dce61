// Included by correct.cu from an include folder.
#pragma once

template <int N>
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float part[N / 32];
  for (int d = 16; d; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < N / 32 ? part[threadIdx.x] : 0.0f;
    for (int d = 16; d; d >>= 1) v += __shfl_down_sync(0xffffffffu, v, d);
  }
  return v;
}
