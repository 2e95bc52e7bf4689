#pragma once

#include <optional>
#include <string>

#include "sureflash/transport/trace/trace.hpp"

namespace sureflash::transport::trace {

/// Says entry by entry what a session did, in the words of DFU 1.1 and AN3156. Remembers what later
/// entries need: transfer size, address pointer. For `sureflash trace show`.
class Explainer {
 public:
  /// One line without its end: "DFU_DNLOAD block 0: Set Address Pointer 0x08000000".
  std::string explain(const Entry& entry);

 private:
  std::string explain_control(const Entry& entry);
  std::string explain_dfu(const Entry& entry);
  std::string explain_download(const Entry& entry);
  std::string explain_upload(const Entry& entry);
  std::string explain_standard(const Entry& entry);
  std::string block(const Entry& entry, std::size_t size) const;
  void learn_transfer_size(ByteView configuration);

  std::optional<std::uint16_t> transfer_size_;
  std::optional<std::uint32_t> pointer_;
  bool dfuse_ = false;
};

}  // namespace sureflash::transport::trace
