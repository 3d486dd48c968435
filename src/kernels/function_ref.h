#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace quire::kernels {

template <typename Signature>
class FunctionRef;

// A view of a callable, two pointers wide: what std::function is for, without owning or allocating.
// The callable must outlive the call it is passed to.
template <typename R, typename... Args>
class FunctionRef<R(Args...)> {
 public:
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
             std::is_invocable_r_v<R, F&, Args...>)
  FunctionRef(const F& f)  // NOLINT: implicit on purpose, as std::function is
      : target_(std::addressof(f)), call_([](const void* target, Args... args) -> R {
          return (*static_cast<const F*>(target))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(target_, std::forward<Args>(args)...); }

 private:
  const void* target_;
  R (*call_)(const void*, Args...);
};

}  // namespace quire::kernels
