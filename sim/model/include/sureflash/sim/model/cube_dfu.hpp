#pragma once

#include "sureflash/sim/chip/chip.hpp"
#include "sureflash/sim/model/function.hpp"

namespace sureflash::sim {

/// Release of ST's USB device middleware: what CubeF1 ships, and the newest known.
enum class CubeVersion : std::uint8_t { V2_5_3, V2_11_3 };

/// What a user's `usbd_dfu_if.c` does: ST's USBD_DFU_MediaTypeDef.
class CubeMedia {
 public:
  struct Outcome {
    bool ok = true;
    Duration duration{};
    bool power_lost = false;
    bool crashed = false;  ///< the CPU took a fault
  };
  enum class Read : std::uint8_t { Data, Null, Crashed };

  virtual ~CubeMedia() = default;
  virtual Outcome erase(std::uint32_t address) = 0;
  /// `buffer` is the whole transfer buffer, `length` what was received: code that rounds up sees
  /// the stale rest.
  virtual Outcome write(std::uint32_t address, ByteView buffer, std::size_t length) = 0;
  /// The buffer holds `transfer_size` bytes.
  virtual Read read(std::uint32_t address, ByteSpan out) = 0;
  /// bwPollTimeout as the three bytes the code writes; nothing if it leaves them alone.
  virtual std::array<std::uint8_t, 3> poll(bool for_erase) const = 0;
};

/// CubeMX's template: every hook returns OK and does nothing; Read returns that 0 as its pointer.
class TemplateMedia final : public CubeMedia {
 public:
  Outcome erase(std::uint32_t) override { return {}; }
  Outcome write(std::uint32_t, ByteView, std::size_t) override { return {}; }
  Read read(std::uint32_t, ByteSpan) override { return Read::Null; }
  std::array<std::uint8_t, 3> poll(bool) const override { return {}; }
};

/// ST's F107 DFU_Standalone: every erase erases the whole application area; words are programmed
/// and compared; no address is checked. Source: STM32CubeF1,
/// Projects/STM3210C_EVAL/…/DFU_Standalone/Src/usbd_dfu_flash.c.
class F107ExampleMedia final : public CubeMedia {
 public:
  static constexpr std::uint32_t kApplicationBase = 0x08005000;

  /// `transfer_size`: what its read buffer holds; a longer read writes over what lies behind.
  F107ExampleMedia(Chip& chip, std::size_t transfer_size)
      : chip_(&chip), transfer_size_(transfer_size) {}
  Outcome erase(std::uint32_t address) override;
  Outcome write(std::uint32_t address, ByteView buffer, std::size_t length) override;
  Read read(std::uint32_t address, ByteSpan out) override;
  std::array<std::uint8_t, 3> poll(bool for_erase) const override;

 private:
  bool program_word(std::uint32_t address, ByteView word, Outcome& outcome);

  Chip* chip_;
  std::size_t transfer_size_;
};

struct CubeOptions {
  CubeVersion version = CubeVersion::V2_5_3;
  std::string layout;
  /// USBD_DFU_APP_DEFAULT_ADD.
  std::uint32_t application_base = 0x08008000;
  /// The GETSTATUS that leaves does not complete: USB stops in its data-stage interrupt.
  bool leave_vanishes = false;
  /// Product string; empty: the one CubeMX writes.
  std::string product{};
  /// Another program read where the template has nothing to read (v2.11.3) before this host came.
  bool found_in_state_15 = false;
};

/// The DFU class of ST's USB device middleware, request by request as its source goes; not a state
/// machine by the DFU specification. Source: stm32_mw_usb_device, Class/DFU/Src/usbd_dfu.c, v2.5.3
/// (e5a58ee) and v2.11.3 (0b06460).
class CubeDfu final : public Function {
 public:
  static constexpr std::uint16_t kTransferSize = 1024;

  /// `chip`, `media` and `firmware` must outlive this.
  CubeDfu(CubeOptions options, Chip& chip, CubeMedia& media, Firmware& firmware);

  const DeviceDescription& description() const override { return usb_; }
  void start() override;
  Reply class_request(const Request& request) override;
  Duration busy_until() const override { return busy_until_; }
  void configured(bool yes) override;
  void sent(Duration now) override;

  /// bState: mostly a proto::DfuState, but 15 occurs.
  std::uint8_t state() const { return state_; }
  void force_state(std::uint8_t state) { set_state(state); }

 private:
  Reply download(const Request& request);
  Reply upload(const Request& request);
  Reply upload_data(const Request& request);
  Reply get_commands(const Request& request);
  Reply get_status(const Request& request);
  Reply clear_status();
  Reply abort();
  Reply detach(const Request& request);
  Reply finish_in(const Request& request, Reply reply);

  /// EP0_TxReady: the data stage of an IN request is complete; flash work happens here.
  struct Sent {
    Duration duration{};
    bool stalls = false;
    bool vanishes = false;
  };
  Sent tx_ready(Duration now);
  Sent execute(Duration now);
  Sent execute_short_command();
  bool apply(CubeMedia::Outcome outcome, Duration now, Sent& sent);
  Sent crash();

  void initialise();
  void to_idle();
  void set_state(std::uint8_t state);
  void set_state(proto::DfuState state) { set_state(static_cast<std::uint8_t>(state)); }
  void clear_poll();
  bool in_state(std::initializer_list<proto::DfuState> states) const;
  bool old() const { return options_.version == CubeVersion::V2_5_3; }

  CubeOptions options_;
  DeviceDescription usb_;
  Chip* chip_;
  CubeMedia* media_;
  Firmware* firmware_;
  Bytes buffer_;
  std::uint16_t block_number_ = 0;
  std::uint16_t length_ = 0;
  std::uint32_t pointer_ = 0;
  std::array<std::uint8_t, proto::kStatusReplyLength> status_{};
  std::uint8_t state_ = 0;
  bool manifest_in_progress_ = false;
  Duration busy_until_{};
};

/// Layout string of the newer CubeMX templates, for any chip (dfuse.md 2.11 no. 34).
inline constexpr const char* kCubeTemplateLayout =
    "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg";
/// Layout string of ST's F107 example (no. 36).
inline constexpr const char* kF107ExampleLayout = "@Internal Flash   /0x08000000/10*02Ka,118*02Kg";

}  // namespace sureflash::sim
