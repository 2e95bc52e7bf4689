#pragma once

#include "urb_status.hpp"

#include "sureflash/sim/export/usbfs.hpp"

/// What the parts of usbfs share.
namespace sureflash::sim::usbfs {

/// What a transfer without time limit may take: longer than any flash operation.
inline constexpr Duration kForever = 10min;

inline IoctlResult refuse(int error) {
  return {-1, error, {}};
}

template <class T>
bool load(ClientMemory& memory, std::uint64_t address, T& value) {
  return memory.read(address, {reinterpret_cast<std::uint8_t*>(&value), sizeof value});
}

template <class T>
bool store(ClientMemory& memory, std::uint64_t address, const T& value) {
  return memory.write(address, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

inline std::uint64_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// The errno of a transfer that the kernel waits for.
inline int sync_error(Handshake handshake) {
  return -urb_status(handshake, ENODEV);
}

}  // namespace sureflash::sim::usbfs
