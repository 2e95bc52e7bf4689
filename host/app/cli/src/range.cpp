#include "range.hpp"

#include <charconv>

#include <fmt/format.h>

namespace sureflash::cli {
namespace {

std::optional<std::uint16_t> hex16(std::string_view s) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, 16);
  if (s.empty() || s.size() > 4 || error != std::errc{} || end != s.data() + s.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<std::uint64_t> number(std::string_view s) {
  int base = 10;
  if (s.starts_with("0x") || s.starts_with("0X")) {
    s.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

std::optional<UsbId> parse_usb_id(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto vendor = hex16(word.substr(0, colon));
  const auto product = hex16(word.substr(colon + 1));
  if (!vendor || !product) return std::nullopt;
  return UsbId{*vendor, *product};
}

Result<AddressRange> parse_range(const std::string& word, const update::Target& target) {
  const auto bad = [&] {
    return fail(Error(Errc::Usage, "\"" + word + "\" is no sector and no range of addresses"));
  };
  const std::size_t dots = word.find("..");
  const auto first = number(std::string_view(word).substr(0, dots));
  const auto last =
      dots == std::string::npos ? first : number(std::string_view(word).substr(dots + 2));
  if (!first || !last) return bad();
  const update::Area* flash = target.flash();
  if (flash == nullptr) return fail(Errc::NoLayout);
  if (word.starts_with("0x") || word.starts_with("0X")) {
    if (dots == std::string::npos) return AddressRange::sized(*first, 1);
    if (*last <= *first) return bad();
    return AddressRange{*first, *last};
  }
  std::uint64_t index = 0;
  AddressRange range;
  for (const AddressRange& sector : flash->map.sectors(flash->map.bounds())) {
    if (index == *first) range.begin = sector.begin;
    if (index == *last) range.end = sector.end;
    ++index;
  }
  if (range.empty()) {
    return fail(
        Error(Errc::OutsideMemory, fmt::format("the flash has sectors 0 to {}", index - 1)));
  }
  return range;
}

}  // namespace sureflash::cli
