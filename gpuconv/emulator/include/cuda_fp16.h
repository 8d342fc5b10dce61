// half and half2: stored as IEEE binary16, computed in float and rounded.
#pragma once

// Rounds to nearest even. 0.5f has an ulp of 2^-24, the step of binary16's subnormals.
EMU_INLINE unsigned short emu_half_bits(float x) {
  const unsigned word = emu_bits<unsigned>(x), sign = word >> 16 & 0x8000, size = word & 0x7fffffff;
  if (size > 0x7f800000) return 0x7fff;
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size < 0x38800000) {
    return sign | (emu_bits<unsigned>(emu_bits<float>(size) + 0.5f) - emu_bits<unsigned>(0.5f));
  }
  return sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
}
EMU_INLINE float emu_half_value(unsigned short bits) {
  const unsigned sign = (bits & 0x8000u) << 16, size = bits & 0x7fffu;
  if (size >= 0x7c00) return emu_bits<float>(sign | 0x7f800000 | (size & 0x3ff) << 13);
  if (size < 0x400) return emu_bits<float>(sign | emu_bits<unsigned>(size * 0x1p-24f));
  return emu_bits<float>(sign | ((size << 13) + 0x38000000));
}

struct __half {
  static constexpr char emu_code = 'e';
  unsigned short bits;
  __half() = default;
  EMU_INLINE __half(float x) : bits(emu_half_bits(x)) {}
  EMU_INLINE operator float() const { return emu_half_value(bits); }
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
// The product is exact in double. Rounding to float and then to half would round twice: float is
// rounded to odd (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
EMU_INLINE __half __hfma(__half x, __half y, __half z) {
  const double exact = __builtin_fma((double)(float)x, (double)(float)y, (double)(float)z);
  const float near = (float)exact;
  unsigned word = emu_bits<unsigned>(near);
  if ((double)near != exact && !(word & 1)) word += fabs((double)near) < fabs(exact) ? 1 : -1;
  return __half(exact == exact ? emu_bits<float>(word) : near);
}
EMU_INLINE __half2 __hadd2(__half2 x, __half2 y) { return {__hadd(x.x, y.x), __hadd(x.y, y.y)}; }
EMU_INLINE __half2 __hmul2(__half2 x, __half2 y) { return {__hmul(x.x, y.x), __hmul(x.y, y.y)}; }
EMU_INLINE __half2 __hfma2(__half2 x, __half2 y, __half2 z) {
  return {__hfma(x.x, y.x, z.x), __hfma(x.y, y.y, z.y)};
}
