#pragma once

#include <cerrno>

#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// The status of a finished URB. `gone`: the errno when its device was unplugged, EPROTO as a host
/// controller sees it, ESHUTDOWN as USB/IP tells it.
/// Source: Documentation/driver-api/usb/error-codes.rst.
inline int urb_status(Handshake handshake, int gone) {
  switch (handshake) {
    case Handshake::Ack:
      return 0;
    case Handshake::Stall:
      return -EPIPE;
    case Handshake::Timeout:
      return -ETIMEDOUT;
    case Handshake::Gone:
      return -gone;
    case Handshake::Babble:
      return -EOVERFLOW;
  }
  return -EPROTO;
}

}  // namespace sureflash::sim
