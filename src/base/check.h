#pragma once

namespace quire {

// Reports a broken invariant on stderr and aborts. Never reached by input from outside.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace quire

// Our own bugs only, in every build. For what comes from outside, return a Status.
#define QUIRE_CHECK(condition, why)                                               \
  do {                                                                            \
    if (!(condition)) ::quire::check_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)

#ifdef NDEBUG
#define QUIRE_DCHECK(condition, why) \
  do {                               \
  } while (false)
#else
#define QUIRE_DCHECK(condition, why) QUIRE_CHECK(condition, why)
#endif
