#include <algorithm>

#include "order.hpp"
#include "session.hpp"

namespace sureflash::update {
namespace {

/// What reading in vain may cost, as a share of the whole job, before it is given up.
constexpr int kShareInVain = 50;
constexpr Duration kInVainUnknownChip = 200ms;
/// A low guess for chips without published times: a page of 2 KiB on G4 needs 43 ms.
constexpr Duration kSectorEraseGuess = 20ms;
constexpr Duration kProgramPerByteGuess = 8us;

/// Reads sector after sector, each only as long as it may still be equal or blank.
class Surveyor {
 public:
  Surveyor(Session& session, const Plan& plan, bool repair)
      : session_(session), plan_(plan), repair_(repair) {}

  Task<Survey> run() {
    const Duration began = co_await time_of_last_answer();
    const Duration allowed =
        plan_.estimate.known ? plan_.estimate.total() / kShareInVain : kInVainUnknownChip;
    const std::uint64_t total = plan_.bytes_to_erase();
    const std::vector<AddressRange> sectors = in_order();
    std::uint64_t done = 0;
    for (const AddressRange& sector : sectors) {
      co_await session_.progress({Progress::Activity::Reading, done, total, sector});
      co_await look_at(sector);
      done += sector.size();
      result_.took = co_await time_of_last_answer() - began;
      if (!must_be_read(sector) && in_vain_ > saved_ + allowed) {
        result_.stopped = true;
        break;
      }
    }
    co_await session_.progress({Progress::Activity::Reading, total, total, sectors.back()});
    for (auto* list : {&result_.equal, &result_.blank}) {
      std::ranges::sort(*list, {}, &AddressRange::begin);
    }
    co_return std::move(result_);
  }

 private:
  /// Entry code first: whether it may stay is worth more than time.
  std::vector<AddressRange> in_order() const {
    std::vector<AddressRange> sectors = plan_.erase;
    std::ranges::sort(sectors, [&](const AddressRange& a, const AddressRange& b) {
      return std::pair(!must_be_read(a), a.begin) < std::pair(!must_be_read(b), b.begin);
    });
    return sectors;
  }
  bool must_be_read(const AddressRange& sector) const {
    return repair_ || contains(plan_.entry.sectors, sector);
  }

  Task<> look_at(AddressRange sector) {
    const Duration began = co_await time_of_last_answer();
    bool equal = true;
    bool blank = true;
    const std::uint64_t size = session_.target().transfer_size();
    for (AddressRange left = sector; !left.empty() && (equal || blank);) {
      const AddressRange block{left.begin, std::min(left.end, left.begin + size)};
      left.begin = block.end;
      const Bytes actual = co_await session_.read(block);
      result_.bytes_read += block.size();
      blank = blank && session_.is_blank(actual);
      if (block.contains(plan_.commit)) {
        result_.unfinished = session_.is_blank(
            ByteView(actual).subspan(plan_.commit.begin - block.begin, plan_.commit.size()));
      }
      equal = equal && holds_image(block, actual);
    }
    if (equal) {
      result_.equal.push_back(sector);
      saved_ +=
          erase_time(sector) + kProgramPerByteGuess * static_cast<Duration::rep>(sector.size());
    } else if (blank) {
      result_.blank.push_back(sector);
      saved_ += erase_time(sector);
    } else if (!must_be_read(sector) && !sector.contains(plan_.start)) {
      in_vain_ += co_await time_of_last_answer() - began;
    }
  }

  Duration erase_time(AddressRange sector) const {
    const stm32::Chip* chip = session_.target().chip;
    const auto time = chip != nullptr ? chip->erase_time(sector.size()) : stm32::Times{};
    return time.known() ? time.typ : kSectorEraseGuess;
  }

  /// Whether what the image has in `block` is there.
  bool holds_image(AddressRange block, ByteView actual) const {
    return std::ranges::all_of(plan_.payload.segments(), [&](const image::Segment& s) {
      const AddressRange part = s.range().intersection(block);
      const auto expected =
          ByteView(s.data).subspan(part.empty() ? 0 : part.begin - s.address, part.size());
      return std::ranges::equal(
          expected, actual.subspan(part.empty() ? 0 : part.begin - block.begin, part.size()));
    });
  }

  Session& session_;
  const Plan& plan_;
  bool repair_;
  Survey result_;
  Duration saved_{};
  Duration in_vain_{};
};

}  // namespace

Task<Survey> survey(const Target& target, const image::Image& image, PlanOptions options) {
  options.survey.reset();
  options.entry.keep = false;
  auto made = make_plan(target, image, options);
  if (!made) co_return fail(std::move(made).error());
  // Only what would be erased sector by sector can be left out.
  Plan plan = *std::move(made);
  const Area* area = target.area_at(plan.start);
  plan.erase.clear();
  for (const image::Segment& s : plan.payload.segments()) {
    for (const AddressRange& sector : area->map.sectors(s.range())) {
      if (plan.erase.empty() || plan.erase.back() != sector) plan.erase.push_back(sector);
    }
  }
  const bool readable = target.descriptors.dfu.functional.can_upload() &&
                        !area->map.first_without(area->map.bounds(), &stm32::Access::readable);
  if (!readable) co_return Survey{};
  Session session(target, plan.alt_setting);
  co_await session.open();
  Surveyor surveyor(session, plan, options.repair);
  auto found = co_await caught(surveyor.run());
  if (found) co_return *std::move(found);
  Error error = std::move(found).error();
  co_await session.settle(error);
  // A device that does not let itself be read can still be programmed.
  if (error.code == Errc::Stalled || error.code == Errc::ResponseTooShort ||
      error.code == Errc::DeviceReportsError) {
    co_return Survey{};
  }
  co_return fail(std::move(error));
}

}  // namespace sureflash::update
