#pragma once

#include "sureflash/image/image.hpp"

namespace sureflash::fuzz {

/// What the sessions of the corpus program.
inline image::Image session_image() {
  Bytes bytes(3000, 0x5A);
  store_le32(bytes, 0, 0x20001000);
  store_le32(bytes, 4, 0x08000009);
  image::Image image;
  static_cast<void>(image.insert(0x08000000, bytes));
  return image;
}

}  // namespace sureflash::fuzz
