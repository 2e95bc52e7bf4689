#include <algorithm>

#include "session.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

/// Read in pieces, so that progress is shown and a stop is obeyed; the address pointer counts on.
constexpr std::uint64_t kBlocksPerStep = 8;

void add_differences(Observations& o, std::uint64_t address, ByteView expected, ByteView actual) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == actual[i]) continue;
    const std::uint64_t at = address + i;
    if (!o.differences.empty() && o.differences.back().end == at) {
      ++o.differences.back().end;
    } else if (o.differences.size() < kDifferencesMax) {
      o.differences.push_back({at, at + 1});
    }
  }
}

Error mismatch(const Observations& o) {
  const std::size_t places = o.differences.size();
  std::string detail = places >= kDifferencesMax ? "at least " : "";
  detail += decimal(total_size(o.differences)) + " bytes in " + decimal(places) +
            (places == 1 ? " place" : " places");
  return Error(Errc::VerifyMismatch, detail).in(Stage::Verify, o.differences.front());
}

}  // namespace

Task<Outcome> compare(Session& session, const image::Image& image, Observations& observations) {
  const Duration began = co_await time_of_last_answer();
  Outcome outcome;
  const std::uint64_t total = image.size();
  const std::uint64_t piece = kBlocksPerStep * session.target().transfer_size();
  for (const image::Segment& segment : image.segments()) {
    AddressRange left = segment.range();
    while (!left.empty()) {
      const AddressRange now{left.begin, std::min(left.end, left.begin + piece)};
      co_await session.progress(
          {Progress::Activity::Verifying, outcome.bytes_verified, total, now});
      const Bytes actual = co_await session.read(now);
      const ByteView expected =
          ByteView(segment.data).subspan(now.begin - segment.address, now.size());
      add_differences(observations, now.begin, expected, actual);
      outcome.bytes_verified += now.size();
      left.begin = now.end;
    }
  }
  co_await session.progress({Progress::Activity::Verifying, total, total, image.bounds()});
  outcome.verify_time = co_await time_of_last_answer() - began;
  if (!observations.differences.empty()) co_return fail(mismatch(observations));
  outcome.proven = true;
  co_return outcome;
}

Task<Outcome> verify(const Target& target, const image::Image& image, Observations& observations) {
  if (image.empty()) co_return fail(Error(Errc::EmptyImage).in(Stage::Verify));
  const Area* area = target.area_at(image.bounds().begin);
  for (const image::Segment& s : image.segments()) {
    if (area == nullptr || !area->map.contains(s.range())) {
      co_return fail(outside_memory(target, Stage::Verify, s.range()));
    }
    if (area->map.first_without(s.range(), &stm32::Access::readable)) {
      co_return fail(Error(Errc::NotReadable).in(Stage::Verify, s.range()));
    }
  }
  Session session(target, area->alt_setting);
  co_await session.open();
  auto outcome = co_await caught(compare(session, image, observations));
  if (!outcome) {
    Error error = std::move(outcome).error();
    co_await session.settle(error);
    co_return fail(std::move(error).in(Stage::Verify));
  }
  co_return *std::move(outcome);
}

}  // namespace sureflash::update
