#include "sureflash/update/evidence.hpp"

#include <algorithm>

#include "session.hpp"

namespace sureflash::update {
namespace {

/// Answers that no further question should follow.
bool is_gone(const Error& error) {
  switch (error.code) {
    case Errc::Disconnected:
    case Errc::Interrupted:
    case Errc::TimedOut:
    case Errc::StuckBusy:
    case Errc::DidNotReturn:
      return true;
    default:
      return false;
  }
}

Task<Samples> sample(Session& session, const stm32::MemoryMap& map) {
  Samples samples;
  const std::uint64_t step = session.target().transfer_size();
  const auto run =
      std::ranges::find_if(map.runs(), [](const stm32::SectorRun& r) { return r.access.readable; });
  if (run == map.runs().end() || run->range.size() < step + Samples::kBytes) co_return samples;
  samples.first_at = AddressRange::sized(run->range.begin, Samples::kBytes);
  samples.second_at = AddressRange::sized(run->range.begin + step, Samples::kBytes);
  auto first = co_await caught(session.read(*samples.first_at));
  if (first) {
    samples.first = *std::move(first);
  } else {
    samples.error = first.error();
    if (is_gone(*samples.error)) co_return samples;
  }
  auto second = co_await caught(session.read(*samples.second_at));
  if (second) {
    samples.second = *std::move(second);
  } else {
    samples.error = second.error();
  }
  co_return samples;
}

Task<Samples> sample_flash(const Target& target) {
  const Area* flash = target.flash();
  if (flash == nullptr) co_return Samples{};
  Session session(target, flash->alt_setting);
  co_await session.open();
  co_return co_await sample(session, flash->map);
}

/// AN2606 table 48: the version of the ROM can be told by its reset vector.
Task<std::uint32_t> read_rom_vector(const Target& target) {
  constexpr std::size_t kResetVector = 4;
  Session session(target, target.flash()->alt_setting);
  co_await session.open();
  const Bytes word = co_await session.read(
      AddressRange::sized(target.chip->system_memory.begin + kResetVector, kResetVector));
  co_return load_le32(word);
}

}  // namespace

Task<std::optional<proto::StatusReply>> look_at_state() {
  const dfu::Descriptors descriptors = co_await dfu::read_descriptors();
  if (descriptors.dfu.mode == dfu::Mode::RunTime) co_return std::nullopt;
  dfu::Client client(descriptors.dfu.interface_number);
  auto status = co_await caught(client.get_status());
  if (!status) co_return std::nullopt;
  co_return *status;
}

Task<Evidence> gather(const Target& target, const Error* error, const Observations& seen) {
  Evidence evidence;
  evidence.target = &target;
  evidence.error = error;
  evidence.seen = seen;
  const dfu::Interface& interface = target.descriptors.dfu;
  if (interface.mode == dfu::Mode::RunTime || !interface.dfuse ||
      !interface.functional.can_upload() || (error != nullptr && is_gone(*error))) {
    co_return evidence;
  }
  auto samples = co_await caught(sample_flash(target));
  if (!samples) co_return evidence;
  evidence.samples = *std::move(samples);
  if (target.loader == Loader::Rom && target.chip != nullptr && target.flash() != nullptr &&
      !target.is_read_protected() && error == nullptr) {
    auto vector = co_await caught(read_rom_vector(target));
    if (vector) evidence.rom_reset_vector = *vector;
  }
  co_return evidence;
}

std::vector<std::string> enumeration_failures(std::span<const std::string> kernel_log) {
  constexpr std::array<std::string_view, 4> kSigns{
      "device descriptor read/", "device not accepting address", "unable to enumerate USB device",
      "Device not responding to setup address"};
  std::vector<std::string> lines;
  for (const std::string& line : kernel_log) {
    const bool told = std::ranges::any_of(
        kSigns, [&](std::string_view sign) { return line.find(sign) != std::string::npos; });
    if (told) lines.push_back(line);
  }
  return lines;
}

}  // namespace sureflash::update
