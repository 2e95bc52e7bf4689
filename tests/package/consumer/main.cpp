// A program of a stranger: links the installed libraries, runs a coroutine, gets its error.

#include <cstdio>

#include "sureflash/base/error.hpp"
#include "sureflash/base/task.hpp"
#include "sureflash/base/text.hpp"

namespace {

sureflash::Task<int> ask() {
  const sureflash::Answer answer =
      co_await sureflash::step(sureflash::Wait{std::chrono::milliseconds(1)});
  if (answer.io == sureflash::Io::Timeout) co_return sureflash::fail(sureflash::Errc::TimedOut);
  co_return 0;
}

}  // namespace

int main() {
  const auto page = sureflash::AddressRange::sized(0x08004000, 2048);
  std::printf("%s, %s\n", sureflash::text(page).c_str(), sureflash::text_size(page.size()).c_str());

  sureflash::Process<int> process(ask());
  while (process.next() != nullptr) process.answer({.io = sureflash::Io::Timeout});
  const sureflash::Result<int> result = std::move(process).result();
  if (result) return 1;
  std::printf("%s\n", sureflash::message(result.error()).c_str());
  return 0;
}
