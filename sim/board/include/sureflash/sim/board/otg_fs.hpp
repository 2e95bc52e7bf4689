#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "sureflash/base/bytes.hpp"
#include "sureflash/sim/board/otg_registers.hpp"

namespace sureflash::sim {

/// Handshake of one transaction, as the host sees it.
enum class PacketReply : std::uint8_t {
  Ack,
  Nak,
  Stall,
  None,  ///< nobody answers: not attached, another address, or the packet was not understood
};

struct InPacket {
  PacketReply reply = PacketReply::None;
  bool data1 = false;
  Bytes data;
};

/// What no document settles about the core of the F105.
struct OtgSwitches {
  /// Bus reset clears DCFG.DAD. Most drivers clear it themselves, some only OR into it.
  bool reset_clears_address = true;
  /// With GCCFG.VBUSBSEN off the core takes the session for valid. There are drivers that rely on
  /// it; F2 and F4 have a bit of its own for that (NOVBUSSENS), F105 has none.
  bool session_without_sensing = true;
};

/// The USB core of STM32F105/107 in device mode: a Synopsys DWC2 with four endpoint pairs, 320
/// words of FIFO and a full-speed transceiver; no DMA. One face for the CPU (registers), one for
/// the host (transactions). It has no clock: whoever owns it says when frames begin.
///
/// Wrong use by the firmware is reported in words, as often as it happens, and then has the effect
/// it has on silicon as far as that is known.
/// Source: RM0008, chapter 28; register reset values from there.
class OtgFs {
 public:
  using Report = std::function<void(std::string)>;

  explicit OtgFs(Report report = {}, OtgSwitches switches = {});

  /// Reset by RCC or of the whole chip.
  void reset();

  // --- CPU side. Words only; offset from 0x50000000, below otg::kSize.
  std::uint32_t read(std::uint32_t offset);
  void write(std::uint32_t offset, std::uint32_t value);
  /// As read, without side effects.
  std::uint32_t peek(std::uint32_t offset) const;
  /// Level of interrupt line 67.
  bool irq() const;
  /// Level of EXTI line 18: resume signalling while suspended.
  bool wakeup() const { return s_.wakeup; }

  // --- What the board feeds it with.
  /// PA9.
  void set_vbus(bool high);
  /// Whether 48 MHz arrive from RCC.
  void set_usb_clock(bool running);

  // --- Host side.
  /// The pull-up on D+ is on.
  bool pulled_up() const;
  /// SE0 for more than 2.5 µs begins, and ends.
  void begin_bus_reset();
  void end_bus_reset();
  void start_of_frame(std::uint16_t number);
  /// No activity for 3 ms.
  void suspend();
  void resume();
  bool suspended() const { return s_.suspended; }
  /// The device drives resume signalling.
  bool remote_wakeup() const;

  PacketReply setup(std::uint8_t address, const std::array<std::uint8_t, 8>& packet);
  PacketReply out(std::uint8_t address, std::uint8_t endpoint, bool data1, ByteView data);
  /// @param[in] acknowledged  false: the host's handshake is lost, the device will repeat.
  InPacket in(std::uint8_t address, std::uint8_t endpoint, bool acknowledged = true);

  /// Everything the core remembers; a copy is a snapshot.
  struct State {
    struct In {
      std::uint32_t ctl = 0, interrupts = 0, tsiz = 0;
      bool nak = false;
      bool data1 = false;
      std::uint32_t to_send = 0;         ///< bytes of the transfer not yet on the bus
      std::uint32_t packet_to_load = 0;  ///< bytes the CPU still owes to the packet it is loading
    };
    struct Out {
      std::uint32_t ctl = 0, interrupts = 0, tsiz = 0;
      bool nak = false;
      bool data1 = false;
    };
    /// One word of the receive FIFO: of status, or of data.
    struct RxWord {
      std::uint32_t value = 0;
      bool status = false;
    };

    std::uint32_t gotgctl = 0, gotgint = 0, gahbcfg = 0, gusbcfg = 0, grstctl = 0, gint = 0,
                  gintmsk = 0, grxfsiz = 0, gccfg = 0, cid = 0, dcfg = 0, dctl = 0, diepmsk = 0,
                  doepmsk = 0, daintmsk = 0, diepempmsk = 0, dvbusdis = 0, dvbuspulse = 0,
                  pcgcctl = 0;
    std::array<std::uint32_t, otg::kEndpoints> dieptxf{};
    std::array<In, otg::kEndpoints> in{};
    std::array<Out, otg::kEndpoints> out{};
    std::deque<RxWord> rx;
    std::array<std::deque<std::uint32_t>, otg::kEndpoints> tx{};
    std::uint16_t frame = 0;
    std::uint8_t address = 0;  ///< the one it answers to; DCFG.DAD after the status stage
    bool in_control = false;   ///< a control transfer is between SETUP and status
    bool setup_stage = false;  ///< SETUP seen, no other token on endpoint 0 yet
    bool global_in_nak = false, global_out_nak = false, global_out_nak_pending = false;
    bool suspended = false, wakeup = false;
    bool vbus = false, usb_clock = false, session = false;
    bool in_reset = false;
    bool connected = false;  ///< a bus reset has been seen in this session
  };
  const State& state() const { return s_; }
  void restore(const State& state) { s_ = state; }

 private:
  void report(std::string text) const;
  void core_reset();
  void update_session();

  // otg_fs.cpp: registers
  std::uint32_t gintsts() const;
  std::uint32_t daint() const;
  std::uint32_t in_interrupts(unsigned n) const;
  std::uint32_t read_endpoint(std::uint32_t offset) const;
  std::uint32_t read_global(std::uint32_t offset) const;
  bool write_plain(std::uint32_t offset, std::uint32_t value);
  void write_grstctl(std::uint32_t value);
  void write_gccfg(std::uint32_t value);
  void write_dcfg(std::uint32_t value);
  void write_dctl(std::uint32_t value);
  void write_endpoint(std::uint32_t offset, std::uint32_t value);
  void write_in_ctl(unsigned n, std::uint32_t value);
  void write_out_ctl(unsigned n, std::uint32_t value);
  void enable_in(unsigned n);
  void begin_in(unsigned n);
  void enable_out(unsigned n);
  void check_fifo_layout() const;

  // otg_fifo.cpp
  std::uint32_t tx_depth(unsigned fifo) const { return s_.dieptxf[fifo] >> 16; }
  unsigned tx_fifo(unsigned endpoint) const;
  std::uint32_t tx_space(unsigned fifo) const;
  bool tx_empty_enough(unsigned fifo) const;
  void push_tx(unsigned endpoint, std::uint32_t word);
  void flush_tx(std::uint32_t which);
  void push_rx(otg::PacketStatus status, unsigned endpoint, ByteView data, bool data1);
  bool rx_room(std::size_t bytes) const;
  std::uint32_t pop_status();
  std::uint32_t pop_data();
  void status_popped(std::uint32_t word);

  // otg_bus.cpp
  bool listens(std::uint8_t address) const;
  void end_setup_stage();
  PacketReply accept_out(unsigned n, bool data1, ByteView data);
  InPacket take_in(unsigned n, bool acknowledged);
  void in_sent(unsigned n, std::uint32_t bytes);

  std::uint32_t in_packet_size(unsigned n) const;
  std::uint32_t out_packet_size(unsigned n) const;

  Report report_;
  OtgSwitches switches_;
  State s_;
};

}  // namespace sureflash::sim
