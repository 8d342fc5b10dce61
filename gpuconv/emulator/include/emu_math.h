// Scalar functions of CUDA's device code, from the compiler's builtins.
#pragma once

#define EMU_UNARY(NAME)                                             \
  EMU_INLINE double NAME(double x) { return __builtin_##NAME(x); }  \
  EMU_INLINE float NAME(float x) { return __builtin_##NAME##f(x); } \
  EMU_INLINE float NAME##f(float x) { return __builtin_##NAME##f(x); }
#define EMU_BINARY(NAME)                                                        \
  EMU_INLINE double NAME(double x, double y) { return __builtin_##NAME(x, y); } \
  EMU_INLINE float NAME(float x, float y) { return __builtin_##NAME##f(x, y); } \
  EMU_INLINE float NAME##f(float x, float y) { return __builtin_##NAME##f(x, y); }

EMU_UNARY(sqrt) EMU_UNARY(cbrt) EMU_UNARY(exp) EMU_UNARY(exp2) EMU_UNARY(expm1)
EMU_UNARY(log) EMU_UNARY(log2) EMU_UNARY(log10) EMU_UNARY(log1p)
EMU_UNARY(sin) EMU_UNARY(cos) EMU_UNARY(tan) EMU_UNARY(asin) EMU_UNARY(acos) EMU_UNARY(atan)
EMU_UNARY(sinh) EMU_UNARY(cosh) EMU_UNARY(tanh) EMU_UNARY(erf) EMU_UNARY(erfc)
EMU_UNARY(floor) EMU_UNARY(ceil) EMU_UNARY(trunc) EMU_UNARY(round) EMU_UNARY(rint) EMU_UNARY(fabs)
EMU_BINARY(pow) EMU_BINARY(fmod) EMU_BINARY(fmax) EMU_BINARY(fmin) EMU_BINARY(atan2)
EMU_BINARY(copysign) EMU_BINARY(hypot)

EMU_INLINE double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
EMU_INLINE float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
EMU_INLINE float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
EMU_INLINE double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
EMU_INLINE float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
EMU_INLINE double ldexp(double x, int exponent) { return __builtin_ldexp(x, exponent); }
EMU_INLINE float ldexpf(float x, int exponent) { return __builtin_ldexpf(x, exponent); }
EMU_INLINE bool isnan(double x) { return __builtin_isnan(x); }
EMU_INLINE bool isinf(double x) { return __builtin_isinf(x); }
EMU_INLINE bool isfinite(double x) { return __builtin_isfinite(x); }
EMU_INLINE int abs(int x) { return x < 0 ? -x : x; }
EMU_INLINE long long llabs(long long x) { return x < 0 ? -x : x; }

// The usual arithmetic conversions of A and B decide the type, as for CUDA's overloads.
template <class A, class B>
EMU_INLINE auto min(A a, B b) -> decltype(a + b) {
  using C = decltype(a + b);
  return (C)b < (C)a ? (C)b : (C)a;
}
template <class A, class B>
EMU_INLINE auto max(A a, B b) -> decltype(a + b) {
  using C = decltype(a + b);
  return (C)a < (C)b ? (C)b : (C)a;
}
EMU_INLINE float min(float a, float b) { return __builtin_fminf(a, b); }
EMU_INLINE float max(float a, float b) { return __builtin_fmaxf(a, b); }
EMU_INLINE double min(double a, double b) { return __builtin_fmin(a, b); }
EMU_INLINE double max(double a, double b) { return __builtin_fmax(a, b); }

// Loads and stores with a cache hint.
template <class T>
EMU_INLINE T __ldg(const T* p) {
  return *p;
}
template <class T>
EMU_INLINE T __ldcs(const T* p) {
  return *p;
}
template <class T>
EMU_INLINE T __ldca(const T* p) {
  return *p;
}
template <class T>
EMU_INLINE T __ldcg(const T* p) {
  return *p;
}
template <class T>
EMU_INLINE void __stcs(T* p, T value) {
  *p = value;
}
template <class T>
EMU_INLINE void __stcg(T* p, T value) {
  *p = value;
}

// Approximations are computed exactly here.
EMU_INLINE float __expf(float x) { return __builtin_expf(x); }
EMU_INLINE float __logf(float x) { return __builtin_logf(x); }
EMU_INLINE float __powf(float x, float y) { return __builtin_powf(x, y); }
EMU_INLINE float __fdividef(float x, float y) { return x / y; }
EMU_INLINE float __frcp_rn(float x) { return 1.0f / x; }
EMU_INLINE float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
EMU_INLINE float __saturatef(float x) { return !(x > 0.0f) ? 0.0f : x > 1.0f ? 1.0f : x; }
EMU_INLINE float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
EMU_INLINE double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }

// Rounded where they stand: the empty asm keeps the compiler from contracting them into an fma.
template <class T>
EMU_INLINE T emu_rounded(T x) {
  asm("" : "+x"(x));
  return x;
}
EMU_INLINE float __fmul_rn(float x, float y) { return emu_rounded(x * y); }
EMU_INLINE float __fadd_rn(float x, float y) { return emu_rounded(x + y); }
EMU_INLINE float __fsub_rn(float x, float y) { return emu_rounded(x - y); }
EMU_INLINE float __fdiv_rn(float x, float y) { return emu_rounded(x / y); }
EMU_INLINE double __dmul_rn(double x, double y) { return emu_rounded(x * y); }
EMU_INLINE double __dadd_rn(double x, double y) { return emu_rounded(x + y); }

EMU_INLINE int __popc(unsigned x) { return __builtin_popcount(x); }
EMU_INLINE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
EMU_INLINE int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
EMU_INLINE int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
EMU_INLINE int __ffs(int x) { return __builtin_ffs(x); }
EMU_INLINE unsigned __umulhi(unsigned x, unsigned y) { return (unsigned long)x * y >> 32; }
EMU_INLINE int __mulhi(int x, int y) { return (int)((long)x * y >> 32); }
EMU_INLINE unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}

template <class To, class From>
EMU_INLINE To emu_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits have the same size");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
EMU_INLINE int __float_as_int(float x) { return emu_bits<int>(x); }
EMU_INLINE unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
EMU_INLINE float __int_as_float(int x) { return emu_bits<float>(x); }
EMU_INLINE float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
EMU_INLINE long long __double_as_longlong(double x) { return emu_bits<long long>(x); }
EMU_INLINE double __longlong_as_double(long long x) { return emu_bits<double>(x); }
EMU_INLINE int __float2int_rn(float x) { return (int)__builtin_rintf(x); }
EMU_INLINE int __float2int_rd(float x) { return (int)__builtin_floorf(x); }
EMU_INLINE int __float2int_ru(float x) { return (int)__builtin_ceilf(x); }
EMU_INLINE int __float2int_rz(float x) { return (int)x; }
EMU_INLINE float __int2float_rn(int x) { return (float)x; }
EMU_INLINE float __uint2float_rn(unsigned x) { return (float)x; }
EMU_INLINE float __double2float_rn(double x) { return (float)x; }
