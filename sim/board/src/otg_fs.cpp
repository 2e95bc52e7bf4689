// The registers of OTG_FS. Source: RM0008, 28.16, register by register.
#include "sureflash/sim/board/otg_fs.hpp"

#include <algorithm>
#include <utility>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {

using namespace otg;

namespace {

/// GSNPSID and GHWCFG1 to 4 are not in RM0008. Values of the same core, as the F407's full-speed
/// port has it.
constexpr std::uint32_t kGsnpsidValue = 0x4F54281A;
constexpr std::array<std::uint32_t, 4> kGhwcfgValues{0, 0x229DCD20, 0x020001E8, 0x0FF08030};
constexpr std::uint32_t kCidReset = 0x00001000;
constexpr std::array<std::uint32_t, 4> kEp0PacketSizes{64, 32, 16, 8};
constexpr std::uint32_t kIn0TsizMask = 0x0018007F;
constexpr std::uint32_t kOut0TsizMask = 0x6008007F;
constexpr std::uint32_t kTsizMask = 0x7FFFFFFF;
/// What of DIEPCTL and DOEPCTL is simply stored, for endpoints 1 to 3.
constexpr std::uint32_t kInStored =
    epctl::kMpsizMask | epctl::kUsbaep | epctl::kEptypMask | epctl::kStall | epctl::kTxfnumMask;
constexpr std::uint32_t kOutStored =
    epctl::kMpsizMask | epctl::kUsbaep | epctl::kEptypMask | epctl::kStall;

void assign_bits(std::uint32_t& word, std::uint32_t mask, std::uint32_t value) {
  word = (word & ~mask) | (value & mask);
}

}  // namespace

OtgFs::OtgFs(Report report, OtgSwitches switches)
    : report_(std::move(report)), switches_(switches) {
  reset();
}

void OtgFs::report(std::string text) const {
  if (report_) report_("OTG_FS: " + std::move(text));
}

void OtgFs::reset() {
  const bool vbus = s_.vbus;
  const bool usb_clock = s_.usb_clock;
  s_ = State{};
  s_.vbus = vbus;
  s_.usb_clock = usb_clock;
  s_.gusbcfg = gusbcfg::kReset;
  s_.cid = kCidReset;
  core_reset();
}

/// GRSTCTL.CSRST: clears interrupts, FIFOs, state machines and all CSRs but PCGCCTL, DCFG.DSPD and
/// what belongs to the transceiver. Source: RM0008, 28.16.2, OTG_FS_GRSTCTL.
void OtgFs::core_reset() {
  State fresh;
  fresh.gusbcfg = s_.gusbcfg;
  fresh.gccfg = s_.gccfg;
  fresh.cid = s_.cid;
  fresh.pcgcctl = s_.pcgcctl;
  fresh.vbus = s_.vbus;
  fresh.usb_clock = s_.usb_clock;
  fresh.session = s_.session;
  fresh.dcfg = dcfg::kReset | (s_.dcfg & dcfg::kDspdMask);
  fresh.grxfsiz = 0x200;
  fresh.dieptxf = {0x02000200, 0x02000400, 0x02000400, 0x02000400};
  fresh.dvbusdis = 0x17D7;
  fresh.dvbuspulse = 0x5B8;
  fresh.in[0].ctl = fresh.out[0].ctl = epctl::kUsbaep;
  s_ = std::move(fresh);
}

std::uint32_t OtgFs::in_packet_size(unsigned n) const {
  return n == 0 ? kEp0PacketSizes[s_.in[0].ctl & 3] : s_.in[n].ctl & epctl::kMpsizMask;
}

std::uint32_t OtgFs::out_packet_size(unsigned n) const {
  return n == 0 ? in_packet_size(0) : s_.out[n].ctl & epctl::kMpsizMask;
}

// --- Interrupts -------------------------------------------------------------------------------

