#include "sureflash/sim/board/board_spec.hpp"

#include <algorithm>
#include <array>
#include <charconv>

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

std::string all_keys() {
  std::string text;
  for (const KeyHelp& key : kKeys) text += " " + std::string(key.name);
  return text;
}

/// A value of one of its words: "0|1". Upper case stands for anything.
bool allowed(std::string_view words, std::string_view value) {
  for (;;) {
    const std::size_t bar = words.find('|');
    const std::string_view word = words.substr(0, bar);
    if (word == value || (!word.empty() && word[0] >= 'A' && word[0] <= 'Z')) return true;
    if (bar == std::string_view::npos) return false;
    words.remove_prefix(bar + 1);
  }
}

/// Digits, with k or M behind them.
Result<std::uint64_t> number(std::string_view key, std::string_view text, std::uint64_t max) {
  std::string_view digits = text;
  std::uint64_t unit = 1;
  if (digits.ends_with('M')) unit = 1'000'000;
  if (digits.ends_with('k')) unit = 1'000;
  if (unit != 1) digits.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (whole && value <= max / unit) return value * unit;
  return fail(Errc::DeviceSpec, std::string(key) + "=" + std::string(text) +
                                    ": want a number of at most " + decimal(max));
}

Result<void> apply(BoardSpec& spec, std::string_view key, std::string_view value) {
  BoardOptions& o = spec.options;
  const bool on = value == "1";
  if (key == "vbus") o.vbus = on;
  if (key == "boot0") o.boot0 = on;
  if (key == "boot1") o.boot1 = on;
  if (key == "rom-sets-vtor") o.rom_sets_vtor = on;
  if (key == "rom-leaves-vtor") o.rom_leaves_vtor = on;
  if (key == "session") o.otg.session_without_sensing = value == "assumed";
  if (key == "reset-clears-address") o.otg.reset_clears_address = on;
  if (key == "reserved-pllmul") o.reserved_pllmul_multiplies = value == "multiplies";
  if (key == "late-faults") o.imprecise_store_faults = on;
  if (key == "state") spec.state_file = value;
  if (key == "clock") spec.clock = value == "real" ? ClockChoice::Real : ClockChoice::Virtual;
  if (key == "rom") {
    o.rom = value == "2.0"   ? F105RomVersion::V2_0
            : value == "2.1" ? F105RomVersion::V2_1
                             : F105RomVersion::V2_2;
  }
  if (key == "times") {
    o.flash_time = value == "min"   ? TimeChoice::Min
                   : value == "max" ? TimeChoice::Max
                                    : TimeChoice::Typical;
  }
  if (key == "hse") {
    constexpr std::uint64_t kHseMax = 50'000'000;  // with HSEBYP (data sheet)
    TRY_ASSIGN(const std::uint64_t hz, number(key, value, kHseMax));
    o.hse_hz = static_cast<std::uint32_t>(hz);
  }
  if (key == "flash") {
    TRY_ASSIGN(const std::uint64_t kib, number(key, value, 256));
    if (kib != 64 && kib != 128 && kib != 256) {
      return fail(Errc::DeviceSpec, "flash=" + std::string(value) + ": 64, 128 or 256");
    }
    o.flash_kib = static_cast<std::uint32_t>(kib);
  }
  if (key == "cut-cycle") {
    TRY_ASSIGN(spec.cut_at_cycle, number(key, value, ~std::uint64_t{0}));
  }
  if (key == "cut-flash") {
    TRY_ASSIGN(spec.cut_at_flash_operation, number(key, value, ~std::uint64_t{0}));
  }
  if (key == "seed") {
    TRY_ASSIGN(o.seed, number(key, value, ~std::uint64_t{0}));
  }
  return {};
}

}  // namespace

std::span<const KeyHelp> board_keys() {
  return kKeys;
}

Result<BoardSpec> parse_board(std::string_view text) {
  BoardSpec spec;
  const std::size_t comma = text.find(',');
  spec.firmware = text.substr(0, comma);
  while (text.find(',') != std::string_view::npos) {
    text.remove_prefix(text.find(',') + 1);
    const std::string_view item = text.substr(0, text.find(','));
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    const auto known = std::ranges::find(kKeys, key, &KeyHelp::name);
    if (known == kKeys.end() || equals == std::string_view::npos) {
      return fail(Errc::DeviceSpec,
                  "\"" + std::string(item) + "\": a board knows, as key=value," + all_keys());
    }
    const std::string_view value = item.substr(equals + 1);
    if (!allowed(known->values, value)) {
      return fail(Errc::DeviceSpec, std::string(item) + ": want " + std::string(key) + "=" +
                                        std::string(known->values));
    }
    TRY(apply(spec, key, value));
  }
  return spec;
}

}  // namespace sureflash::sim
