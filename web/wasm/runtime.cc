#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <typeinfo>
#include <utility>

// What the C++ runtime of Debian's libraries for WebAssembly leaves out: exceptions, which nothing
// here catches, and threads (shim/thread).

extern "C" {

void* __cxa_allocate_exception(std::size_t size) { return std::malloc(size); }
void __cxa_free_exception(void* exception) { std::free(exception); }
void* __cxa_begin_catch(void* exception) { return exception; }
void __cxa_end_catch() {}
[[noreturn]] void __cxa_rethrow() { std::abort(); }

// The page learns of it: what is printed last is part of the worker's error.
[[noreturn]] void __cxa_throw(void*, std::type_info* type, void (*)(void*)) {
  std::fprintf(stderr, "thrown: %s\n", type->name());
  std::abort();
}

// Advice on memory that there is nobody to give to.
int madvise(void*, std::size_t, int) { return 0; }

}  // extern "C"

namespace quire_wasm {
namespace {

constexpr int kMostSlots = 16;
ThreadSlot slots[kMostSlots];
int count = 0;

int* address(std::atomic<int>& state) { return reinterpret_cast<int*>(&state); }

void set_state(ThreadSlot& slot, int state) {
  slot.state.store(state);
  __builtin_wasm_memory_atomic_notify(address(slot.state), ~0U);
}

void wait_for(ThreadSlot& slot, int state) {
  for (int now = slot.state.load(); now != state; now = slot.state.load()) {
    __builtin_wasm_memory_atomic_wait32(address(slot.state), now, -1);
  }
}

}  // namespace

int num_slots() { return count; }

ThreadSlot* take_slot(std::function<void()> work) {
  for (int i = 0; i < count; ++i) {
    if (slots[i].state.load() != ThreadSlot::kFree) continue;
    slots[i].work = std::move(work);
    set_state(slots[i], ThreadSlot::kGiven);
    return &slots[i];
  }
  return nullptr;
}

void wait_until_done(ThreadSlot* slot) {
  wait_for(*slot, ThreadSlot::kDone);
  set_state(*slot, ThreadSlot::kFree);
}

}  // namespace quire_wasm

// Tells how many workers there are, at most 16, before a model is opened.
extern "C" __attribute__((export_name("quire_set_workers"))) void quire_set_workers(int workers) {
  using namespace quire_wasm;
  count = workers < kMostSlots ? workers : kMostSlots;
}

// What worker `index` runs, and never comes back from.
extern "C" __attribute__((export_name("quire_work"))) void quire_work(int index) {
  using namespace quire_wasm;
  while (true) {
    wait_for(slots[index], ThreadSlot::kGiven);
    slots[index].work();
    set_state(slots[index], ThreadSlot::kDone);
  }
}
