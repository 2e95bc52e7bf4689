// A GDB that sends anything: answers stay bounded and well-formed, the machine never runs away, and
// a session that follows works.

#include <algorithm>
#include <cstring>
#include <vector>

#include "fuzz.hpp"

#include "sureflash/sim/debug/gdb_session.hpp"

namespace sureflash::sim::debug {
namespace {

/// Flash and RAM of a few KiB; the rest of the address space is not there.
class Target final : public GdbTarget, public cpu::Bus {
 public:
  Target() : core_(*this) {
    const std::uint32_t vectors[] = {0x2000'0400, 0x0800'0009, 0xE7FE'E7FE};
    std::memcpy(flash_.data(), vectors, sizeof vectors);
    core_.map({.begin = 0x0800'0000, .size = 0x400, .data = flash_.data()});
    core_.map({.begin = 0, .size = 0x400, .data = flash_.data()});
    core_.map({.begin = 0x2000'0000, .size = 0x400, .data = ram_.data(), .writable = true});
    core_.reset();
  }
  cpu::Core& core() override { return core_; }
  void reset() override { core_.reset(); }
  AddressRange flash() const override { return AddressRange::sized(0x0800'0000, 0x400); }
  std::uint32_t sector_size() const override { return 0x100; }
  AddressRange ram() const override { return AddressRange::sized(0x2000'0000, 0x400); }
  bool erase_flash(AddressRange range) override { return flash().contains(range); }
  bool write_flash(std::uint32_t address, ByteView bytes) override {
    fuzz::require(flash().contains(AddressRange::sized(address, bytes.size())),
                  "only flash is written");
    return true;
  }
  std::string info() override { return "fuzzed\n"; }
  cpu::BusReply read(std::uint32_t, unsigned, cpu::Purpose) override { return {.fault = true}; }
  cpu::BusReply write(std::uint32_t, unsigned, std::uint32_t) override { return {.fault = true}; }

 private:
  std::vector<std::uint8_t> flash_ = std::vector<std::uint8_t>(0x400, 0xFF);
  std::vector<std::uint8_t> ram_ = std::vector<std::uint8_t>(0x400);
  cpu::Core core_;
};

/// Does what GDB wants, a little.
void run(GdbSession& session, cpu::Core& core) {
  using State = GdbSession::State;
  for (int i = 0; i < 20; ++i) {
    if (session.state() == State::Stepping) {
      core.step();
      session.halted(Halt::Trap);
    } else if (session.state() == State::Running) {
      if (core.run(core.now() + 100) != cpu::Stop::Deadline) session.halted(Halt::Watch);
    } else {
      return;
    }
  }
}

}  // namespace
}  // namespace sureflash::sim::debug

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  using namespace sureflash::sim::debug;
  constexpr std::size_t kAnswerMax = 2 * kPacketSizeMax + 8;
  Target target;
  {
    GdbSession session(target);
    for (std::size_t at = 0; at < size; at += 7) {
      session.output().clear();
      session.feed(ByteView(data, size).subspan(at, std::min<std::size_t>(7, size - at)));
      // Seven bytes end at most two packets; a naked "-" repeats an answer.
      fuzz::require(session.output().size() <= 8 * kAnswerMax, "answers are bounded");
      run(session, target.core());
    }
  }
  GdbSession next(target);
  const std::string ask = frame("m8000000,4");
  next.feed({reinterpret_cast<const std::uint8_t*>(ask.data()), ask.size()});
  fuzz::require(next.output().size() == 1 + frame("01234567").size(), "the next session works");
  return 0;
}
