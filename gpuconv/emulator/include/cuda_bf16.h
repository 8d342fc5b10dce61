// bfloat16: the upper half of a float, rounded to nearest even.
#pragma once

struct __nv_bfloat16 {
  static constexpr char emu_code = 'g';
  unsigned short bits;
  __nv_bfloat16() = default;
  EMU_INLINE __nv_bfloat16(float x) {
    const unsigned word = emu_bits<unsigned>(x);
    bits = x != x ? 0x7fff : (unsigned short)((word + 0x7fff + (word >> 16 & 1)) >> 16);
  }
  EMU_INLINE operator float() const { return emu_bits<float>((unsigned)bits << 16); }
};
struct alignas(4) __nv_bfloat162 {
  static constexpr char emu_code = 'g';
  __nv_bfloat16 x, y;
};

EMU_INLINE __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
EMU_INLINE __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
EMU_INLINE float __bfloat162float(__nv_bfloat16 x) { return (float)x; }
EMU_INLINE __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__nv_bfloat16(x), __nv_bfloat16(y)};
}
EMU_INLINE float2 __bfloat1622float2(__nv_bfloat162 v) { return {(float)v.x, (float)v.y}; }
