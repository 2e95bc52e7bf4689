// What silicon lets pass in silence: looked for on behalf of people who debug.

#include <algorithm>

#include "sureflash/sim/cpu/core.hpp"

namespace sureflash::sim::cpu {
namespace {

/// Enough for any program; afterwards divisions are not reported any more.
constexpr std::size_t kDivisionsMax = 100;

}  // namespace

void Core::watch_for_mistakes(std::uint32_t stack_limit) {
  watches_mistakes_ = true;
  stack_limit_ = stack_limit;
}

/// Behind a push. A limit of 0 is never passed.
void Core::check_stack() {
  if (s_.uses_psp || s_.r[13] >= stack_limit_) return;
  made_mistake(Mistake::StackOverflow);
  stack_limit_ = 0;
}

void Core::divided_by_zero() {
  if (!watches_mistakes_ || divisions_.size() >= kDivisionsMax) return;
  if (std::ranges::find(divisions_, s_.pc) != divisions_.end()) return;
  divisions_.push_back(s_.pc);
  made_mistake(Mistake::DividedByZero);
}

void Core::made_mistake(Mistake what) {
  MistakeRecord record{
      .what = what, .pc = s_.pc, .registers = s_.r, .xpsr = xpsr(), .branches = last_branches()};
  record.registers[15] = s_.pc;
  mistakes_.push_back(std::move(record));
  request_stop();
}

}  // namespace sureflash::sim::cpu
