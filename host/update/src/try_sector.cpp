#include <algorithm>

#include "session.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/update/evidence.hpp"

namespace sureflash::update {
namespace {

/// Every bit is once 0 and once 1 in each pair of bytes.
constexpr std::uint8_t kEven = 0x5A;
constexpr std::uint8_t kOdd = 0xA5;

class SectorTrial {
 public:
  SectorTrial(Session& session, AddressRange sector, Observations& seen)
      : session_(session), sector_(sector), seen_(seen) {}

  Task<> run() {
    co_await session_.open();
    const Bytes before = co_await session_.read(sector_);
    seen_.before_erase = session_.is_blank(before) ? ReadBack::Blank : ReadBack::Other;
    const auto neighbour = co_await read_neighbour();
    auto tried = co_await caught(erase_and_write(before));
    if (neighbour && !session_.is_blank(*neighbour)) {
      const auto now = co_await read_neighbour();
      seen_.erased_too_much = now && session_.is_blank(*now);
    }
    if (!session_.is_blank(before) || tried) co_await restore(before);
    if (!tried) co_await fail(std::move(tried).error());
  }

 private:
  Task<std::optional<Bytes>> read_neighbour() {
    const AddressRange next = AddressRange::sized(sector_.end, Samples::kBytes);
    const Area* area = session_.target().area_at(sector_.begin);
    if (area == nullptr || !area->map.contains(next)) co_return std::nullopt;
    co_return co_await session_.read(next);
  }

  Task<> erase_and_write(const Bytes& before) {
    const auto begin = static_cast<std::uint32_t>(sector_.begin);
    seen_.erased = sector_;
    seen_.erase = co_await session_.dfuse().erase_sector(begin);
    const Bytes erased = co_await session_.read(sector_);
    seen_.after_erase = session_.is_blank(erased) ? ReadBack::Blank
                        : erased == before        ? ReadBack::Unchanged
                                                  : ReadBack::Other;
    Bytes pattern(std::min<std::uint64_t>(sector_.size(), session_.target().transfer_size()));
    for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = i % 2 == 0 ? kEven : kOdd;
    seen_.written = AddressRange::sized(sector_.begin, pattern.size());
    seen_.write = co_await session_.dfuse().write(begin, pattern);
    const Bytes written = co_await session_.read(*seen_.written);
    seen_.after_write = written == pattern           ? ReadBack::Expected
                        : session_.is_blank(written) ? ReadBack::Blank
                        : std::ranges::equal(written, ByteView(before).first(written.size()))
                            ? ReadBack::Unchanged
                            : ReadBack::Other;
    co_await judge(pattern, written);
  }

  Task<> judge(const Bytes& pattern, const Bytes& written) {
    if (seen_.after_write == ReadBack::Expected) co_return;
    if (seen_.after_write == ReadBack::Other && seen_.after_erase == ReadBack::Blank) {
      for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == written[i] || seen_.differences.size() >= kDifferencesMax) continue;
        seen_.differences.push_back(AddressRange::sized(sector_.begin + i, 1));
      }
      co_await fail(Error(Errc::VerifyMismatch).in(Stage::Verify, sector_));
    }
    if (seen_.after_erase == ReadBack::Other) {
      co_await fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, sector_));
    }
    co_await fail(Error(Errc::DataNotStored).in(Stage::Program, sector_));
  }

  Task<> restore(const Bytes& before) {
    co_await session_.dfuse().erase_sector(static_cast<std::uint32_t>(sector_.begin));
    const std::size_t size = session_.target().transfer_size();
    for (std::size_t at = 0; at < before.size(); at += size) {
      const ByteView block = ByteView(before).subspan(at, std::min(size, before.size() - at));
      if (session_.is_blank(block)) continue;
      co_await session_.dfuse().write(static_cast<std::uint32_t>(sector_.begin + at), block);
    }
  }

  Session& session_;
  AddressRange sector_;
  Observations& seen_;
};

}  // namespace

Task<Trial> try_sector(const Target& target, AddressRange sector) {
  Trial trial;
  const Area* area = target.area_at(sector.begin);
  if (area == nullptr) {
    trial.error = Error(Errc::OutsideMemory).in(Stage::Erase, sector);
    co_return trial;
  }
  for (const auto allowed :
       {&stm32::Access::readable, &stm32::Access::erasable, &stm32::Access::writable}) {
    if (!area->map.first_without(sector, allowed)) continue;
    trial.error =
        Error(Errc::NotErasable, "its layout does not allow a trial there").in(Stage::Plan, sector);
    co_return trial;
  }
  Session session(target, area->alt_setting);
  SectorTrial job(session, sector, trial.seen);
  auto done = co_await caught(job.run());
  if (done) co_return trial;
  trial.error = std::move(done).error();
  co_await session.settle(*trial.error);
  co_return trial;
}

}  // namespace sureflash::update
