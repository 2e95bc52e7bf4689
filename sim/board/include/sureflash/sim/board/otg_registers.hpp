#pragma once

#include <cstdint>

/// Registers and bits of the OTG_FS core, in device mode, spelled as in the manual.
/// Source: RM0008 (STM32F105/107 reference manual), 28.16; FIFO windows 28.16.1.
namespace sureflash::sim::otg {

inline constexpr std::uint32_t kSize = 0x40000;
inline constexpr unsigned kEndpoints = 4;
/// 1.25 KiB of FIFO memory for everything (28.12).
inline constexpr std::uint32_t kFifoWords = 320;

// Core global registers, 28.16.2.
inline constexpr std::uint32_t kGotgctl = 0x000, kGotgint = 0x004, kGahbcfg = 0x008,
                               kGusbcfg = 0x00C, kGrstctl = 0x010, kGintsts = 0x014,
                               kGintmsk = 0x018, kGrxstsr = 0x01C, kGrxstsp = 0x020,
                               kGrxfsiz = 0x024, kDieptxf0 = 0x028, kHnptxsts = 0x02C,
                               kGccfg = 0x038, kCid = 0x03C;
/// Not in RM0008; the Synopsys core has them, and portable drivers read them.
inline constexpr std::uint32_t kGsnpsid = 0x040, kGhwcfg1 = 0x044, kGhwcfg2 = 0x048,
                               kGhwcfg3 = 0x04C, kGhwcfg4 = 0x050, kGdfifocfg = 0x05C;
inline constexpr std::uint32_t kHptxfsiz = 0x100, kDieptxf1 = 0x104, kDieptxf3 = 0x10C;
/// Host mode registers, 28.16.3.
inline constexpr std::uint32_t kHostBegin = 0x400, kHostEnd = 0x800;
// Device mode registers, 28.16.4.
inline constexpr std::uint32_t kDcfg = 0x800, kDctl = 0x804, kDsts = 0x808, kDiepmsk = 0x810,
                               kDoepmsk = 0x814, kDaint = 0x818, kDaintmsk = 0x81C,
                               kDvbusdis = 0x828, kDvbuspulse = 0x82C, kDiepempmsk = 0x834;
inline constexpr std::uint32_t kInBegin = 0x900, kOutBegin = 0xB00, kEndpointStride = 0x20,
                               kEndpointsEnd = 0xD00;
/// Offsets inside the registers of one endpoint.
inline constexpr std::uint32_t kEpCtl = 0x00, kEpInt = 0x08, kEpTsiz = 0x10, kEpTxfsts = 0x18;
inline constexpr std::uint32_t kPcgcctl = 0xE00;
inline constexpr std::uint32_t kFifoBegin = 0x1000, kFifoStride = 0x1000;

constexpr std::uint32_t in_register(unsigned endpoint, std::uint32_t which) {
  return kInBegin + endpoint * kEndpointStride + which;
}
constexpr std::uint32_t out_register(unsigned endpoint, std::uint32_t which) {
  return kOutBegin + endpoint * kEndpointStride + which;
}
constexpr std::uint32_t fifo(unsigned endpoint) {
  return kFifoBegin + endpoint * kFifoStride;
}

constexpr std::uint32_t bit(unsigned n) {
  return std::uint32_t{1} << n;
}

namespace gotgctl {
inline constexpr std::uint32_t kCidsts = bit(16), kBsvld = bit(19), kWritable = 0xE02;
}
namespace gotgint {
inline constexpr std::uint32_t kSedet = bit(2), kAll = 0x000E0304;
}
namespace gahbcfg {
inline constexpr std::uint32_t kGint = bit(0), kTxfelvl = bit(7), kWritable = 0x181;
}
namespace gusbcfg {
inline constexpr std::uint32_t kPhysel = bit(6), kFhmod = bit(29), kFdmod = bit(30),
                               kWritable = 0xE0003F47, kReset = 0x00000A00;
}
namespace grstctl {
inline constexpr std::uint32_t kCsrst = bit(0), kHsrst = bit(1), kFcrst = bit(2), kRxfflsh = bit(4),
                               kTxfflsh = bit(5), kAhbidl = bit(31);
inline constexpr unsigned kTxfnumShift = 6;
inline constexpr std::uint32_t kTxfnumAll = 0x10;
}  // namespace grstctl
namespace gint {
inline constexpr std::uint32_t kCmod = bit(0), kMmis = bit(1), kOtgint = bit(2), kSof = bit(3),
                               kRxflvl = bit(4), kNptxfe = bit(5), kGinakeff = bit(6),
                               kGonakeff = bit(7), kEsusp = bit(10), kUsbsusp = bit(11),
                               kUsbrst = bit(12), kEnumdne = bit(13), kIepint = bit(18),
                               kOepint = bit(19), kPtxfe = bit(26), kSrqint = bit(30),
                               kWkupint = bit(31);
/// Cleared by writing 1.
inline constexpr std::uint32_t kLatched =
    kMmis | kSof | kEsusp | kUsbsusp | kUsbrst | kEnumdne | kSrqint | kWkupint;
}  // namespace gint
/// PKTSTS of GRXSTSP in device mode.
enum class PacketStatus : std::uint8_t {
  GlobalOutNak = 1,
  OutData = 2,
  OutComplete = 3,
  SetupComplete = 4,
  SetupData = 6,
};
namespace grxsts {
inline constexpr unsigned kBcntShift = 4, kDpidShift = 15, kPktstsShift = 17, kFrmnumShift = 21;
inline constexpr std::uint32_t kDpidData1 = 2;
}  // namespace grxsts
namespace gccfg {
/// kNovbussens: F2 and F4 only; no meaning here.
inline constexpr std::uint32_t kPwrdwn = bit(16), kVbusasen = bit(18), kVbusbsen = bit(19),
                               kSofouten = bit(20), kNovbussens = bit(21), kWritable = 0x1D0000;
}  // namespace gccfg
namespace dcfg {
inline constexpr unsigned kDadShift = 4;
inline constexpr std::uint32_t kDspdMask = 3, kDspdFull = 3, kNzlsohsk = bit(2),
                               kDadMask = 0x7FU << kDadShift, kWritable = 0x1FF7,
                               kReset = 0x02200000;
}  // namespace dcfg
namespace dctl {
inline constexpr std::uint32_t kRwusig = bit(0), kSdis = bit(1), kGinsts = bit(2), kGonsts = bit(3),
                               kSginak = bit(7), kCginak = bit(8), kSgonak = bit(9),
                               kCgonak = bit(10), kWritable = 0x873;
}
namespace dsts {
inline constexpr std::uint32_t kSuspsts = bit(0), kEnumspdFull = 3U << 1;
inline constexpr unsigned kFnsofShift = 8;
}  // namespace dsts
namespace epctl {
inline constexpr std::uint32_t kMpsizMask = 0x7FF, kUsbaep = bit(15), kDpid = bit(16),
                               kNaksts = bit(17), kEptypMask = 3U << 18, kStall = bit(21),
                               kTxfnumMask = 15U << 22, kCnak = bit(26), kSnak = bit(27),
                               kSd0pid = bit(28), kSd1pid = bit(29), kEpdis = bit(30),
                               kEpena = bit(31);
inline constexpr unsigned kEptypShift = 18, kTxfnumShift = 22;
inline constexpr std::uint32_t kControl = 0, kIsochronous = 1, kBulk = 2, kInterrupt = 3;
}  // namespace epctl
namespace diepint {
inline constexpr std::uint32_t kXfrc = bit(0), kEpdisd = bit(1), kToc = bit(3), kIttxfe = bit(4),
                               kInepne = bit(6), kTxfe = bit(7);
}
namespace doepint {
inline constexpr std::uint32_t kXfrc = bit(0), kEpdisd = bit(1), kStup = bit(3), kOtepdis = bit(4),
                               kB2bstup = bit(6);
}
namespace eptsiz {
inline constexpr unsigned kPktcntShift = 19, kStupcntShift = 29;
}
namespace pcgcctl {
inline constexpr std::uint32_t kStppclk = bit(0), kGatehclk = bit(1);
}

}  // namespace sureflash::sim::otg