std::uint32_t OtgFs::in_interrupts(unsigned n) const {
  const bool empty = tx_empty_enough(tx_fifo(n));
  return s_.in[n].interrupts | (empty ? diepint::kTxfe : 0);
}

std::uint32_t OtgFs::daint() const {
  std::uint32_t bits = 0;
  for (unsigned n = 0; n < kEndpoints; ++n) {
    const std::uint32_t txfe_enabled = (s_.diepempmsk >> n & 1) != 0 ? diepint::kTxfe : 0;
    const std::uint32_t enabled = (s_.diepmsk & ~diepint::kTxfe) | txfe_enabled;
    if ((in_interrupts(n) & enabled) != 0) bits |= bit(n);
    if ((s_.out[n].interrupts & s_.doepmsk) != 0) bits |= bit(16 + n);
  }
  return bits;
}

std::uint32_t OtgFs::gintsts() const {
  std::uint32_t value = s_.gint | gint::kNptxfe | gint::kPtxfe;
  const std::uint32_t endpoints = daint() & s_.daintmsk;
  if ((s_.gusbcfg & gusbcfg::kFhmod) != 0) value |= gint::kCmod;
  if (s_.gotgint != 0) value |= gint::kOtgint;
  if (!s_.rx.empty()) value |= gint::kRxflvl;
  if (s_.global_in_nak) value |= gint::kGinakeff;
  if (s_.global_out_nak) value |= gint::kGonakeff;
  if ((endpoints & 0xFFFF) != 0) value |= gint::kIepint;
  if ((endpoints >> 16) != 0) value |= gint::kOepint;
  return value;
}

bool OtgFs::irq() const {
  return (s_.gahbcfg & gahbcfg::kGint) != 0 && (gintsts() & s_.gintmsk) != 0;
}

// --- Reading ----------------------------------------------------------------------------------

std::uint32_t OtgFs::read(std::uint32_t offset) {
  if (offset == kGrxstsp) return pop_status();
  if (offset >= kFifoBegin) {
    if (offset < fifo(kEndpoints)) return pop_data();
    report("read of " + hex(offset, 5) + ", where no FIFO is");
    return 0;
  }
  if (offset >= kHostBegin && offset < kHostEnd) {
    s_.gint |= gint::kMmis;
    report("host mode register " + hex(offset, 3) + " read in device mode (MMIS)");
    return 0;
  }
  return peek(offset);
}

std::uint32_t OtgFs::peek(std::uint32_t offset) const {
  if (offset >= kInBegin && offset < kEndpointsEnd) return read_endpoint(offset);
  if (offset < kFifoBegin) return read_global(offset);
  return s_.rx.empty() ? 0 : s_.rx.front().value;
}

