// A fault ends the launch: it is written down, and the scheduler takes over for good.
#include <cxxabi.h>

#include "state.h"

namespace emu {

Fault fault;

static void describe(Kind kind, const Thread* at, const void* pc, const char* format,
                     va_list values) {
  fault = {};
  fault.kind = kind;
  fault.pc = relative(pc);
  const uint3 thread = at ? at->index : uint3{0, 0, 0};
  const unsigned t[] = {thread.x, thread.y, thread.z};
  const unsigned b[] = {position.block.x, position.block.y, position.block.z};
  memcpy(fault.thread, t, sizeof t);
  memcpy(fault.block, b, sizeof b);
  vsnprintf(fault.message, sizeof fault.message, format, values);
}

void set_fault(Kind kind, const Thread* at, const void* pc, const char* format, ...) {
  va_list values;
  va_start(values, format);
  describe(kind, at, pc, format, values);
  va_end(values);
}

void fail(Kind kind, const void* pc, const char* format, ...) {
  va_list values;
  va_start(values, format);
  describe(kind, current, pc, format, values);
  va_end(values);
  switch_to(&scheduler);
  abort();  // a failed launch resumes no thread
}

void trap() { fail(Kind::trap, __builtin_return_address(0), "the kernel called __trap()"); }

// "tile::s" for the symbol of `__shared__ float s[]` in `void tile(int)`.
std::string plain_name(const char* mangled) {
  int status = 0;
  char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = text ? text : mangled;
  free(text);
  const std::string anonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(anonymous)) != std::string::npos;) {
    name.erase(at, anonymous.size());
  }
  const size_t last = name.rfind("::");
  if (last == std::string::npos) return name;
  std::string function = name.substr(0, last);
  function = function.substr(0, function.find('('));
  return function + name.substr(last);
}

}  // namespace emu
