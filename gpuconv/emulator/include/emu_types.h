// CUDA's vector types with CUDA's alignment, and dim3.
#pragma once

#define EMU_VECTORS(T, NAME)                                                         \
  struct NAME##1 { T x; };                                                           \
  struct alignas(2 * sizeof(T)) NAME##2 { T x, y; };                                 \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) NAME##4 { T x, y, z, w; }; \
  EMU_INLINE NAME##1 make_##NAME##1(T x) { return {x}; }                             \
  EMU_INLINE NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }                     \
  EMU_INLINE NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; }             \
  EMU_INLINE NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }

#define EMU_VECTOR3(T, NAME) \
  struct NAME##3 { T x, y, z; };

EMU_VECTOR3(float, float)
EMU_VECTOR3(double, double)
EMU_VECTOR3(int, int)
EMU_VECTOR3(short, short)
EMU_VECTOR3(unsigned short, ushort)
EMU_VECTOR3(signed char, char)
EMU_VECTOR3(unsigned char, uchar)
EMU_VECTOR3(long long, longlong)
EMU_VECTOR3(unsigned long long, ulonglong)

EMU_VECTORS(float, float)
EMU_VECTORS(double, double)
EMU_VECTORS(int, int)
EMU_VECTORS(unsigned, uint)
EMU_VECTORS(short, short)
EMU_VECTORS(unsigned short, ushort)
EMU_VECTORS(signed char, char)
EMU_VECTORS(unsigned char, uchar)
EMU_VECTORS(long long, longlong)
EMU_VECTORS(unsigned long long, ulonglong)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};
