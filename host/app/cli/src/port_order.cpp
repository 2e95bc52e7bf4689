#include "port_order.hpp"

#include <algorithm>

namespace sureflash::cli {
namespace {

constexpr std::string_view kDigits = "0123456789";

/// Takes a number, without leading zeros, or one other character off the front.
std::string_view take(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of(kDigits), text.size());
  std::string_view part = text.substr(0, std::max<std::size_t>(digits, 1));
  text.remove_prefix(part.size());
  if (digits > 1) part.remove_prefix(std::min(part.find_first_not_of('0'), part.size() - 1));
  return part;
}

}  // namespace

bool PortOrder::operator()(std::string_view a, std::string_view b) const {
  while (!a.empty() && !b.empty()) {
    const std::string_view left = take(a);
    const std::string_view right = take(b);
    const bool numbers = kDigits.contains(left.front()) && kDigits.contains(right.front());
    if (numbers && left.size() != right.size()) return left.size() < right.size();
    if (left != right) return left < right;
  }
  return a.empty() && !b.empty();
}

}  // namespace sureflash::cli
