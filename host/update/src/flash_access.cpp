#include "flash_access.hpp"

namespace sureflash::update {

Task<> FlashAccess::erase(AddressRange sector) {
  const auto begin = static_cast<std::uint32_t>(sector.begin);
  auto report = co_await caught(session_->dfuse().erase_sector(begin));
  if (!report) {
    Error error = std::move(report).error();
    if (co_await is_only_stuck(error, sector)) co_return;
    co_await fail(std::move(error).in(Stage::Erase, sector));
  } else if (!seen_->erase) {
    seen_->erase = *report;
    seen_->erased = sector;
  }
}

Task<bool> FlashAccess::is_only_stuck(const Error& error, AddressRange sector) {
  if (error.code != Errc::StuckBusy) co_return false;
  co_await session_->dfuse().unstick();
  const auto bytes = co_await try_read(sector);
  co_return bytes.has_value() && session_->is_blank(*bytes);
}

Task<> FlashAccess::write(AddressRange block, ByteView bytes) {
  const auto begin = static_cast<std::uint32_t>(block.begin);
  auto report = co_await caught(session_->dfuse().write(begin, bytes));
  if (!report) {
    co_await fail(std::move(report).error().in(Stage::Program, block));
  } else if (!seen_->write) {
    seen_->write = *report;
    seen_->written = block;
  }
}

Task<std::optional<Bytes>> FlashAccess::try_read(AddressRange range) {
  if (!session_->target().descriptors.dfu.functional.can_upload()) co_return std::nullopt;
  auto bytes = co_await caught(session_->read(range));
  if (bytes) co_return *std::move(bytes);
  const Errc code = bytes.error().code;
  if (code != Errc::Stalled && code != Errc::ResponseTooShort && code != Errc::DeviceReportsError) {
    co_return fail(std::move(bytes).error());
  }
  seen_->read_error = std::move(bytes).error();
  co_return std::nullopt;
}

}  // namespace sureflash::update
