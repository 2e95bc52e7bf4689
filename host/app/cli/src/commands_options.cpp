#include "commands.hpp"
#include "failure.hpp"
#include "remembered.hpp"
#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/stm32/option_fields.hpp"
#include "sureflash/update/protection.hpp"

namespace sureflash::cli {
namespace {

constexpr std::string_view kGone =
    "the device has not come back as a bootloader: it runs what is in flash now. Power it up with "
    "BOOT0 high and look with `sureflash options show`";

/// What option bytes and protection change asks for more than an interactive default.
bool has_consent(const Options& options, Output& output, std::string_view question) {
  return options.yes || (output.interactive() && output.ask(question));
}

int refuse_without_consent(Output& output) {
  return report(output, Error(Errc::NeedsConsent, "nothing was changed").in(Stage::Options));
}

/// The option bytes of the device and their table; reports what is in the way.
const stm32::OptionTable* known_options(Output& output, Opened& opened, int& exit) {
  const update::Target& target = opened.target;
  const stm32::OptionTable* table =
      target.chip != nullptr ? stm32::option_table(*target.chip) : nullptr;
  if (table != nullptr && target.option_block) return table;
  if (table == nullptr && target.chip != nullptr) {
    exit = report(output, Error(Errc::Unsupported, "there is no table of the option bytes of the " +
                                                       std::string(target.chip->title))
                              .in(Stage::Options));
    return nullptr;
  }
  Error error(target.is_read_protected() ? Errc::ReadProtected : Errc::NotReadable,
              target.read_protection_signs.empty() ? "the device shows no option bytes"
                                                   : target.read_protection_signs.front());
  exit = report(output, *opened.device, target, std::move(error).in(Stage::Options), {});
  return nullptr;
}

Json show_changes(Output& output, const stm32::OptionTable& table, ByteView before,
                  ByteView after) {
  Json changes = Json::array();
  for (const stm32::OptionField& field : table.fields) {
    const unsigned from = stm32::field_value(field, before);
    const unsigned to = stm32::field_value(field, after);
    if (from == to) continue;
    output.field(changes.empty() ? "change" : "", fmt::format("{:<11} 0x{:02X} -> 0x{:02X}  {}",
                                                              field.name, from, to, field.meaning));
    changes.push_back({{"field", field.name}, {"from", from}, {"to", to}});
  }
  return changes;
}

/// "sureflash options set WRP0=0xFC": what brings the present values back.
std::string restoring_command(const stm32::OptionTable& table, ByteView before, ByteView after) {
  std::string command = "sureflash options set";
  for (const stm32::OptionField& field : table.fields) {
    const unsigned from = stm32::field_value(field, before);
    if (from == stm32::field_value(field, after)) continue;
    command += fmt::format(" {}=0x{:02X}", field.name, from);
  }
  return command;
}

/// How a change ended, in words; keeps the chip.
int conclude(Output& output, Opened& opened, Result<update::AfterReset> done,
             std::string_view command, std::string_view words, Json json) {
  if (!done) return report(output, *opened.device, opened.target, done.error(), {});
  if (auto saved = opened.device->save(); !saved) return report(output, saved.error());
  const bool confirmed = *done == update::AfterReset::Confirmed;
  if (!confirmed) {
    return report(output, Error(Errc::DidNotReturn, std::string(kGone)).in(Stage::Options));
  }
  output.good(fmt::format("done: {}", words));
  output.result(command, std::move(json));
  return 0;
}

/// Shows what changes, asks, writes, reads back.
int change_options(const Options& options, Output& output, Opened& opened,
                   const stm32::OptionTable& table, const Bytes& after, std::string_view command) {
  const Bytes& before = *opened.target.option_block;
  if (before == after) {
    output.line("the option bytes have these values already");
    output.result(command, {{"changes", Json::array()}});
    return 0;
  }
  Json changes = show_changes(output, table, before, after);
  output.field("then", "the chip resets by itself; without BOOT0 it starts what is in flash");
  if (before.front() == table.readable && after.front() != table.readable) {
    output.warning("this turns read protection on: removing it later wipes the whole flash");
  }
  const std::string restore = restoring_command(table, before, after);
  const bool remembers = command == "unprotect write" && !options.restore;
  output.field("restore", (remembers ? "sureflash unprotect write --restore, or: " : "") + restore);
  if (options.dry_run) {
    output.line("dry run: nothing was changed");
    output.result(command, {{"dry_run", true}, {"changes", changes}, {"restore", restore}});
    return 0;
  }
  if (!has_consent(options, output, "Write the option bytes?"))
    return refuse_without_consent(output);
  auto done = opened.device->run(update::write_option_bytes(opened.target, after), output);
  return conclude(output, opened, std::move(done), command,
                  "the option bytes were written and read back",
                  {{"changes", changes}, {"restore", restore}});
}

/// Every WRP field as it is now.
std::vector<std::string> write_protection(const stm32::OptionTable& table, ByteView block) {
  std::vector<std::string> assignments;
  for (const stm32::OptionField& field : table.fields) {
    if (!field.name.starts_with("WRP")) continue;
    assignments.push_back(fmt::format("{}=0x{:02X}", field.name, stm32::field_value(field, block)));
  }
  return assignments;
}

Result<Bytes> assign_all(const stm32::OptionTable& table, Bytes block,
                         const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    TRY_ASSIGN(block, stm32::assign(table, block, assignment));
  }
  return block;
}

/// unprotect write --restore
int protect_again(const Options& options, Output& output, Opened& opened,
                  const stm32::OptionTable& table) {
  const Remembered remembered(opened);
  const std::vector<std::string> assignments = remembered.assignments();
  if (assignments.empty()) {
    return report(output, Error(Errc::Usage,
                                "nothing is remembered of this unit: its write protection was not "
                                "removed here, or is restored already")
                              .in(Stage::Options));
  }
  if (remembered.by_port()) {
    output.note("many units have this serial number, so it is known by its port");
  }
  auto block = assign_all(table, *opened.target.option_block, assignments);
  if (!block) return report(output, std::move(block).error().in(Stage::Options));
  const int code = change_options(options, output, opened, table, *block, "unprotect write");
  if (code == 0 && !options.dry_run) remembered.forget();
  return code;
}

}  // namespace

