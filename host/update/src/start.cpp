#include "session.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

/// What was wrong with the answer; nullopt: nothing.
Task<std::optional<Error>> start_program(Session& session, std::uint32_t address) {
  const Bytes bytes = co_await session.read(AddressRange::sized(address, 8));
  const std::uint32_t stack = load_le32(bytes, 0);
  const std::uint32_t reset = load_le32(bytes, 4);
  const Target& target = session.target();
  if (target.chip != nullptr && !target.chip->starts_by_vector_table) {
    // A RISC-V runs from the first byte.
    if (session.is_blank(bytes)) {
      co_return fail(Error(Errc::VectorTableImplausible, "nothing is there")
                         .in(Stage::Leave, AddressRange::sized(address, 8)));
    }
    co_await session.progress({Progress::Activity::Leaving, 0, 0, AddressRange::sized(address, 8)});
    co_return co_await session.dfuse().leave(address);
  }
  const bool in_ram = target.chip == nullptr || target.chip->ram.empty() ||
                      (stack > target.chip->ram.begin && stack <= target.chip->ram.end);
  if (!in_ram || (reset & 1) == 0 || target.area_at(reset) == nullptr) {
    co_return fail(Error(Errc::VectorTableImplausible,
                         "stack pointer " + hex(stack) + ", reset vector " + hex(reset))
                       .in(Stage::Leave, AddressRange::sized(address, 8)));
  }
  co_await session.progress({Progress::Activity::Leaving, 0, 0, AddressRange::sized(address, 8)});
  co_return co_await session.dfuse().leave(address);
}

Task<std::optional<Error>> leave(const Target& target, std::uint32_t address) {
  const Area* area = target.area_at(address);
  if (area == nullptr) {
    co_return fail(Error(Errc::OutsideMemory).in(Stage::Leave, AddressRange::sized(address, 8)));
  }
  Session session(target, area->alt_setting);
  co_await session.open();
  co_return co_await start_program(session, address);
}

/// Whether somebody still answers as before.
Task<bool> is_still_there(const Target& target) {
  dfu::Client client(target.descriptors.dfu.interface_number);
  auto state = co_await caught(client.get_status());
  co_return state.has_value();
}

/// Whether what came back is a device in DFU mode.
Task<bool> is_in_dfu_mode() {
  auto descriptors = co_await caught(dfu::read_descriptors());
  co_return descriptors.has_value() && descriptors->dfu.mode != dfu::Mode::RunTime;
}

}  // namespace

Task<> start(const Target& target, std::uint32_t address) {
  const auto answer = co_await leave(target, address);
  if (answer && !is_silence(*answer)) co_await fail(*answer);
}

Task<Started> start_and_watch(const Target& target, std::uint32_t address, Duration watch) {
  Started started;
  started.answer = co_await leave(target, address);
  const Duration began = co_await time_of_last_answer();
  const Answer back = co_await step(AwaitReturn{watch});
  if (back.io == Io::Ok) {
    started.came_back = true;
    if (!co_await is_in_dfu_mode()) co_return started;
    co_return fail(
        Error(Errc::CameBackInDfu, "after " + text(co_await time_of_last_answer() - began))
            .in(Stage::Leave));
  }
  if (started.answer && !is_silence(*started.answer) && co_await is_still_there(target)) {
    co_return fail(std::move(*started.answer).in(Stage::Leave));
  }
  co_return started;
}

}  // namespace sureflash::update
