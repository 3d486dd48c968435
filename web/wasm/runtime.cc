#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <typeinfo>

// What the C++ runtime of Debian's libraries for WebAssembly leaves out: exceptions, which nothing here
// catches, and threads (shim/thread).

extern "C" {

void* __cxa_allocate_exception(std::size_t size) { return std::malloc(size); }
void __cxa_free_exception(void* exception) { std::free(exception); }
void* __cxa_begin_catch(void* exception) { return exception; }
void __cxa_end_catch() {}
[[noreturn]] void __cxa_rethrow() { std::abort(); }

// The page learns of it: the message is what the worker's error says.
[[noreturn]] void __cxa_throw(void*, std::type_info* type, void (*)(void*)) {
  std::fprintf(stderr, "%s\n", type->name());
  std::abort();
}

}  // extern "C"

namespace quire_wasm {

ThreadSlot* take_slot(std::function<void()>) { return nullptr; }
void wait_until_done(ThreadSlot*) {}
int num_slots() { return 0; }

}  // namespace quire_wasm
