#include "strategy.hpp"

#include <algorithm>

namespace sureflash::update {
namespace {

constexpr Duration kPerByteHighSpeed = 63ns;
/// DNLOAD and two GETSTATUS.
constexpr int kTransfersPerOperation = 3;

Duration times(Duration d, std::uint64_t n) {
  return d * static_cast<Duration::rep>(n);
}

}  // namespace

Duration per_byte(const Target& target) {
  const bool high = target.chip != nullptr && target.chip->has(proto::kHighSpeedUsb) &&
                    target.loader == Loader::Rom;
  return high ? kPerByteHighSpeed : kPerByte;
}

Estimate estimate(const Target& target, const stm32::MemoryMap& map, const Plan& plan) {
  const stm32::Chip* chip = target.chip;
  if (chip == nullptr) return {};
  Estimate e;
  e.known = plan.write.empty() || chip->program.known();
  const Duration overhead = kTransfersPerOperation * kTransferOverhead;
  const auto erase_one = [&](const AddressRange& sector) {
    const auto time = chip->erase_time(map.run_at(sector.begin)->sector_size, plan.width);
    e.known = e.known && time.known();
    e.erase += time.typ + overhead;
  };
  if (plan.mass_erase) {
    const auto mass = chip->mass_erase_time(plan.width);
    e.known = e.known && mass.known();
    erase_one(plan.erase.front());
    e.erase += mass.typ + overhead;
  } else {
    for (const AddressRange& sector : plan.erase) erase_one(sector);
  }
  const auto blocks = [&](std::uint64_t bytes) {
    return (bytes + target.transfer_size() - 1) / target.transfer_size();
  };
  e.write = chip->program_time(plan.bytes_to_write(), plan.width) +
            times(per_byte(target), plan.bytes_to_write()) +
            times(overhead, blocks(plan.bytes_to_write()));
  e.verify = times(per_byte(target), plan.bytes_to_verify()) +
             times(kTransferOverhead, blocks(plan.bytes_to_verify()));
  return e;
}

std::string reason_against_mass_erase(const Target& target, const Area& area,
                                      bool nothing_is_lost) {
  const stm32::Chip* chip = target.chip;
  if (chip == nullptr) return "the chip is not known";
  if (!nothing_is_lost) return "the image does not cover the whole flash; --may-wipe allows it";
  if (chip->has(proto::kMassEraseUnreliable))
    return "it is missing or broken in some of these ROMs";
  if (chip->has(proto::kBankTwoEraseUnreliable)) return "some of these ROMs leave out bank 2";
  if (!chip->mass_erase.known()) return "its time is not known for this chip";
  if (target.loader != Loader::Rom) return "only ST's ROM is known to have it";
  const bool protection = std::ranges::any_of(
      target.write_protected, [&](const AddressRange& r) { return r.overlaps(area.map.bounds()); });
  if (protection) return "sectors are write-protected";
  const bool read_only =
      area.map.first_without(area.map.bounds(), &stm32::Access::erasable).has_value();
  return read_only ? "parts of the flash are not erasable" : "";
}

const Area* device_feature(const Target& target) {
  const Area* area = target.area_at(kDeviceFeatureAddress);
  return area != nullptr && area->map.run_at(kDeviceFeatureAddress)->access.writable ? area
                                                                                     : nullptr;
}

Result<void> check_width(const Target& target, stm32::ProgramWidth width) {
  if (width == stm32::ProgramWidth::Usual) return {};
  const auto has = [](const stm32::Chip* c) { return c->has(proto::kByteProgramming); };
  const bool documented = target.chip != nullptr ? has(target.chip)
                                                 : !target.candidates.empty() &&
                                                       std::ranges::all_of(target.candidates, has);
  if (documented && device_feature(target) != nullptr) return {};
  return fail(
      Error(Errc::Unsupported,
            "only ROMs of F2, F4 and F7 can be told the supply, and this is not known to be one")
          .in(Stage::Plan));
}

}  // namespace sureflash::update
