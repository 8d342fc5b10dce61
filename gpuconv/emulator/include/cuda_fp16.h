// half and half2: stored as IEEE binary16, computed in float and rounded, as the GPU's scalar
// functions do.
#pragma once

struct __half {
  static constexpr char emu_code = 'e';
  _Float16 bits;
  __half() = default;
  EMU_INLINE __half(float x) : bits((_Float16)x) {}
  EMU_INLINE operator float() const { return (float)bits; }
};
struct alignas(4) __half2 {
  static constexpr char emu_code = 'e';
  __half x, y;
};
typedef __half half;
typedef __half2 half2;

EMU_INLINE __half __float2half(float x) { return __half(x); }
EMU_INLINE __half __float2half_rn(float x) { return __half(x); }
EMU_INLINE float __half2float(__half x) { return (float)x; }
EMU_INLINE __half2 __halves2half2(__half x, __half y) { return {x, y}; }
EMU_INLINE __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
EMU_INLINE __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
EMU_INLINE __half __low2half(__half2 v) { return v.x; }
EMU_INLINE __half __high2half(__half2 v) { return v.y; }
EMU_INLINE float2 __half22float2(__half2 v) { return {(float)v.x, (float)v.y}; }
EMU_INLINE __half __ushort_as_half(unsigned short x) { return emu_bits<__half>(x); }
EMU_INLINE unsigned short __half_as_ushort(__half x) { return emu_bits<unsigned short>(x); }

EMU_INLINE __half __hadd(__half x, __half y) { return __half((float)x + (float)y); }
EMU_INLINE __half __hsub(__half x, __half y) { return __half((float)x - (float)y); }
EMU_INLINE __half __hmul(__half x, __half y) { return __half((float)x * (float)y); }
// The product is exact in double, as in the GPU's fused unit.
EMU_INLINE __half __hfma(__half x, __half y, __half z) {
  __half r;
  r.bits = (_Float16)__builtin_fma((double)(float)x, (double)(float)y, (double)(float)z);
  return r;
}
EMU_INLINE __half2 __hadd2(__half2 x, __half2 y) { return {__hadd(x.x, y.x), __hadd(x.y, y.y)}; }
EMU_INLINE __half2 __hmul2(__half2 x, __half2 y) { return {__hmul(x.x, y.x), __hmul(x.y, y.y)}; }
EMU_INLINE __half2 __hfma2(__half2 x, __half2 y, __half2 z) {
  return {__hfma(x.x, y.x, z.x), __hfma(x.y, y.y, z.y)};
}
