#pragma once

#include <coroutine>
#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>

#include "sureflash/base/error.hpp"
#include "sureflash/base/step.hpp"

/// Coroutines that ask for steps. `Task<T>` is lazy: it runs when awaited or when a `Process`
/// starts it.
///
///     Task<Report> job(…) {
///       Answer a = co_await step(Wait{5ms});      // asks the driver, gets its answer
///       auto value = co_await other_task();       // the value, or ends this coroutine with the
///       error auto result = co_await caught(task());    // the Result, error included auto number
///       = co_await parse(bytes);      // a Result<T> of a plain function: likewise if (bad)
///       co_return fail(Errc::Truncated); // Task<void>: co_await fail(…)
///     }
///
/// A coroutine that ends by an error of something it awaited never resumes; its locals are
/// destroyed with its frame. GCC 12.2 crashes on co_await inside a statement expression: there is
/// none here.
namespace sureflash {

template <class T>
class Task;

namespace detail {

/// What all coroutines of one Process share.
struct Execution {
  std::optional<Step> pending;
  Answer answer;
  std::coroutine_handle<> asking;  ///< the coroutine that asked for `pending`
  /// Who runs next. Coroutines never resume one another: that would nest on the stack wherever the
  /// compiler makes no tail call of it (GCC without optimisation, wasm32).
  std::coroutine_handle<> ready;
  bool finished = false;

  /// Runs until a step is asked for or the job is over.
  void run() {
    while (ready) std::exchange(ready, nullptr).resume();
  }
};

enum class OnError : std::uint8_t { EndParent, TellParent };

struct PromiseBase {
  Execution* execution = nullptr;
  PromiseBase* parent = nullptr;
  std::coroutine_handle<> self;
  OnError on_error = OnError::EndParent;
  std::optional<Error> error;

  /// This coroutine is over. Finds who goes on: the first ancestor that wants to know.
  void finish() noexcept {
    PromiseBase* p = this;
    while (p->parent != nullptr) {
      if (!p->error || p->on_error == OnError::TellParent) {
        execution->ready = p->parent->self;
        return;
      }
      p->parent->error = std::move(p->error);
      p = p->parent;
    }
    execution->finished = true;
  }

  std::suspend_always initial_suspend() noexcept { return {}; }
  auto final_suspend() noexcept {
    struct Final {
      PromiseBase* promise;
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<>) noexcept { promise->finish(); }
      void await_resume() noexcept {}
    };
    return Final{this};
  }
  void unhandled_exception() noexcept { std::abort(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;

  Task<T> get_return_object();
  /// The value, `fail(…)`, or a Result of either.
  template <class U = T>
  void return_value(U&& result) {
    using Returned = std::remove_cvref_t<U>;
    if constexpr (std::is_same_v<Returned, std::unexpected<Error>>) {
      error.emplace(std::forward<U>(result).error());
    } else if constexpr (std::is_same_v<Returned, Result<T>>) {
      if (result) {
        value.emplace(*std::forward<U>(result));
      } else {
        error.emplace(std::forward<U>(result).error());
      }
    } else {
      value.emplace(std::forward<U>(result));
    }
  }
  Result<T> take() {
    if (error) return std::unexpected<Error>(std::move(*error));
    return std::move(*value);
  }
  T take_value() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  Result<void> take() {
    if (error) return std::unexpected<Error>(std::move(*error));
    return {};
  }
  void take_value() {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  std::coroutine_handle<promise_type> handle() const { return handle_; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  auto handle = std::coroutine_handle<Promise>::from_promise(*this);
  self = handle;
  return Task<T>(handle);
}
inline Task<void> Promise<void>::get_return_object() {
  auto handle = std::coroutine_handle<Promise>::from_promise(*this);
  self = handle;
  return Task<void>(handle);
}

template <class T, OnError mode>
struct TaskAwaiter {
  Task<T> task;

  bool await_ready() noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> parent) noexcept {
    PromiseBase& child = task.handle().promise();
    child.parent = &parent.promise();
    child.execution = child.parent->execution;
    child.on_error = mode;
    child.execution->ready = task.handle();
  }
  auto await_resume() {
    if constexpr (mode == OnError::TellParent)
      return task.handle().promise().take();
    else
      return task.handle().promise().take_value();
  }
};

template <class T>
struct ResultAwaiter {
  Result<T> result;

  bool await_ready() noexcept { return result.has_value(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) noexcept {
    h.promise().error.emplace(std::move(result).error());
    h.promise().finish();
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }
};

struct StepAwaiter {
  Step step;
  Execution* execution = nullptr;

  bool await_ready() noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> h) noexcept {
    execution = h.promise().execution;
    execution->pending = step;
    execution->asking = h;
  }
  Answer await_resume() noexcept { return execution->answer; }
};

struct TimeAwaiter {
  Duration time{};

  bool await_ready() noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    time = h.promise().execution->answer.time;
    return false;
  }
  Duration await_resume() noexcept { return time; }
};

template <class T>
struct Caught {
  Task<T> task;
};

}  // namespace detail

template <class T>
auto operator co_await(Task<T>&& task) {
  return detail::TaskAwaiter<T, detail::OnError::EndParent>{std::move(task)};
}
template <class T>
auto operator co_await(detail::Caught<T>&& caught) {
  return detail::TaskAwaiter<T, detail::OnError::TellParent>{std::move(caught.task)};
}
template <class T>
auto operator co_await(Result<T>&& result) {
  return detail::ResultAwaiter<T>{std::move(result)};
}
inline auto operator co_await(std::unexpected<Error>&& error) {
  return detail::ResultAwaiter<void>{Result<void>(std::move(error))};
}

/// `co_await caught(task)` yields the Result instead of ending the coroutine on an error.
template <class T>
detail::Caught<T> caught(Task<T> task) {
  return {std::move(task)};
}

/// `co_await step(Wait{…})` asks the driver and yields its Answer, whatever that is.
inline detail::StepAwaiter step(Step s) {
  return {std::move(s)};
}

/// `co_await time_of_last_answer()`: when the last step was complete. Asks nothing of the driver.
inline detail::TimeAwaiter time_of_last_answer() {
  return {};
}

/// One job from start to end, for a driver:
///
///     Process<Report> process(job(…));
///     while (const Step* step = process.next()) process.answer(carry_out(*step));
///     Result<Report> result = std::move(process).result();
template <class T>
class Process {
 public:
  explicit Process(Task<T> task) : task_(std::move(task)) {
    task_.handle().promise().execution = &execution_;
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The step to carry out; the same one until it is answered. nullptr: the job is over.
  const Step* next() {
    if (!started_) {
      started_ = true;
      execution_.ready = task_.handle();
      execution_.run();
    }
    return execution_.finished ? nullptr : &*execution_.pending;
  }
  /// Precondition: next() returned a step that was not answered yet.
  void answer(Answer a) {
    execution_.answer = a;
    execution_.ready = std::exchange(execution_.asking, nullptr);
    execution_.run();
  }
  /// Precondition: next() returned nullptr.
  Result<T> result() && { return task_.handle().promise().take(); }

 private:
  detail::Execution execution_;
  Task<T> task_;
  bool started_ = false;
};

}  // namespace sureflash
