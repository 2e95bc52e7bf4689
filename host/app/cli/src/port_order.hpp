#pragma once

#include <string_view>

namespace sureflash::cli {

/// Ports in the order in which people count them: 1-2 before 1-10.
struct PortOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

}  // namespace sureflash::cli
