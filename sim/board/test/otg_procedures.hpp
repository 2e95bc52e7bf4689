#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sureflash/sim/board/otg_fs.hpp"

/// The programming procedures of RM0008 28.17, register by register, as a driver would do them.
/// Numbers are written out here, not taken from the model's names, so that a wrong constant shows.
namespace sureflash::sim {

class OtgProcedures : public testing::Test {
 protected:
  static constexpr std::uint32_t kAll = 0xFFFFFFFF;

  /// 28.17.1, core initialization; 28.17.3, device initialization.
  void initialize() {
    otg.set_usb_clock(true);
    otg.write(0x014, kAll);                 // GINTSTS
    otg.write(0x008, 1U << 0 | 1U << 7);    // GAHBCFG: GINT, TXFELVL
    otg.write(0x00C, 1U << 30 | 9U << 10);  // GUSBCFG: FDMOD, TRDT
    otg.write(0x018, 1U << 1 | 1U << 2);    // GINTMSK: MMIS, OTGINT
    otg.write(0x800, 3);                    // DCFG: full speed
    otg.write(0x018, 1U << 12 | 1U << 13 | 1U << 10 | 1U << 11 | 1U << 4 | 1U << 18 | 1U << 19 |
                         1U << 31 | 1U << 2);  // USBRST, ENUMDNE, ESUSP, USBSUSP, RXFLVL, EPs, WKUP
    otg.write(0x038, 1U << 16 | 1U << 19);     // GCCFG: PWRDWN, VBUSBSEN
  }

  /// 28.17.5, endpoint initialization on USB reset and on enumeration completion.
  void endpoints_after_reset() {
    for (unsigned n = 0; n < 4; ++n) otg.write(0xB00 + n * 0x20, 1U << 27);  // SNAK on all OUT
    otg.write(0x81C, 1U << 0 | 1U << 16);                                    // DAINTMSK: EP0
    otg.write(0x814, 1U << 0 | 1U << 3);                                     // DOEPMSK: XFRC, STUP
    otg.write(0x810, 1U << 0 | 1U << 3);                                     // DIEPMSK: XFRC, TOC
    otg.write(0x024, 128);                                                   // GRXFSIZ
    otg.write(0x028, 16U << 16 | 128);                                       // DIEPTXF0
    otg.write(0xB10, 3U << 29 | 1U << 19 | 24);                              // DOEPTSIZ0: STUPCNT 3
  }

  void attach() {
    otg.set_vbus(true);
    initialize();
    otg.begin_bus_reset();
    endpoints_after_reset();
    otg.end_bus_reset();
    otg.write(0x014, kAll);
    otg.write(0x900, 0);  // DIEPCTL0: 64 bytes
  }

  struct Rx {
    unsigned endpoint, count, data_pid, status;
    Bytes data;
  };
  /// 28.17.6, packet read.
  Rx pop() {
    EXPECT_NE(otg.read(0x014) & 1U << 4, 0U) << "RXFLVL";
    const std::uint32_t word = otg.read(0x020);
    Rx rx{word & 0xF, word >> 4 & 0x7FF, word >> 15 & 3, word >> 17 & 0xF, {}};
    for (unsigned i = 0; i < rx.count; i += 4) append_le32(rx.data, otg.read(0x1000));
    rx.data.resize(rx.count);
    return rx;
  }
  void load(unsigned endpoint, ByteView data) {
    for (std::size_t i = 0; i < data.size(); i += 4) {
      Bytes word(data.begin() + i, data.begin() + std::min(i + 4, data.size()));
      word.resize(4);
      otg.write(0x1000 * (endpoint + 1), load_le32(word));
    }
  }
  /// 28.17.6, generic non-periodic IN data transfers.
  void send(unsigned n, ByteView data, std::uint32_t packets) {
    otg.write(0x910 + n * 0x20, packets << 19 | static_cast<std::uint32_t>(data.size()));
    otg.write(0x900 + n * 0x20, otg.read(0x900 + n * 0x20) | 1U << 31 | 1U << 26);  // EPENA, CNAK
    load(n, data);
  }
  /// 28.17.6, generic non-isochronous OUT data transfers.
  void receive(unsigned n, std::uint32_t size, std::uint32_t packets) {
    otg.write(0xB10 + n * 0x20, packets << 19 | size);
    otg.write(0xB00 + n * 0x20, otg.read(0xB00 + n * 0x20) | 1U << 31 | 1U << 26);
  }
  /// SETUP through to STUP, popped and cleared.
  void setup(const std::array<std::uint8_t, 8>& packet, std::uint8_t address = 0) {
    ASSERT_EQ(otg.setup(address, packet), PacketReply::Ack);
    ASSERT_NE(otg.in(address, 0).reply, PacketReply::Ack);  // the token that ends the setup stage
    const Rx data = pop();
    EXPECT_EQ(data.status, 6U);
    EXPECT_EQ(data.data, Bytes(packet.begin(), packet.end()));
    EXPECT_EQ(pop().status, 4U);
    EXPECT_NE(otg.read(0xB08) & 1U << 3, 0U) << "STUP";
    otg.write(0xB08, kAll);
  }
  /// 28.17.5, endpoint activation: bulk endpoint 1 in both directions.
  void activate_bulk() {
    otg.write(0x104, 64U << 16 | 144);                                 // DIEPTXF1
    otg.write(0x920, 64 | 1U << 15 | 2U << 18 | 1U << 22 | 1U << 28);  // DIEPCTL1
    otg.write(0xB20, 64 | 1U << 15 | 2U << 18 | 1U << 28);             // DOEPCTL1
    otg.write(0x81C, 3U << 0 | 3U << 16);
  }

  std::vector<std::string> reports;
  OtgFs otg{[this](std::string text) { reports.push_back(std::move(text)); }};
};

}  // namespace sureflash::sim
