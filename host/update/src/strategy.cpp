#include "strategy.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"
#include "sureflash/stm32/dfuse.hpp"

namespace sureflash::update {
namespace {

constexpr Duration kPerByteHighSpeed = 63ns;
/// DNLOAD and two GETSTATUS.
constexpr int kTransfersPerOperation = 3;

Duration times(Duration d, std::uint64_t n) {
  return d * static_cast<Duration::rep>(n);
}

std::size_t count_set_addresses(std::span<const AddressRange> blocks, std::uint16_t wTransferSize) {
  std::size_t count = 0;
  std::optional<std::uint32_t> pointer;
  for (const AddressRange& block : blocks) {
    const auto address = static_cast<std::uint32_t>(block.begin);
    if (pointer && stm32::block_number(*pointer, address, block.size(), wTransferSize)) continue;
    pointer = address;
    ++count;
  }
  return count;
}

}  // namespace

Duration per_byte(const Target& target) {
  const bool high = target.chip != nullptr && target.chip->has(proto::kHighSpeedUsb) &&
                    target.loader == Loader::Rom;
  return high ? kPerByteHighSpeed : kPerByte;
}

std::vector<AddressRange> blocks_of(std::span<const AddressRange> runs, std::uint16_t block_size) {
  std::vector<AddressRange> blocks;
  for (AddressRange run : runs) {
    while (!run.empty()) {
      const std::uint64_t end = std::min(run.end, (run.begin / block_size + 1) * block_size);
      blocks.push_back({run.begin, end});
      run.begin = end;
    }
  }
  return blocks;
}

Result<void> choose_block_size(const Target& target, Plan& plan) {
  const std::uint32_t unit = target.write_unit();
  plan.block_size = static_cast<std::uint16_t>(target.transfer_size() / unit * unit);
  if (plan.block_size > 0) return {};
  return fail(Error(Errc::Misaligned, "wTransferSize is " + decimal(target.transfer_size()) +
                                          ", and the flash is programmed " + decimal(unit) +
                                          " bytes at once")
                  .in(Stage::Plan));
}

void weigh_block_size(const Target& target, const stm32::MemoryMap& map, Plan& plan) {
  plan.set_addresses =
      count_set_addresses(blocks_of(plan.write, plan.block_size), target.wTransferSize());
  plan.block_alternatives = {{text_size(plan.block_size), true, plan.estimate, {}}};
  const std::uint32_t unit = target.write_unit();
  const auto weigh = [&](std::uint32_t size, std::string reason) {
    plan.block_alternatives.push_back(
        {text_size(size), false, estimate(target, map, plan, static_cast<std::uint16_t>(size)),
         std::move(reason)});
  };
  if (target.wTransferSize() > target.transfer_size()) {
    weigh(target.wTransferSize(), "more than a control transfer may carry");
  } else if (target.transfer_size() != plan.block_size) {
    weigh(target.transfer_size(),
          "not a multiple of the " + decimal(unit) + " bytes that are programmed at once");
  }
  const std::uint32_t half = plan.block_size / 2U / unit * unit;
  if (half > 0) weigh(half, "each needs a Set Address of its own");
}

Estimate estimate(const Target& target, const stm32::MemoryMap& map, const Plan& plan,
                  std::uint16_t block_size) {
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
  const auto blocks = blocks_of(plan.write, block_size);
  e.write = chip->program_time(plan.bytes_to_write(), plan.width) +
            times(per_byte(target), plan.bytes_to_write()) +
            times(overhead, blocks.size() + count_set_addresses(blocks, target.wTransferSize()));
  const std::uint64_t reads =
      (plan.bytes_to_verify() + target.transfer_size() - 1) / target.transfer_size();
  e.verify = times(per_byte(target), plan.bytes_to_verify()) + times(kTransferOverhead, reads);
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