std::uint32_t OtgFs::read_global(std::uint32_t offset) const {
  if (offset >= kDieptxf1 && offset <= kDieptxf3) return s_.dieptxf[(offset - kDieptxf1) / 4 + 1];
  if (offset >= kGhwcfg1 && offset <= kGhwcfg4) return kGhwcfgValues[(offset - kGhwcfg1) / 4];
  switch (offset) {
    case kGotgctl:
      return s_.gotgctl | gotgctl::kCidsts | (s_.session ? gotgctl::kBsvld : 0);
    case kGotgint:
      return s_.gotgint;
    case kGahbcfg:
      return s_.gahbcfg;
    case kGusbcfg:
      return s_.gusbcfg | gusbcfg::kPhysel;
    case kGrstctl:
      return s_.grstctl | grstctl::kAhbidl;
    case kGintsts:
      return gintsts();
    case kGintmsk:
      return s_.gintmsk;
    case kGrxstsr:
    case kGrxstsp:
      return s_.rx.empty() ? 0 : s_.rx.front().value;
    case kGrxfsiz:
      return s_.grxfsiz;
    case kDieptxf0:
      return s_.dieptxf[0];
    case kHnptxsts:
      return 0x00080000 | tx_space(0);
    case kGccfg:
      return s_.gccfg;
    case kCid:
      return s_.cid;
    case kGsnpsid:
      return kGsnpsidValue;
    case kHptxfsiz:
      return 0x02000600;
    case kDcfg:
      return s_.dcfg;
    case kDctl:
      return s_.dctl | (s_.global_in_nak ? dctl::kGinsts : 0) |
             (s_.global_out_nak ? dctl::kGonsts : 0);
    case kDsts:
      return (s_.suspended ? dsts::kSuspsts : 0) | (s_.connected ? dsts::kEnumspdFull : 0x10) |
             static_cast<std::uint32_t>(s_.frame) << dsts::kFnsofShift;
    case kDiepmsk:
      return s_.diepmsk;
    case kDoepmsk:
      return s_.doepmsk;
    case kDaint:
      return daint();
    case kDaintmsk:
      return s_.daintmsk;
    case kDvbusdis:
      return s_.dvbusdis;
    case kDvbuspulse:
      return s_.dvbuspulse;
    case kDiepempmsk:
      return s_.diepempmsk;
    case kPcgcctl:
      return s_.pcgcctl;
    default:
      return 0;
  }
}

std::uint32_t OtgFs::read_endpoint(std::uint32_t offset) const {
  const bool is_in = offset < kOutBegin;
  const std::uint32_t relative = offset - (is_in ? kInBegin : kOutBegin);
  const unsigned n = relative / kEndpointStride;
  const std::uint32_t which = relative % kEndpointStride;
  if (n >= kEndpoints) return 0;
  const auto status = [&](std::uint32_t ctl, bool nak, bool data1) {
    return ctl | (nak ? epctl::kNaksts : 0) | (n != 0 && data1 ? epctl::kDpid : 0);
  };
  if (is_in) {
    const State::In& in = s_.in[n];
    if (which == kEpCtl) return status(in.ctl, in.nak, in.data1);
    if (which == kEpInt) return in_interrupts(n);
    if (which == kEpTsiz) return in.tsiz;
    if (which == kEpTxfsts) return tx_space(tx_fifo(n));
    return 0;
  }
  const State::Out& out = s_.out[n];
  if (which == kEpCtl)
    return status(n == 0 ? out.ctl | (s_.in[0].ctl & 3) : out.ctl, out.nak, out.data1);
  if (which == kEpInt) return out.interrupts;
  if (which == kEpTsiz) return out.tsiz;
  return 0;
}

// --- Writing ----------------------------------------------------------------------------------

void OtgFs::write(std::uint32_t offset, std::uint32_t value) {
  const bool gated = (s_.pcgcctl & (pcgcctl::kStppclk | pcgcctl::kGatehclk)) != 0;
  if (gated && offset != kPcgcctl && !s_.suspended) {
    report("register " + hex(offset, 3) + " written while PCGCCTL has stopped the clock");
  }
  if (offset >= kFifoBegin) {
    if (offset < fifo(kEndpoints)) return push_tx((offset - kFifoBegin) / kFifoStride, value);
    return report("write to " + hex(offset, 5) + ", where no FIFO is");
  }
  if (offset >= kInBegin && offset < kEndpointsEnd) return write_endpoint(offset, value);
  if (offset >= kHostBegin && offset < kHostEnd) {
    s_.gint |= gint::kMmis;
    return report("host mode register " + hex(offset, 3) + " written in device mode (MMIS)");
  }
  if (write_plain(offset, value)) return;
  switch (offset) {
    case kGotgint:
      s_.gotgint &= ~(value & gotgint::kAll);
      break;
    case kGintsts:
      s_.gint &= ~(value & gint::kLatched);
      break;
    case kGrstctl:
      write_grstctl(value);
      break;
    case kGccfg:
      write_gccfg(value);
      break;
    case kDcfg:
      write_dcfg(value);
      break;
    case kDctl:
      write_dctl(value);
      break;
    default:
      break;  // read-only or not there: ignored
  }
}

