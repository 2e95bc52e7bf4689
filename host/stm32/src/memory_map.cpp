#include "sureflash/stm32/memory_map.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::stm32 {
namespace {

constexpr std::uint64_t kAddressSpaceEnd = 0x1'0000'0000;
constexpr std::uint64_t kNumberMax = 9999;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\0')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\0')) s.remove_suffix(1);
  return s;
}

/// Recursive descent over the grammar of dfuse.md 2.10; one function per rule.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<MemoryMap> string() {
    if (text_.empty() || text_.front() != '@') return fail(Errc::NoLayout);
    const std::size_t name_end = std::min(text_.find('/'), text_.size());
    const std::string name(trim(text_.substr(1, name_end - 1)));
    position_ = name_end;
    if (at_end()) return error("no region");
    while (!at_end()) TRY(region());
    TRY(reject_overlaps());
    return MemoryMap(name, std::move(runs_));
  }

 private:
  Result<void> region() {
    if (!take('/')) return error("'/' expected");
    TRY_ASSIGN(std::uint64_t address, this->address());
    skip_spaces();
    if (!take('/')) return error("'/' expected after the address");
    do {
      TRY_ASSIGN(const SectorRun run, segment(address));
      if (runs_.size() == kRunsMax) return error("too many segments");
      runs_.push_back(run);
      address = run.range.end;
      skip_spaces();
    } while (take(','));
    return {};
  }

  Result<std::uint64_t> address() {
    skip_spaces();
    if (!take('0') || !(take('x') || take('X'))) return error("address expected");
    std::uint64_t value = 0;
    const std::size_t start = position_;
    while (position_ < text_.size() && hex_digit(text_[position_]) >= 0) {
      value = value * 16 + static_cast<std::uint64_t>(hex_digit(text_[position_++]));
      if (value >= kAddressSpaceEnd) return error("address above 32 bits");
    }
    if (position_ == start) return error("address expected");
    return value;
  }

  Result<SectorRun> segment(std::uint64_t address) {
    TRY_ASSIGN(const std::uint64_t count, number("sector count"));
    skip_spaces();
    if (!take('*')) return error("'*' expected");
    TRY_ASSIGN(const std::uint64_t size, number("sector size"));
    const std::uint64_t sector_size = size * unit();
    TRY_ASSIGN(const Access access, type());
    const AddressRange range = AddressRange::sized(address, count * sector_size);
    if (range.end > kAddressSpaceEnd) return error("memory beyond the 32-bit address space");
    return SectorRun{range, sector_size, access};
  }

  Result<std::uint64_t> number(std::string_view what) {
    skip_spaces();
    std::uint64_t value = 0;
    const std::size_t start = position_;
    while (position_ < text_.size() && is_digit(text_[position_])) {
      value = value * 10 + static_cast<std::uint64_t>(text_[position_++] - '0');
      if (value > kNumberMax) return error(std::string(what) + " above 9999");
    }
    if (position_ == start) return error(std::string(what) + " expected");
    if (value == 0) return error(std::string(what) + " is zero");
    return value;
  }

  /// A missing unit letter means bytes, as a blank does.
  std::uint64_t unit() {
    if (take('K')) return 1024;
    if (take('M')) return std::uint64_t{1024} * 1024;
    if (!take('B')) skip_spaces();
    return 1;
  }

  Result<Access> type() {
    skip_spaces();
    if (at_end() || text_[position_] < 'a' || text_[position_] > 'g') {
      return error("access letter a to g expected");
    }
    const auto bits = static_cast<unsigned char>(text_[position_++]);
    return Access{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
  }

  Result<void> reject_overlaps() {
    std::vector<SectorRun> sorted = runs_;
    std::ranges::sort(sorted, {}, [](const SectorRun& r) { return r.range.begin; });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      if (sorted[i].range.begin < sorted[i - 1].range.end) {
        return error("two segments claim " + hex(sorted[i].range.begin));
      }
    }
    runs_ = std::move(sorted);
    return {};
  }

  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\0')) {
      ++position_;
    }
  }
  bool take(char c) {
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  bool at_end() {
    skip_spaces();
    return position_ >= text_.size();
  }
  std::unexpected<Error> error(const std::string& what) const {
    return fail(Errc::BadLayout, what + " at character " + decimal(position_ + 1) + " of \"" +
                                     std::string(text_) + "\"");
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::vector<SectorRun> runs_;
};

}  // namespace

AddressRange SectorRun::sector_at(std::uint64_t address) const {
  const std::uint64_t index = (address - range.begin) / sector_size;
  return AddressRange::sized(range.begin + index * sector_size, sector_size);
}

std::uint64_t MemoryMap::size() const {
  std::uint64_t sum = 0;
  for (const SectorRun& run : runs_) sum += run.range.size();
  return sum;
}

AddressRange MemoryMap::bounds() const {
  if (runs_.empty()) return {};
  return {runs_.front().range.begin, runs_.back().range.end};
}

const SectorRun* MemoryMap::run_at(std::uint64_t address) const {
  const auto it =
      std::ranges::find_if(runs_, [&](const SectorRun& r) { return r.range.contains(address); });
  return it == runs_.end() ? nullptr : &*it;
}

bool MemoryMap::contains(AddressRange range) const {
  while (!range.empty()) {
    const SectorRun* run = run_at(range.begin);
    if (run == nullptr) return false;
    range.begin = run->range.end;
  }
  return true;
}

std::optional<std::uint64_t> MemoryMap::first_without(AddressRange range,
                                                      bool Access::*wanted) const {
  for (const SectorRun& run : runs_) {
    const AddressRange part = run.range.intersection(range);
    if (!part.empty() && !(run.access.*wanted)) return part.begin;
  }
  return std::nullopt;
}

std::vector<AddressRange> MemoryMap::sectors(AddressRange range) const {
  std::vector<AddressRange> result;
  for (const SectorRun& run : runs_) {
    AddressRange part = run.range.intersection(range);
    while (!part.empty()) {
      result.push_back(run.sector_at(part.begin));
      part.begin = result.back().end;
    }
  }
  return result;
}

Result<MemoryMap> parse_layout(std::string_view layout) {
  return Parser(trim(layout)).string();
}

}  // namespace sureflash::stm32
