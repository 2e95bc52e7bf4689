#include "sureflash/sim/board/board_spec.hpp"

#include <array>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr auto kKeys = std::to_array<KeyHelp>({
    {"vbus", "0|1", "1", "whether the cable is in, with VBUS on PA9"},
    {"hse", "HZ", "25M", "the crystal, as in 8M or 14745600; 0: none"},
    {"boot0", "0|1", "0", "the BOOT0 pin; 1 with boot1=0 starts the ROM boot loader"},
    {"boot1", "0|1", "0", "the BOOT1 pin (PB2)"},
    {"flash", "KIB", "256", "64, 128 or 256 KiB of flash"},
    {"rom", "2.0|2.1|2.2", "2.2", "version of the ROM boot loader"},
    {"rom-sets-vtor", "0|1", "0", "whether the ROM points VTOR to its own vectors"},
    {"rom-leaves-vtor", "0|1", "0", "whether VTOR is still there when it starts an application"},
    {"session", "sensed|assumed", "assumed", "OTG_FS with VBUSBSEN off: no session, or always one"},
    {"reset-clears-address", "0|1", "1", "whether a bus reset clears DCFG.DAD"},
    {"reserved-pllmul", "multiplies|stops", "multiplies",
     "what PLLMUL does with codes reserved on connectivity line"},
    {"late-faults", "0|1", "0", "bus faults of buffered stores come late, as on silicon"},
    {"state", "FILE", "", "keep the chip in FILE between runs; it goes before the firmware"},
    {"clock", "virtual|real", "virtual", "whether waits take wall time"},
    {"times", "min|typ|max", "typ", "which data sheet times the flash has"},
    {"cut-cycle", "N", "", "power is lost at this core cycle"},
    {"cut-flash", "N", "", "power is lost during this flash operation, counted from 0"},
    {"seed", "N", "0", "unique id, noise, and whatever is left to chance"},
});

F105RomVersion rom_version(const Settings& settings) {
  if (settings.is("rom", "2.0")) return F105RomVersion::V2_0;
  if (settings.is("rom", "2.1")) return F105RomVersion::V2_1;
  return F105RomVersion::V2_2;
}

TimeChoice flash_time(const Settings& settings) {
  if (settings.is("times", "min")) return TimeChoice::Min;
  if (settings.is("times", "max")) return TimeChoice::Max;
  return TimeChoice::Typical;
}

Result<BoardOptions> options_of(const Settings& settings) {
  BoardOptions o;
  o.vbus = settings.on("vbus");
  o.boot0 = settings.on("boot0");
  o.boot1 = settings.on("boot1");
  o.rom = rom_version(settings);
  o.rom_sets_vtor = settings.on("rom-sets-vtor");
  o.rom_leaves_vtor = settings.on("rom-leaves-vtor");
  o.otg.session_without_sensing = settings.is("session", "assumed");
  o.otg.reset_clears_address = settings.on("reset-clears-address");
  o.reserved_pllmul_multiplies = settings.is("reserved-pllmul", "multiplies");
  o.imprecise_store_faults = settings.on("late-faults");
  o.flash_time = flash_time(settings);
  constexpr std::uint64_t kHseMax = 50'000'000;  // with HSEBYP (data sheet)
  TRY_ASSIGN(const std::uint64_t hz, number("hse", settings.get("hse"), kHseMax));
  o.hse_hz = static_cast<std::uint32_t>(hz);
  TRY_ASSIGN(const std::uint64_t kib, number("flash", settings.get("flash"), 256));
  if (kib != 64 && kib != 128 && kib != 256) {
    return fail(Errc::DeviceSpec, "flash=" + decimal(kib) + ": 64, 128 or 256");
  }
  o.flash_kib = static_cast<std::uint32_t>(kib);
  TRY_ASSIGN(o.seed, number("seed", settings.get("seed"), ~std::uint64_t{0}));
  return o;
}

}  // namespace

std::span<const KeyHelp> board_keys() {
  return kKeys;
}

Result<BoardSpec> parse_board(std::string_view text) {
  BoardSpec spec;
  spec.firmware = text.substr(0, text.find(','));
  TRY_ASSIGN(const Settings settings,
             Settings::parse("a board", kKeys, {}, text.substr(spec.firmware.size())));
  TRY_ASSIGN(spec.options, options_of(settings));
  spec.state_file = settings.get("state");
  spec.clock = settings.is("clock", "real") ? ClockChoice::Real : ClockChoice::Virtual;
  if (settings.has("cut-cycle")) {
    TRY_ASSIGN(spec.cut_at_cycle,
               number("cut-cycle", settings.get("cut-cycle"), ~std::uint64_t{0}));
  }
  if (settings.has("cut-flash")) {
    TRY_ASSIGN(spec.cut_at_flash_operation,
               number("cut-flash", settings.get("cut-flash"), ~std::uint64_t{0}));
  }
  return spec;
}

}  // namespace sureflash::sim