/// Registers that keep what is written. @returns whether `offset` is one of them.
bool OtgFs::write_plain(std::uint32_t offset, std::uint32_t value) {
  if (offset >= kDieptxf1 && offset <= kDieptxf3) {
    s_.dieptxf[(offset - kDieptxf1) / 4 + 1] = value;
    return true;
  }
  struct Plain {
    std::uint32_t offset;
    std::uint32_t State::*field;
    std::uint32_t mask;
  };
  static constexpr Plain kPlain[] = {
      {kGotgctl, &State::gotgctl, gotgctl::kWritable},
      {kGahbcfg, &State::gahbcfg, gahbcfg::kWritable},
      {kGusbcfg, &State::gusbcfg, gusbcfg::kWritable},
      {kGintmsk, &State::gintmsk, 0xFFFFFFFE},
      {kGrxfsiz, &State::grxfsiz, 0xFFFF},
      {kCid, &State::cid, 0xFFFFFFFF},
      {kDiepmsk, &State::diepmsk, 0xFFFF},
      {kDoepmsk, &State::doepmsk, 0xFFFF},
      {kDaintmsk, &State::daintmsk, 0xFFFFFFFF},
      {kDvbusdis, &State::dvbusdis, 0xFFFF},
      {kDvbuspulse, &State::dvbuspulse, 0xFFF},
      {kDiepempmsk, &State::diepempmsk, 0xFFFF},
      {kPcgcctl, &State::pcgcctl, 0x13},
  };
  if (offset == kDieptxf0) {
    s_.dieptxf[0] = value;
    return true;
  }
  const auto* plain = std::ranges::find(kPlain, offset, &Plain::offset);
  if (plain == std::end(kPlain)) return false;
  s_.*(plain->field) = value & plain->mask;
  if (offset == kGusbcfg && (value & gusbcfg::kFhmod) != 0) {
    report("GUSBCFG.FHMOD forces host mode, which is not modelled");
  }
  return true;
}

void OtgFs::write_grstctl(std::uint32_t value) {
  constexpr std::uint32_t kActions =
      grstctl::kCsrst | grstctl::kHsrst | grstctl::kFcrst | grstctl::kRxfflsh | grstctl::kTxfflsh;
  s_.grstctl = value & (0x1FU << grstctl::kTxfnumShift);
  if ((value & kActions) == 0) return;
  if (!s_.usb_clock) {
    // These bits are handed over to the clock domain of the transceiver, which does not run.
    s_.grstctl |= value & kActions;
    return report("GRSTCTL: a reset or flush does not end without the 48 MHz USB clock");
  }
  if ((value & grstctl::kRxfflsh) != 0) {
    s_.rx.clear();
    if (std::exchange(s_.global_out_nak_pending, false)) s_.global_out_nak = true;
  }
  if ((value & grstctl::kTxfflsh) != 0) flush_tx(value >> grstctl::kTxfnumShift & 0x1F);
  if ((value & grstctl::kCsrst) != 0) core_reset();
}

void OtgFs::write_gccfg(std::uint32_t value) {
  s_.gccfg = value & gccfg::kWritable;
  if ((value & gccfg::kNovbussens) != 0) {
    report("GCCFG bit 21 (NOVBUSSENS) is for F2 and F4; STM32F105 has no such bit");
  }
  update_session();
}

void OtgFs::write_dcfg(std::uint32_t value) {
  assign_bits(s_.dcfg, dcfg::kWritable, value);
  const auto address = static_cast<std::uint8_t>((value & dcfg::kDadMask) >> dcfg::kDadShift);
  // The status stage of SET_ADDRESS still goes to the old address; in_sent() changes it then.
  if (!s_.in_control) s_.address = address;
  if ((value & dcfg::kDspdMask) != dcfg::kDspdFull) {
    report("DCFG.DSPD must be 3: this transceiver is full-speed");
  }
}

