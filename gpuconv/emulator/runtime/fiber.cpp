// Fibers: a stack and a saved stack pointer each. A switch saves the registers that the System V
// ABI of x86-64 lets a function keep, and takes up another stack.
#include <sys/mman.h>

#include "state.h"

extern "C" EMU_HIDDEN void emu_switch(void** save, void* to);
asm(R"(
.text
.type emu_switch, @function
.hidden emu_switch
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch, .-emu_switch
)");

namespace emu {

Fiber scheduler, *running = &scheduler;
std::vector<Fiber*> free_fibers;

static constexpr size_t kGuard = 4096;
static Fiber fibers[kMaxThreads];

// One region for all modules of a process; below each stack a page that faults when it overflows.
char* new_stacks() {
  const size_t step = kStackBytes + kGuard;
  void* all = mmap(nullptr, step * kMaxThreads, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  for (int i = 0; i < kMaxThreads; i++) mprotect((char*)all + i * step, kGuard, PROT_NONE);
  return (char*)all;
}

static void* first_frame(char* stack) {
  void** top = (void**)(stack + kStackBytes - 32);
  top[0] = (void*)thread_entry;  // where the first switch returns to
  top[1] = nullptr;              // its own return address: it never returns
  for (int i = 1; i <= 6; i++) top[-i] = nullptr;
  return top - 6;
}

void prepare_fibers(char* stacks) {
  free_fibers.clear();
  for (int i = kMaxThreads - 1; i >= 0; i--) {
    fibers[i].stack = stacks + i * (kStackBytes + kGuard) + kGuard;
    fibers[i].stack_pointer = nullptr;
    free_fibers.push_back(&fibers[i]);
  }
  running = &scheduler;
}

void switch_to(Fiber* to) {
  if (!to->stack_pointer) to->stack_pointer = first_frame(to->stack);
  Fiber* from = running;
  running = to;
  emu_switch(&from->stack_pointer, to->stack_pointer);
}

}  // namespace emu
