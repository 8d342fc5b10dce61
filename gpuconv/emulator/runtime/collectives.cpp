// Barriers of a block and collectives of a warp: where threads wait for each other.
#include "state.h"

namespace emu {

int block_barrier(Reduce reduce, int predicate, int line) {
  Wait& wait = current->wait;
  wait.pc = __builtin_return_address(0);
  wait.name = "__syncthreads";
  wait.line = line;
  wait.reduce = reduce;
  wait.predicate = predicate;
  Thread* me = current;
  give_way(State::at_barrier);
  return me->wait.result;
}

static int reduced(Reduce reduce, unsigned positive, unsigned waiting) {
  switch (reduce) {
    case Reduce::count:
      return (int)positive;
    case Reduce::all:
      return positive == waiting;
    default:
      return positive != 0;
  }
}

// True if all threads had come to one barrier, and go on.
bool open_barrier() {
  unsigned waiting = 0, positive = 0;
  const Thread* first = nullptr;
  for (const Thread& t : threads) {
    if (t.state != State::at_barrier) continue;
    if (!first) first = &t;
    if (strict && t.wait.line != first->wait.line) return false;
    waiting++;
    positive += t.wait.predicate != 0;
  }
  if (!waiting || waiting < (strict ? threads.size() : live)) return false;
  const int result = reduced(first->wait.reduce, positive, waiting);
  std::vector<Thread*> group;
  for (Thread& t : threads) {
    if (t.state != State::at_barrier) continue;
    t.state = State::ready;
    t.wait.result = result;
    group.push_back(&t);
  }
  share_views(group);
  epoch++;
  barriers_passed++;
  return true;
}

// ---- collectives of a warp
static void meet(Collective run, void* argument, unsigned mask, const char* name, int line,
                 void* pc) {
  Thread* me = current;
  if (!(mask >> me->lane & 1)) {
    fail(Kind::barrier, pc, "%s: lane %u is not in its own mask 0x%08x", name, me->lane, mask);
  }
  me->wait = {pc, name, line, Reduce::none, 0, 0, run, argument, mask};
  void* arguments[32] = {};
  Thread* warp = &threads[me->warp * 32];
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(mask >> lane & 1)) continue;
    if (me->warp * 32 + lane >= threads.size()) {
      fail(Kind::barrier, pc, "%s: mask 0x%08x names lanes beyond the block", name, mask);
    }
    const Thread& other = warp[lane];
    const bool here =
        other.state == State::at_collective && other.wait.run == run && other.wait.mask == mask;
    if (&other != me && !here) return give_way(State::at_collective);
    arguments[lane] = other.wait.argument;
  }
  run(arguments, mask);
  for (unsigned lane = 0; lane < 32; lane++) {
    if ((mask >> lane & 1) && &warp[lane] != me) warp[lane].state = State::ready;
  }
}

void warp_collective(Collective run, void* argument, unsigned mask, const char* name, int line) {
  meet(run, argument, mask, name, line, __builtin_return_address(0));
}

// After a __syncwarp each lane of the mask comes after all that the others had done or seen.
static void order_lanes(void**, unsigned mask) {
  Thread* warp = &threads[current->warp * 32];
  uint32_t joined[32] = {};
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(mask >> lane & 1)) continue;
    warp[lane].seen[lane] = ++warp[lane].clock;
    for (int i = 0; i < 32; i++) joined[i] = std::max(joined[i], warp[lane].seen[i]);
  }
  std::vector<Thread*> group;
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(mask >> lane & 1)) continue;
    memcpy(warp[lane].seen, joined, sizeof joined);
    group.push_back(&warp[lane]);
  }
  share_views(group);
}

void warp_barrier(unsigned mask, int line) {
  meet(order_lanes, nullptr, mask, "__syncwarp", line, __builtin_return_address(0));
}

struct Shuffle {
  unsigned long bits, result;
  int source;
};
static void exchange(void** arguments, unsigned mask) {
  for (int lane = 0; lane < 32; lane++) {
    if (!(mask >> lane & 1)) continue;
    Shuffle* mine = (Shuffle*)arguments[lane];
    if (!(mask >> mine->source & 1)) {
      fail(Kind::barrier, current->wait.pc, "%s: lane %d reads lane %d, which is not in the mask",
           current->wait.name, lane, mine->source);
    }
    mine->result = ((Shuffle*)arguments[mine->source])->bits;
  }
}
unsigned long shuffle(unsigned long bits, int source, unsigned mask, const char* name, int line) {
  Shuffle mine = {bits, 0, source};
  meet(exchange, &mine, mask, name, line, __builtin_return_address(0));
  return mine.result;
}

struct Vote {
  int predicate;
  unsigned result;
};
static void count_votes(void** arguments, unsigned mask) {
  unsigned votes = 0;
  for (int lane = 0; lane < 32; lane++) {
    if ((mask >> lane & 1) && ((Vote*)arguments[lane])->predicate) votes |= 1u << lane;
  }
  for (int lane = 0; lane < 32; lane++) {
    if (mask >> lane & 1) ((Vote*)arguments[lane])->result = votes;
  }
}
unsigned ballot(int predicate, unsigned mask, const char* name, int line) {
  Vote mine = {predicate, 0};
  meet(count_votes, &mine, mask, name, line, __builtin_return_address(0));
  return mine.result;
}

unsigned active_mask() {
  unsigned mask = 0;
  for (unsigned lane = 0; lane < 32; lane++) {
    const unsigned linear = current->warp * 32 + lane;
    if (linear < threads.size() && threads[linear].state != State::done) mask |= 1u << lane;
  }
  return mask;
}

}  // namespace emu