int options_set(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  const stm32::OptionTable* table = known_options(output, *opened, exit);
  if (table == nullptr) return exit;
  auto block = assign_all(*table, *opened->target.option_block, options.assignments);
  if (!block) return report(output, std::move(block).error().in(Stage::Options));
  return change_options(options, output, *opened, *table, *block, "options set");
}

int unprotect_write(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  const stm32::OptionTable* table = known_options(output, *opened, exit);
  if (table == nullptr) return exit;
  if (options.restore) return protect_again(options, output, *opened, *table);
  Bytes block = *opened->target.option_block;
  for (const stm32::OptionField& field : table->fields) {
    if (!field.name.starts_with("WRP")) continue;
    auto changed =
        stm32::assign(*table, block, fmt::format("{}=0x{:02X}", field.name, field.mask()));
    if (!changed) return report(output, std::move(changed).error().in(Stage::Options));
    block = *std::move(changed);
  }
  // Remembered before anything is changed: the chip resets, and may be gone afterwards.
  if (!options.dry_run && block != *opened->target.option_block) {
    auto kept = Remembered(*opened).keep(write_protection(*table, *opened->target.option_block));
    if (!kept) return report(output, std::move(kept).error().in(Stage::Options));
  }
  return change_options(options, output, *opened, *table, block, "unprotect write");
}

int unprotect_read(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  if (opened->target.read_protection_signs.empty()) {
    output.line("the chip is not read-protected");
    output.result("unprotect read", {{"changed", false}});
    return 0;
  }
  for (const std::string& sign : opened->target.read_protection_signs) output.field("sign", sign);
  if (!opened->target.is_read_protected()) {
    return report(output, Error(Errc::ReadProtected,
                                "there is one sign of two: nothing is wiped on a "
                                "guess")
                              .in(Stage::Options));
  }
  output.field("plan", "remove the read protection: THE WHOLE FLASH IS WIPED, and the RAM too");
  output.field("then",
               "the chip resets by itself; an F105 starts its empty flash and disappears "
               "unless BOOT0 is high");
  if (options.dry_run) {
    output.line("dry run: nothing was changed");
    output.result("unprotect read", {{"dry_run", true}});
    return 0;
  }
  if (!has_consent(options, output, "Wipe the flash?")) return refuse_without_consent(output);
  auto done = opened->device->run(update::remove_read_protection(opened->target), output);
  return conclude(output, *opened, std::move(done), "unprotect read",
                  "the flash is wiped and the chip is readable", {{"changed", true}});
}

}  // namespace sureflash::cli
