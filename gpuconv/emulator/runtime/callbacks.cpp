// What -fsanitize=thread and -fsanitize=undefined make the compiler call. The sanitizers' own
// libraries are not linked: these calls are how the checks see every access of a kernel.
#include "state.h"

using namespace emu;

#define CALLBACK extern "C" EMU_HIDDEN void
#define HERE __builtin_return_address(0)

#define ACCESSES(SIZE)                                                                   \
  CALLBACK __tsan_read##SIZE(void* p) { note(p, SIZE, {false, false}, HERE); }           \
  CALLBACK __tsan_write##SIZE(void* p) { note(p, SIZE, {true, false}, HERE); }           \
  CALLBACK __tsan_unaligned_read##SIZE(void* p) { note(p, SIZE, {false, false}, HERE); } \
  CALLBACK __tsan_unaligned_write##SIZE(void* p) { note(p, SIZE, {true, false}, HERE); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

CALLBACK __tsan_read_range(void* p, size_t size) { note(p, size, {false, false}, HERE); }
CALLBACK __tsan_write_range(void* p, size_t size) { note(p, size, {true, false}, HERE); }
CALLBACK __tsan_init() {}
CALLBACK __tsan_func_entry(void*) {}
CALLBACK __tsan_func_exit() {}
CALLBACK __tsan_vptr_update(void**, void*) {}
CALLBACK __tsan_vptr_read(void**) {}

// Compilers copy structs with these; assembly.py gives the plain calls the watched names.
extern "C" EMU_HIDDEN void* __tsan_memcpy(void* to, const void* from, size_t size) {
  note(from, size, {false, false}, HERE);
  note(to, size, {true, false}, HERE);
  return memcpy(to, from, size);
}
extern "C" EMU_HIDDEN void* __tsan_memmove(void* to, const void* from, size_t size) {
  note(from, size, {false, false}, HERE);
  note(to, size, {true, false}, HERE);
  return memmove(to, from, size);
}
extern "C" EMU_HIDDEN void* __tsan_memset(void* to, int value, size_t size) {
  note(to, size, {true, false}, HERE);
  return memset(to, value, size);
}

#define UNDEFINED(NAME, KIND, TEXT)            \
  CALLBACK __ubsan_handle_##NAME(void*, ...) { \
    if (current) fail(Kind::KIND, HERE, TEXT); \
  }
UNDEFINED(out_of_bounds, bounds, "array index out of bounds")
UNDEFINED(shift_out_of_bounds, undefined, "shift by a negative amount or by the whole width")
UNDEFINED(divrem_overflow, undefined, "integer division by zero, or overflow")
UNDEFINED(add_overflow, undefined, "signed integer overflow in an addition")
UNDEFINED(sub_overflow, undefined, "signed integer overflow in a subtraction")
UNDEFINED(mul_overflow, undefined, "signed integer overflow in a multiplication")
UNDEFINED(negate_overflow, undefined, "signed integer overflow in a negation")
UNDEFINED(missing_return, undefined, "the end of a function that returns a value")
UNDEFINED(builtin_unreachable, undefined, "__builtin_unreachable() was reached")

struct TypeMismatch {  // the compiler's, of __ubsan_handle_type_mismatch_v1
  const char* file;
  uint32_t line, column;
  const void* type;
  uint8_t log_align, check;
};
CALLBACK __ubsan_handle_type_mismatch_v1(TypeMismatch* data, uintptr_t address) {
  if (!current) return;
  const unsigned long align = 1ul << data->log_align;
  if (address < 4096) fail(Kind::bounds, HERE, "access through a null pointer");
  fail(Kind::alignment, HERE, "address %p is not a multiple of %lu, as its type wants",
       (void*)address, align);
}
