// FIFO memory of OTG_FS. Source: RM0008, 28.12 and 28.17.6 ("Operational model").
#include <algorithm>
#include <utility>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/board/otg_fs.hpp"

namespace sureflash::sim {

using namespace otg;

namespace {

/// Locations of the receive FIFO that are kept for SETUP packets (28.17.6, "SETUP transactions").
constexpr std::size_t kSetupReserve = 10;

constexpr std::size_t words(std::size_t bytes) {
  return (bytes + 3) / 4;
}

}  // namespace

unsigned OtgFs::tx_fifo(unsigned endpoint) const {
  return (s_.in[endpoint].ctl & epctl::kTxfnumMask) >> epctl::kTxfnumShift & (kEndpoints - 1);
}

std::uint32_t OtgFs::tx_space(unsigned fifo) const {
  const auto used = static_cast<std::uint32_t>(s_.tx[fifo].size());
  return tx_depth(fifo) > used ? tx_depth(fifo) - used : 0;
}

bool OtgFs::tx_empty_enough(unsigned fifo) const {
  if ((s_.gahbcfg & gahbcfg::kTxfelvl) != 0) return s_.tx[fifo].empty();
  return s_.tx[fifo].size() * 2 <= tx_depth(fifo);
}

void OtgFs::push_tx(unsigned endpoint, std::uint32_t word) {
  const std::string who = "FIFO of IN endpoint " + decimal(endpoint);
  State::In& in = s_.in[endpoint];
  const unsigned fifo = tx_fifo(endpoint);
  if (tx_space(fifo) == 0) return report(who + " overflows; the word is lost");
  s_.tx[fifo].push_back(word);
  if ((in.ctl & epctl::kEpena) == 0) {
    return report(who + " written while the endpoint is not enabled");
  }
  if (in.packet_to_load == 0) return report(who + " gets more data than XFRSIZ announced");
  const std::uint32_t bytes = std::min<std::uint32_t>(4, in.packet_to_load);
  in.packet_to_load -= bytes;
  in.tsiz -= bytes;
  if (in.packet_to_load == 0) {
    const std::uint32_t left = in.tsiz & (endpoint == 0 ? 0x7FU : 0x7FFFFU);
    in.packet_to_load = std::min(in_packet_size(endpoint), left);
  }
}

void OtgFs::flush_tx(std::uint32_t which) {
  for (unsigned fifo = 0; fifo < kEndpoints; ++fifo) {
    if (which == grstctl::kTxfnumAll || which == fifo) s_.tx[fifo].clear();
  }
}

/// The status word counts as one location, data as one per four bytes.
bool OtgFs::rx_room(std::size_t bytes) const {
  const std::size_t needed = 1 + words(bytes) + 1;  // with the "complete" that may follow
  return s_.rx.size() + needed + kSetupReserve <= s_.grxfsiz;
}

void OtgFs::push_rx(PacketStatus status, unsigned endpoint, ByteView data, bool data1) {
  const std::uint32_t word = endpoint |
                             static_cast<std::uint32_t>(data.size()) << grxsts::kBcntShift |
                             (data1 ? grxsts::kDpidData1 : 0) << grxsts::kDpidShift |
                             static_cast<std::uint32_t>(status) << grxsts::kPktstsShift |
                             static_cast<std::uint32_t>(s_.frame & 0xF) << grxsts::kFrmnumShift;
  s_.rx.push_back({word, true});
  for (std::size_t i = 0; i < data.size(); i += 4) {
    std::uint32_t value = 0;
    for (std::size_t j = i; j < std::min(i + 4, data.size()); ++j) {
      value |= std::uint32_t{data[j]} << 8 * (j - i);
    }
    s_.rx.push_back({value, false});
  }
}

std::uint32_t OtgFs::pop_status() {
  if (s_.rx.empty()) {
    report("GRXSTSP read while the receive FIFO is empty");
    return 0;
  }
  const State::RxWord head = s_.rx.front();
  s_.rx.pop_front();
  if (head.status) {
    status_popped(head.value);
  } else {
    report("GRXSTSP read while data of the packet before are unread: this is a word of them");
  }
  return head.value;
}

std::uint32_t OtgFs::pop_data() {
  if (s_.rx.empty() || s_.rx.front().status) {
    report("read of the receive FIFO beyond the data of the packet popped last");
    return 0;
  }
  const std::uint32_t value = s_.rx.front().value;
  s_.rx.pop_front();
  return value;
}

/// What popping a status word brings about. Source: RM0008, 28.17.6, "Packet read" and "SETUP
/// transactions", internal data flow.
void OtgFs::status_popped(std::uint32_t word) {
  const unsigned n = word & (kEndpoints - 1);
  State::Out& out = s_.out[n];
  switch (static_cast<PacketStatus>(word >> grxsts::kPktstsShift & 0xF)) {
    case PacketStatus::GlobalOutNak:
      s_.global_out_nak_pending = false;
      s_.global_out_nak = true;
      break;
    case PacketStatus::SetupComplete:
      out.interrupts |= doepint::kStup;
      break;
    case PacketStatus::OutComplete:
      out.interrupts |= doepint::kXfrc;
      break;
    case PacketStatus::OutData:
    case PacketStatus::SetupData:
      break;
  }
}

/// The application lays out the FIFO memory; nothing in the core checks it.
void OtgFs::check_fifo_layout() const {
  struct Area {
    std::string name;
    AddressRange range;
  };
  std::vector<Area> areas{{"receive FIFO", {0, s_.grxfsiz}}};
  for (unsigned n = 0; n < kEndpoints; ++n) {
    if ((s_.in[n].ctl & epctl::kUsbaep) == 0) continue;
    const std::uint32_t layout = s_.dieptxf[tx_fifo(n)];
    areas.push_back(
        {"FIFO of IN endpoint " + decimal(n), AddressRange::sized(layout & 0xFFFF, layout >> 16)});
  }
  for (const Area& area : areas) {
    if (area.range.end > kFifoWords) {
      report(area.name + " ends at word " + decimal(area.range.end) + " of 320");
    }
    for (const Area& other : areas) {
      if (&other < &area && other.range.overlaps(area.range) && !(other.range == area.range)) {
        report(area.name + " overlaps the " + other.name);
      }
    }
  }
}

}  // namespace sureflash::sim
