// Order between blocks, as CUDA's memory model gives it (PTX ISA, "Memory Consistency Model",
// release and acquire patterns): a fence and then an atomic access release what came before the
// fence; an atomic access to the same counter and then a fence acquire all that was released
// before by an unbroken chain of atomics. Barriers hand on both within a block; a fence of each
// thread, then a barrier, then the atomic of one of them is taken for a release of all, which
// kernels rely on.
#include "state.h"

namespace emu {

struct Counter {
  size_t accesses = 0;  // atomic ones, since there was a fence
  View inherited;       // what those who released through it had acquired
};
struct Release {  // of a block, through a counter
  const void* counter;
  size_t number;                 // among the counter's accesses
  uint32_t epoch;                // accesses in earlier epochs of the block are released,
  std::vector<uint32_t> clocks;  // and those of thread t before its clock was clocks[t]
};

static std::map<const void*, Counter> counters;
static std::vector<std::vector<Release>> releases;  // by the block's place in block_starts
static bool fenced, fenced_before;  // has a thread of this block passed a fence? Of any block?

void forget_fences() {
  counters.clear();
  releases.clear();
  fenced_before = false;
}

void start_fences() {
  fenced = false;
  if (!fenced_before) return;
  for (Thread& t : threads) {
    t.fence = {};
    t.observed.clear();
    t.acquired.clear();
  }
}

static void join(View& view, const View& other) {
  for (auto& [counter, accesses] : other) view[counter] = std::max(view[counter], accesses);
}

void memory_fence() {
  if (!checking || !current) return;
  Thread& me = *current;
  me.fence.clock = ++me.clock;
  me.fence.epoch = epoch;
  memcpy(me.fence.seen, me.seen, sizeof me.seen);
  join(me.acquired, me.observed);
  fenced = fenced_before = true;
}

// Did the fence of `t` come before the atomic of `me`: its own, or by a barrier or a __syncwarp?
static bool comes_before(const Thread& t, const Thread& me) {
  if (&t == &me || t.fence.epoch < epoch) return true;
  return t.warp == me.warp && t.fence.clock < me.seen[t.lane];
}

// The clock of a thread before which its accesses are released by an atomic of `me`.
static uint32_t released_clock(const Thread& me, const Thread& t) {
  const uint32_t by_its_own = comes_before(t, me) ? t.fence.clock : 0;
  if (&t == &me || t.warp != me.warp) return by_its_own;
  return std::max(by_its_own, me.fence.seen[t.lane]);
}

static void release(const void* address, Counter& counter) {
  Release made = {address, counter.accesses, 0, {}};
  for (const Thread& t : threads) {
    made.clocks.push_back(released_clock(*current, t));
    if (comes_before(t, *current)) made.epoch = std::max(made.epoch, t.fence.epoch);
  }
  releases.resize(block_starts.size());
  releases.back().push_back(std::move(made));
  join(counter.inherited, current->acquired);
}

void order_atomic(const void* address) {
  if (!fenced && !counters.count(address)) return;
  Counter& counter = counters[address];
  if (fenced) release(address, counter);
  current->observed[address] = ++counter.accesses;
  join(current->observed, counter.inherited);
}

// What some have observed or acquired, all have from here on.
void share_views(const std::vector<Thread*>& group) {
  if (counters.empty()) return;
  View observed, acquired;
  for (Thread* t : group) {
    join(observed, t->observed);
    join(acquired, t->acquired);
  }
  for (Thread* t : group) {
    t->observed = observed;
    t->acquired = acquired;
  }
}

// Was the access released by its block, and has the current thread acquired it?
bool acquired(const Stamp& s) {
  if (current->acquired.empty()) return false;
  auto after = std::upper_bound(block_starts.begin(), block_starts.end(),
                                std::make_pair(s.epoch, UINT64_MAX));
  const size_t block = after - block_starts.begin() - 1;
  if (block >= releases.size()) return false;
  for (const Release& r : releases[block]) {
    auto view = current->acquired.find(r.counter);
    if (view == current->acquired.end() || view->second <= r.number) continue;
    if (s.epoch < r.epoch || s.clock < r.clocks[s.thread]) return true;
  }
  return false;
}

// Has the current thread acquired every atomic access to the counter so far?
bool acquired_counter(const void* address) {
  auto view = current->acquired.find(address);
  return view != current->acquired.end() && view->second == counters[address].accesses;
}

}  // namespace emu
