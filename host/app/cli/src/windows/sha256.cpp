#include "sha256.hpp"

#include <array>
#include <cstdlib>
#include <windows.h>  // brings bcrypt.h, which cannot come before it

#include <fmt/format.h>

namespace sureflash::cli {

std::string sha256(std::string_view bytes) {
  std::array<UCHAR, 32> hash{};
  // The parameter is not const, though nothing is written there.
  auto* input = const_cast<PUCHAR>(reinterpret_cast<const UCHAR*>(bytes.data()));
  BCRYPT_ALG_HANDLE algorithm = nullptr;
  const bool done =
      ::BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA256_ALGORITHM, nullptr, 0) == 0 &&
      ::BCryptHash(algorithm, nullptr, 0, input, static_cast<ULONG>(bytes.size()), hash.data(),
                   static_cast<ULONG>(hash.size())) == 0;
  // Only a broken system has none; a digest of zeros must not get into a record.
  if (!done) std::abort();
  ::BCryptCloseAlgorithmProvider(algorithm, 0);
  return fmt::format("{:02x}", fmt::join(hash, ""));
}

}  // namespace sureflash::cli
