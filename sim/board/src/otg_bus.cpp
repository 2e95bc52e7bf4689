// What the host sees of OTG_FS. Sources: RM0008, 28.17.6; USB 2.0, 8.5 and 8.6.
#include <algorithm>
#include <utility>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/board/otg_fs.hpp"

namespace sureflash::sim {

using namespace otg;

bool OtgFs::pulled_up() const {
  return s_.session && s_.usb_clock && (s_.dctl & dctl::kSdis) == 0 &&
         (s_.gusbcfg & gusbcfg::kFhmod) == 0;
}

void OtgFs::begin_bus_reset() {
  if ((s_.gccfg & gccfg::kVbusbsen) == 0 && pulled_up()) {
    report(
        "GCCFG.VBUSBSEN is off: what an F105 does then is not known; this board takes the "
        "session for valid");
  }
  s_.in_reset = true;
  s_.gint |= gint::kUsbrst;
  s_.suspended = s_.wakeup = false;
  s_.in_control = s_.setup_stage = false;
  s_.address = 0;
  if (switches_.reset_clears_address) s_.dcfg &= ~dcfg::kDadMask;
  for (unsigned n = 0; n < kEndpoints; ++n) {
    s_.in[n].data1 = s_.out[n].data1 = false;
    if (n == 0) continue;
    s_.in[n].ctl &= ~epctl::kUsbaep;
    s_.out[n].ctl &= ~epctl::kUsbaep;
  }
}

void OtgFs::end_bus_reset() {
  s_.in_reset = false;
  s_.connected = true;
  // With a stale address left in DCFG (see OtgSwitches) the core listens to that one.
  s_.address = static_cast<std::uint8_t>((s_.dcfg & dcfg::kDadMask) >> dcfg::kDadShift);
  s_.gint |= gint::kEnumdne;
}

void OtgFs::start_of_frame(std::uint16_t number) {
  s_.frame = number & 0x3FFF;
  s_.wakeup = false;
  s_.gint |= gint::kSof;
}

void OtgFs::suspend() {
  if (s_.suspended) return;
  s_.suspended = true;
  s_.gint |= gint::kEsusp | gint::kUsbsusp;
}

void OtgFs::resume() {
  if (!std::exchange(s_.suspended, false)) return;
  s_.wakeup = true;
  s_.gint |= gint::kWkupint;
}

bool OtgFs::remote_wakeup() const {
  return s_.suspended && (s_.dctl & dctl::kRwusig) != 0;
}

bool OtgFs::listens(std::uint8_t address) const {
  return pulled_up() && !s_.in_reset && !s_.suspended && s_.connected && address == s_.address;
}

/// SETUP is accepted whatever the endpoint is doing. Source: RM0008, 28.17.6, "SETUP transactions".
PacketReply OtgFs::setup(std::uint8_t address, const std::array<std::uint8_t, 8>& packet) {
  if (!listens(address)) return PacketReply::None;
  if (s_.rx.size() + 3 > s_.grxfsiz) {
    report("SETUP lost: the receive FIFO is full");
    return PacketReply::None;
  }
  State::In& in = s_.in[0];
  State::Out& out = s_.out[0];
  in.nak = out.nak = true;
  in.data1 = out.data1 = true;
  in.ctl &= ~epctl::kStall;
  // EPENA is clear "before" STUP (28.16.4, DOEPCTL0). Not as late as the end of the stage: drivers
  // that enable the endpoint as soon as they have read the SETUP packet work on silicon.
  out.ctl &= ~(epctl::kStall | epctl::kEpena);
  const std::uint32_t left = out.tsiz >> eptsiz::kStupcntShift & 3;
  if (left != 0) {
    out.tsiz -= bit(eptsiz::kStupcntShift);
  } else if (s_.setup_stage) {
    out.interrupts |= doepint::kB2bstup;
  }
  s_.in_control = s_.setup_stage = true;
  push_rx(PacketStatus::SetupData, 0, packet, false);
  return PacketReply::Ack;
}

/// The first token of the next stage makes the core write "setup stage done".
void OtgFs::end_setup_stage() {
  if (std::exchange(s_.setup_stage, false)) push_rx(PacketStatus::SetupComplete, 0, {}, false);
}

PacketReply OtgFs::out(std::uint8_t address, std::uint8_t endpoint, bool data1, ByteView data) {
  if (!listens(address) || endpoint >= kEndpoints) return PacketReply::None;
  State::Out& out = s_.out[endpoint];
  if ((out.ctl & epctl::kUsbaep) == 0) return PacketReply::None;
  if (endpoint == 0) end_setup_stage();
  if ((out.ctl & epctl::kStall) != 0) return PacketReply::Stall;
  const bool enabled = (out.ctl & epctl::kEpena) != 0;
  if (!enabled && endpoint == 0) out.interrupts |= doepint::kOtepdis;
  if (!enabled || out.nak || s_.global_out_nak || s_.global_out_nak_pending) {
    return PacketReply::Nak;
  }
  return accept_out(endpoint, data1, data);
}

PacketReply OtgFs::accept_out(unsigned n, bool data1, ByteView data) {
  State::Out& out = s_.out[n];
  const std::uint32_t packet_size = out_packet_size(n);
  if (data.size() > packet_size) return PacketReply::None;  // babble: USB 2.0, 8.7.4
  if (data1 != out.data1) return PacketReply::Ack;          // a repetition: USB 2.0, 8.6.4
  if (!rx_room(data.size())) {
    if (s_.rx.empty()) report("receive FIFO too small for a packet: GRXFSIZ, 28.12.1");
    return PacketReply::Nak;
  }
  out.data1 = !out.data1;
  push_rx(PacketStatus::OutData, n, data, data1);
  const std::uint32_t size = out.tsiz & (n == 0 ? 0x7FU : 0x7FFFFU);
  const std::uint32_t packets = out.tsiz >> eptsiz::kPktcntShift & (n == 0 ? 1U : 0x3FFU);
  const auto count = static_cast<std::uint32_t>(data.size());
  if (count > size) report("OUT endpoint " + decimal(n) + " got more bytes than XFRSIZ");
  out.tsiz -= std::min(count, size);
  if (packets != 0) out.tsiz -= bit(eptsiz::kPktcntShift);
  if (packets <= 1 || count < packet_size || count >= size) {
    // As with SETUP: "before" XFRC, which comes when this is popped. Until it is enabled again the
    // endpoint sends NAK (28.17.6, generic non-isochronous OUT data transfers).
    out.ctl &= ~epctl::kEpena;
    out.nak = true;
    push_rx(PacketStatus::OutComplete, n, {}, data1);
    // Status stage of a control read.
    if (n == 0 && count == 0) s_.in_control = false;
  }
  return PacketReply::Ack;
}

InPacket OtgFs::in(std::uint8_t address, std::uint8_t endpoint, bool acknowledged) {
  if (!listens(address) || endpoint >= kEndpoints) return {};
  State::In& in = s_.in[endpoint];
  if ((in.ctl & epctl::kUsbaep) == 0) return {};
  if (endpoint == 0) end_setup_stage();
  if ((in.ctl & epctl::kStall) != 0) return {.reply = PacketReply::Stall, .data = {}};
  if (in.nak || s_.global_in_nak) return {.reply = PacketReply::Nak, .data = {}};
  return take_in(endpoint, acknowledged);
}

InPacket OtgFs::take_in(unsigned n, bool acknowledged) {
  State::In& in = s_.in[n];
  std::deque<std::uint32_t>& fifo = s_.tx[tx_fifo(n)];
  const std::uint32_t bytes = std::min(in_packet_size(n), in.to_send);
  const std::uint32_t count = (bytes + 3) / 4;
  const bool enabled = (in.ctl & epctl::kEpena) != 0 &&
                       (in.tsiz >> eptsiz::kPktcntShift & (n == 0 ? 3U : 0x3FFU)) != 0;
  if (!enabled || fifo.size() < count) {
    if (fifo.empty()) in.interrupts |= diepint::kIttxfe;
    return {.reply = PacketReply::Nak, .data = {}};
  }
  InPacket packet{.reply = PacketReply::Ack, .data1 = in.data1, .data = {}};
  for (std::uint32_t i = 0; i < count; ++i) append_le32(packet.data, fifo[i]);
  packet.data.resize(bytes);
  if (acknowledged) {
    fifo.erase(fifo.begin(), fifo.begin() + count);
    in_sent(n, bytes);
  } else if (n == 0) {
    in.interrupts |= diepint::kToc;
  }
  return packet;
}

void OtgFs::in_sent(unsigned n, std::uint32_t bytes) {
  State::In& in = s_.in[n];
  in.data1 = !in.data1;
  in.to_send -= bytes;
  in.tsiz -= bit(eptsiz::kPktcntShift);
  if ((in.tsiz >> eptsiz::kPktcntShift & (n == 0 ? 3U : 0x3FFU)) == 0) {
    in.ctl &= ~epctl::kEpena;
    in.interrupts |= diepint::kXfrc;
  }
  if (n == 0 && bytes == 0) {
    // The status stage of a control write or of SET_ADDRESS: from here on the new address holds.
    s_.in_control = false;
    s_.address = static_cast<std::uint8_t>((s_.dcfg & dcfg::kDadMask) >> dcfg::kDadShift);
  }
}

}  // namespace sureflash::sim