void OtgFs::write_dctl(std::uint32_t value) {
  s_.dctl = value & dctl::kWritable;
  if ((value & dctl::kSginak) != 0) s_.global_in_nak = true;
  if ((value & dctl::kCginak) != 0) s_.global_in_nak = false;
  if ((value & dctl::kSgonak) != 0 && !s_.global_out_nak && !s_.global_out_nak_pending) {
    s_.global_out_nak_pending = true;
    push_rx(PacketStatus::GlobalOutNak, 0, {}, false);
  }
  if ((value & dctl::kCgonak) != 0) s_.global_out_nak = false;
  update_session();
}

void OtgFs::write_endpoint(std::uint32_t offset, std::uint32_t value) {
  const bool is_in = offset < kOutBegin;
  const std::uint32_t relative = offset - (is_in ? kInBegin : kOutBegin);
  const unsigned n = relative / kEndpointStride;
  const std::uint32_t which = relative % kEndpointStride;
  if (n >= kEndpoints) {
    return report("endpoint " + decimal(n) + " configured; this core has endpoints 0 to 3");
  }
  if (which == kEpCtl) return is_in ? write_in_ctl(n, value) : write_out_ctl(n, value);
  if (which == kEpInt) {
    (is_in ? s_.in[n].interrupts : s_.out[n].interrupts) &= ~value;
  } else if (which == kEpTsiz) {
    const std::uint32_t mask = n != 0 ? kTsizMask : is_in ? kIn0TsizMask : kOut0TsizMask;
    (is_in ? s_.in[n].tsiz : s_.out[n].tsiz) = value & mask;
    if (is_in && (s_.in[n].ctl & epctl::kEpena) != 0) {
      report("DIEPTSIZ" + decimal(n) +
             " written while a transfer is under way; what is in its FIFO goes out first");
      begin_in(n);
    }
  }
}

void OtgFs::write_in_ctl(unsigned n, std::uint32_t value) {
  State::In& in = s_.in[n];
  if (n == 0) {
    // STALL of endpoint 0 can only be set; a SETUP clears it.
    assign_bits(in.ctl, epctl::kTxfnumMask | 3, value);
    in.ctl |= value & epctl::kStall;
  } else {
    assign_bits(in.ctl, kInStored, value);
    if ((value & epctl::kSd0pid) != 0) in.data1 = false;
    if ((value & epctl::kSd1pid) != 0) in.data1 = true;
  }
  if ((value & epctl::kSnak) != 0) {
    in.nak = true;
    in.interrupts |= diepint::kInepne;
  }
  if ((value & epctl::kCnak) != 0) {
    in.nak = false;
    in.interrupts &= ~diepint::kInepne;
  }
  if ((value & epctl::kEpdis) != 0 && (in.ctl & epctl::kEpena) != 0) {
    in.ctl &= ~epctl::kEpena;
    in.to_send = in.packet_to_load = 0;
    in.interrupts |= diepint::kEpdisd;
  } else if ((value & ~in.ctl & epctl::kEpena) != 0 && (value & epctl::kEpdis) == 0) {
    enable_in(n);
  }
}

