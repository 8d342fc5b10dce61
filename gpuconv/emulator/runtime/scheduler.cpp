// Runs the threads of one block as fibers. A thread leaves its fiber only in a barrier, in a warp
// collective and at its end, so a run is a function of the inputs, the order and the seed.
#include "state.h"

namespace emu {

Position position;
DynamicShared dynamic_shared;

Thread* current;
std::vector<Thread> threads;
uint64_t block_linear, barriers_passed;
uint32_t epoch, block_epoch;
bool strict, checking, counting;
Order order_mode;

void (*kernel_call)(void** arguments);
void** kernel_arguments;

std::vector<std::pair<uint32_t, uint64_t>> block_starts;
static std::vector<unsigned> order;
size_t live;
static size_t next_fresh;
static uint64_t random_state;

void seed_order(uint64_t seed) { random_state = seed * 0x9E3779B97F4A7C15ull + 0x1234567; }

// xorshift64 (Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8(14), 2003).
uint64_t random_word() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

void set_threads(uint3 block) {
  const unsigned count = block.x * block.y * block.z;
  threads.assign(count, Thread());
  for (unsigned i = 0; i < count; i++) {
    Thread& t = threads[i];
    t.index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
    t.linear = i;
    t.lane = i % 32;
    t.warp = i / 32;
  }
}

static void choose_order() {
  const unsigned count = (unsigned)threads.size();
  order.resize(count);
  for (unsigned i = 0; i < count; i++) {
    order[i] = order_mode == Order::descending ? count - 1 - i : i;
  }
  if (order_mode != Order::random) return;
  for (unsigned i = count; i > 1; i--) std::swap(order[i - 1], order[random_word() % i]);
}

static void become(Thread* thread, Fiber* fiber) {
  current = thread;
  thread->fiber = fiber;
  position.thread = thread->index;
  position.lane = thread->lane;
}

static void resume(Thread* thread, Fiber* fiber) {
  become(thread, fiber);
  switch_to(fiber);
  current = nullptr;
}

void give_way(State state) {
  current->state = state;
  switch_to(&scheduler);
}

static Thread* take_fresh() {
  return next_fresh < order.size() ? &threads[order[next_fresh++]] : nullptr;
}

// A thread that ends is followed by the next one on the same stack: a kernel without barriers
// never switches.
void thread_entry() {
  for (;;) {
    kernel_call(kernel_arguments);
    current->state = State::done;
    live--;
    Fiber* fiber = current->fiber;
    if (Thread* next = take_fresh()) {
      become(next, fiber);
    } else {
      free_fibers.push_back(fiber);
      switch_to(&scheduler);
    }
  }
}

// Every thread runs until it waits or ends.
static bool start_threads() {
  while (Thread* thread = take_fresh()) {
    Fiber* fiber = free_fibers.back();
    free_fibers.pop_back();
    resume(thread, fiber);
    if (fault.kind != Kind::none) return false;
  }
  return true;
}

static bool run_ready() {
  bool any = false;
  for (unsigned i : order) {
    if (threads[i].state != State::ready) continue;
    resume(&threads[i], threads[i].fiber);
    if (fault.kind != Kind::none) return true;
    any = true;
  }
  return any;
}

static void describe_deadlock() {
  std::map<std::pair<int, std::string>, std::vector<unsigned>> groups;
  const Thread* first = nullptr;
  for (const Thread& t : threads) {
    const bool done = t.state == State::done;
    if (!done && !first) first = &t;
    groups[{done ? 0 : t.wait.line, done ? "" : t.wait.name}].push_back(t.linear);
  }
  std::string text;
  for (auto& [where, who] : groups) {
    text += text.empty() ? "" : "; ";
    text += std::to_string(who.size()) + " of them, first thread " + std::to_string(who[0]);
    text += where.first ? ", at " + where.second + " in line " + std::to_string(where.first)
                        : ", ended before";
  }
  set_fault(Kind::barrier, first, first->wait.pc, "%s is not reached by all its threads: %s",
            first->wait.name, text.c_str());
}

// False if the block could not end; `fault` says why.
bool run_block() {
  choose_order();
  live = threads.size();
  block_epoch = ++epoch;
  if (checking) block_starts.push_back({epoch, block_linear});
  start_fences();
  next_fresh = 0;
  for (Thread& t : threads) {
    t.state = State::fresh;
    forget_copies(t);
  }
  if (!start_threads()) return false;
  while (live) {
    const bool ran = run_ready();
    if (fault.kind != Kind::none) return false;
    if (!ran && !open_barrier()) {
      describe_deadlock();
      return false;
    }
    if (order_mode == Order::random) choose_order();
  }
  return true;
}

}  // namespace emu
