// Kernels whose memory requests are known; tests/test_emulator_statistics.py finds them by a mark.
template <int PAD>
__device__ void transposed(const float* x, float* y) {
  __shared__ float s[32][32 + PAD];
  for (int r = threadIdx.y; r < 32; r += 8) {
    s[r][threadIdx.x] = x[r * 32 + threadIdx.x];  // load
  }
  __syncthreads();
  for (int r = threadIdx.y; r < 32; r += 8) {
    y[r * 32 + threadIdx.x] = s[threadIdx.x][r];  // store
  }
}
extern "C" __global__ void unpadded(const float* x, float* y) { transposed<0>(x, y); }
extern "C" __global__ void padded(const float* x, float* y) { transposed<1>(x, y); }

extern "C" __global__ void strided(const float* x, float* y, int stride) {
  y[threadIdx.x] = x[threadIdx.x * stride];  // strided
}

extern "C" __global__ void vectors(const float4* x, float4* y) {
  __shared__ float4 s[64];
  s[threadIdx.x] = x[threadIdx.x];  // in
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];  // out
}

extern "C" __global__ void broadcast(const float* x, float* y, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i];  // all
  y[threadIdx.x] = sum;
}