void OtgFs::write_out_ctl(unsigned n, std::uint32_t value) {
  State::Out& out = s_.out[n];
  if (n == 0) {
    out.ctl |= value & epctl::kStall;
  } else {
    assign_bits(out.ctl, kOutStored, value);
    if ((value & epctl::kSd0pid) != 0) out.data1 = false;
    if ((value & epctl::kSd1pid) != 0) out.data1 = true;
  }
  if ((value & epctl::kSnak) != 0) out.nak = true;
  if ((value & epctl::kCnak) != 0) out.nak = false;
  if ((value & epctl::kEpdis) != 0 && (out.ctl & epctl::kEpena) != 0) {
    if (n == 0) return report("DOEPCTL0.EPDIS: control OUT endpoint 0 cannot be disabled");
    if (!s_.global_out_nak) {
      report("OUT endpoint " + decimal(n) +
             " disabled without global OUT NAK in effect (28.17.6, disabling an OUT endpoint)");
    }
    out.ctl &= ~epctl::kEpena;
    out.interrupts |= doepint::kEpdisd;
  } else if ((value & ~out.ctl & epctl::kEpena) != 0 && (value & epctl::kEpdis) == 0) {
    enable_out(n);
  }
}

void OtgFs::enable_in(unsigned n) {
  State::In& in = s_.in[n];
  if ((s_.gccfg & gccfg::kPwrdwn) == 0) report("endpoint enabled while the transceiver is off");
  const std::uint32_t size = in.tsiz & (n == 0 ? 0x7FU : 0x7FFFFU);
  const std::uint32_t packets = in.tsiz >> eptsiz::kPktcntShift & (n == 0 ? 3U : 0x3FFU);
  const std::uint32_t packet_size = in_packet_size(n);
  if (packets == 0) report("IN endpoint " + decimal(n) + " enabled with PKTCNT 0");
  if (packet_size * packets < size) {
    report("IN endpoint " + decimal(n) + ": XFRSIZ " + decimal(size) + " does not fit into " +
           decimal(packets) + " packets of " + decimal(packet_size));
  }
  check_fifo_layout();
  in.ctl |= epctl::kEpena;
  begin_in(n);
}

void OtgFs::begin_in(unsigned n) {
  State::In& in = s_.in[n];
  in.to_send = in.tsiz & (n == 0 ? 0x7FU : 0x7FFFFU);
  in.packet_to_load = std::min(in_packet_size(n), in.to_send);
}

void OtgFs::enable_out(unsigned n) {
  State::Out& out = s_.out[n];
  if ((s_.gccfg & gccfg::kPwrdwn) == 0) report("endpoint enabled while the transceiver is off");
  const std::uint32_t size = out.tsiz & (n == 0 ? 0x7FU : 0x7FFFFU);
  if (const std::uint32_t mps = out_packet_size(n); n != 0 && mps != 0 && size % mps != 0) {
    report("OUT endpoint " + decimal(n) + ": XFRSIZ " + decimal(size) +
           " is not a multiple of the packet size " + decimal(mps));
  }
  check_fifo_layout();
  out.ctl |= epctl::kEpena;
}

void OtgFs::update_session() {
  const bool powered = (s_.gccfg & gccfg::kPwrdwn) != 0;
  const bool sensed =
      (s_.gccfg & gccfg::kVbusbsen) != 0 ? s_.vbus : switches_.session_without_sensing;
  const bool before = std::exchange(s_.session, powered && sensed);
  if (!before && s_.session) s_.gint |= gint::kSrqint;
  if (before && !s_.session) {
    s_.gotgint |= gotgint::kSedet;
    s_.connected = false;
  }
  if (!switches_.session_without_sensing && powered && (s_.gccfg & gccfg::kVbusbsen) == 0 &&
      (s_.gahbcfg & gahbcfg::kGint) != 0) {
    report("GCCFG.VBUSBSEN is off: this board never sees a session then");
  }
  if (s_.session && (s_.dctl & dctl::kSdis) == 0 && !s_.usb_clock) {
    report("cannot connect: RCC does not give the core its 48 MHz");
  }
}

void OtgFs::set_vbus(bool high) {
  if (high == s_.vbus) return;
  s_.vbus = high;
  update_session();
}

void OtgFs::set_usb_clock(bool running) {
  if (running == s_.usb_clock) return;
  s_.usb_clock = running;
  if (running) write_grstctl(std::exchange(s_.grstctl, 0));
}

}  // namespace sureflash::sim
