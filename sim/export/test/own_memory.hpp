#pragma once

#include <cstring>

#include "sureflash/sim/export/usbfs.hpp"

namespace sureflash::sim {

/// The memory of this process as that of a program that uses usbfs.
class OwnMemory final : public ClientMemory {
 public:
  bool read(std::uint64_t address, ByteSpan to) override {
    if (address == 0) return false;
    if (!to.empty()) std::memcpy(to.data(), reinterpret_cast<const void*>(address), to.size());
    return true;
  }
  bool write(std::uint64_t address, ByteView from) override {
    if (address == 0) return false;
    if (!from.empty()) std::memcpy(reinterpret_cast<void*>(address), from.data(), from.size());
    return true;
  }
};

}  // namespace sureflash::sim
