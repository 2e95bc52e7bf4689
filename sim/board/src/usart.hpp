#pragma once

#include <deque>
#include <optional>

#include "peripheral.hpp"

namespace sureflash::sim {

struct UsartState {
  std::uint32_t sr = 0xC0, dr = 0, brr = 0, cr1 = 0, cr2 = 0, cr3 = 0, gtpr = 0;
  std::optional<std::uint8_t> waiting;   ///< in DR, behind the byte that goes out
  std::optional<std::uint8_t> shifting;  ///< going out
  Duration sent_at = kNoTime;
  std::deque<std::uint8_t> incoming;  ///< on the wire to us
  Duration received_at = kNoTime;
  bool status_read = false;  ///< the first half of the sequence that clears ORE
};
/// Asynchronous mode, eight data bits as the host sees them. Source: RM0008, chapter 27.
class Usart final : public StatefulPeripheral<UsartState> {
 public:
  Usart(Chipset& chip, unsigned number) : chip_(chip), number_(number) {}

  void reset() override;
  std::uint32_t read(std::uint32_t offset) override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override { return std::min(s_.sent_at, s_.received_at); }
  void run_events() override;

  /// CR3.DMAT and DMAR with TXE and RXNE.
  bool wants_dma_write() const { return (s_.cr3 >> 7 & 1) != 0 && (s_.sr >> 7 & 1) != 0; }
  bool wants_dma_read() const { return (s_.cr3 >> 6 & 1) != 0 && (s_.sr >> 5 & 1) != 0; }
  /// Bytes that somebody sends, at the baud rate that is set.
  void receive(std::uint8_t byte);

 private:
  Duration frame() const;
  void send(std::uint8_t byte);
  void begin_frame(std::uint8_t byte);
  void end_frame();
  void take_byte();
  void update_irq();

  Chipset& chip_;
  unsigned number_;
};

}  // namespace sureflash::sim
