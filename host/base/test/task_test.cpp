// Goal: a Task yields steps to its driver, values to its parent, and errors past every parent that
// does not catch them; frames are destroyed exactly once.
// Method: small coroutines driven by hand.

#include "sureflash/base/task.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace sureflash {
namespace {

Task<int> waits(Duration d) {
  const Answer a = co_await step(Wait{d});
  co_return static_cast<int>(a.actual);
}

Task<int> fails() {
  co_await step(Wait{1ms});
  co_return fail(Errc::Stalled, "here");
}

Task<int> sum_of(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await waits(Duration(i));
  co_return sum;
}

template <class T>
Result<T> drive(Task<T> task, std::vector<Duration>* waits_seen = nullptr) {
  Process<T> process(std::move(task));
  while (const Step* s = process.next()) {
    if (waits_seen != nullptr) waits_seen->push_back(std::get<Wait>(*s).duration);
    process.answer({.actual = 2});
  }
  return std::move(process).result();
}

TEST(Task, AsksForStepsInOrderAndAddsTheAnswers) {
  std::vector<Duration> seen;
  const auto result = drive(sum_of(3), &seen);
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 6);
  EXPECT_EQ(seen, (std::vector<Duration>{Duration(0), Duration(1), Duration(2)}));
}

struct CountsDestruction {
  explicit CountsDestruction(int* counter) : counter_(counter) {}
  ~CountsDestruction() { ++*counter_; }
  int* counter_;
};

Task<int> middle(int* destroyed, bool* resumed) {
  const auto guard = std::make_unique<CountsDestruction>(destroyed);
  const int value = co_await fails();
  *resumed = true;
  co_return value;
}

Task<Errc> catches(int* destroyed, bool* resumed) {
  auto result = co_await caught(middle(destroyed, resumed));
  co_return result ? Errc::Internal : result.error().code;
}

TEST(Task, AnErrorEndsEveryParentUpToTheOneThatCatchesIt) {
  int destroyed = 0;
  bool resumed = false;
  const auto result = drive(catches(&destroyed, &resumed));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, Errc::Stalled);
  EXPECT_FALSE(resumed);
  EXPECT_EQ(destroyed, 1);
}

TEST(Task, AnUncaughtErrorIsTheResultOfTheProcess) {
  int destroyed = 0;
  bool resumed = false;
  const auto result = drive(middle(&destroyed, &resumed));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::Stalled);
  EXPECT_EQ(result.error().detail, "here");
  EXPECT_EQ(destroyed, 1);
}

Result<int> plain(bool good) {
  if (good) return 7;
  return fail(Errc::Truncated);
}

Task<int> awaits_result(bool good) {
  const int value = co_await plain(good);
  co_return value + 1;
}

TEST(Task, AwaitsResultsOfPlainFunctions) {
  EXPECT_EQ(drive(awaits_result(true)).value(), 8);
  EXPECT_EQ(drive(awaits_result(false)).error().code, Errc::Truncated);
}

Task<> void_task(bool good) {
  if (!good) co_await fail(Errc::Overlap);
  co_await step(Wait{1ms});
}

TEST(Task, VoidTasksFailByAwaitingTheFailure) {
  EXPECT_TRUE(drive(void_task(true)));
  EXPECT_EQ(drive(void_task(false)).error().code, Errc::Overlap);
}

TEST(Task, AProcessThatIsDroppedInTheMiddleDestroysItsFrames) {
  int destroyed = 0;
  bool resumed = false;
  {
    Process<int> process(middle(&destroyed, &resumed));
    ASSERT_NE(process.next(), nullptr);
  }
  EXPECT_EQ(destroyed, 1);
  EXPECT_FALSE(resumed);
}

Task<int> immediate(int i) {
  co_return i;
}

Task<int> many_immediate() {
  int sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += co_await immediate(1);
  co_return sum;
}

TEST(Task, ManyTasksThatNeverAskForAStepDoNotGrowTheStack) {
  EXPECT_EQ(drive(many_immediate()).value(), 100'000);
}

}  // namespace
}  // namespace sureflash
