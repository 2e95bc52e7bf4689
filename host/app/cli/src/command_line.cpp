#include "command_line.hpp"

#include "commands.hpp"
#include "exit_code.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

using Action = int (*)(const Options&, Output&);

/// Adds a subcommand; `action` runs when it was chosen.
CLI::App* add(CommandLine& line, CLI::App& parent, std::string name, std::string help,
              Action action) {
  CLI::App* sub = parent.add_subcommand(std::move(name), std::move(help));
  sub->callback([&line, action] { line.action = action; });
  return sub;
}

/// Addresses and sizes: decimal or 0x….
void add_number(CLI::App* sub, const std::string& flag, std::optional<std::uint64_t>& value,
                const std::string& help) {
  sub->add_option(flag, value, help)->type_name("NUMBER");
}

void add_input_options(CLI::App* sub, Options& o) {
  sub->add_option("FILE", o.file, "bin, hex, srec, elf, dfu, dfuse or uf2")
      ->required()
      ->type_name("");
  add_number(sub, "--base", o.base, "address of the first byte, for files without addresses");
  sub->add_option("--format", o.format, "what FILE is, instead of looking")->type_name("FORMAT");
  sub->add_option("--alt", o.alt_setting, "take this alternate setting of a DfuSe file")
      ->type_name("NUMBER")
      ->check(CLI::Range(0, 255).description(""));
}

void add_consent_options(CLI::App* sub, Options& o) {
  sub->add_flag("-y,--yes", o.yes, "do not ask");
  sub->add_flag("--dry-run", o.dry_run, "show the plan and change nothing");
}

/// Many devices, one after the other or at once.
void add_many_options(CLI::App* sub, Options& o) {
  sub->add_flag("--all", o.all_devices,
                "program every device that is there (and fits --device), all at once");
  sub->add_flag("--watch", o.watch,
                "program whatever is plugged in, until Ctrl-C: a production line");
  sub->add_option("--record", o.records,
                  "append what became of each unit: CSV if FILE ends in .csv, else JSON lines")
      ->type_name("FILE")
      ->allow_extra_args(false);
  auto* units = sub->add_option("--units", o.units_file,
                                "table (CSV) with a row for each unit; FILE.used says which are "
                                "used")
                    ->type_name("FILE");
  sub->add_option("--patch", o.patches,
                  "put a column of --units into the image at an address, e.g. "
                  "0x0803F800=serial:text16 (text, hex, u8, u16, u32, u64; with :repeats "
                  "behind it several units may have the same)")
      ->type_name("ADDRESS=COLUMN[:TYPE]")
      ->allow_extra_args(false)
      ->needs(units);
}

void add_device_commands(CommandLine& line) {
  CLI::App& app = *line.app;
  Options& o = line.options;
  add(line, app, "list", "Show the devices that are there", list);
  add(line, app, "info", "Show what a device is, and what protects it", info);

  auto* doctor_command =
      add(line, app, "doctor", "Look for what is wrong, and say what to do about it", doctor);
  doctor_command
      ->add_option("--may-write", o.may_write,
                   "erase and write this sector for a trial, then put its content back")
      ->type_name("SECTOR");
  doctor_command
      ->add_option("--bundle", o.bundle,
                   "write what was found, for somebody who is to help (JSON; no firmware bytes)")
      ->type_name("FILE");
  doctor_command->add_flag("-y,--yes", o.yes, "do not ask");

  auto* map_command =
      add(line, app, "map", "Show its sectors: what is protected, what is blank", map);
  map_command->add_flag("--no-blank", o.no_blank, "do not read the flash to find blank sectors");

  auto* read_command = add(line, app, "read", "Read memory into a file", read);
  read_command->add_option("FILE", o.file, "where to; - is standard output")
      ->required()
      ->type_name("");
  add_number(read_command, "--address", o.address, "first byte (default: start of the flash)");
  add_number(read_command, "--size", o.size, "number of bytes (default: to the end)");
  read_command->add_option("--to", o.output_format, "format of FILE (default: by its name, or bin)")
      ->type_name("FORMAT");

  auto* erase_command = add(line, app, "erase", "Erase sectors, a range, or everything", erase);
  erase_command
      ->add_option("WHAT", o.ranges,
                   "sectors (3, 4..7) or addresses (0x08001000..0x08002000, end not included)")
      ->type_name("");
  erase_command->add_flag("--all", o.all, "erase the whole flash");
  add_consent_options(erase_command, o);

  auto* program_command =
      add(line, app, "program", "Program a file, and prove it by reading back", program);
  add_input_options(program_command, o);
  program_command->add_flag("--run", o.run, "start the program afterwards");
  program_command->add_flag("--data", o.data,
                            "the file is no program: do not check its vector table");
  program_command->add_flag("--full", o.full,
                            "erase and write everything, without comparing first");
  program_command->add_flag(
      "--may-wipe", o.may_wipe,
      "flash outside the file may be lost: allows a mass erase, if it is faster");
  program_command->add_flag(
      "--new-chip", o.new_chip,
      "the chip is new from the factory: what reads blank is not erased again");
  program_command
      ->add_option(
          "--vdd", o.vdd,
          "supply in volts; from 2.7 on, F2, F4 and F7 program 32 bits at once (wrong on a "
          "lower supply)")
      ->check(CLI::Range(1.7, 3.6))
      ->type_name("VOLTS");
  program_command
      ->add_option(
          "--entry", o.entry,
          "how the unit gets back into DFU mode: pin (BOOT0, a button), jump (its own code "
          "jumps to the ROM), the sectors or addresses of that code, empty (the ROM's "
          "empty check), loader (its own). Default: what the file says, or pin")
      ->type_name("WAY")
      ->allow_extra_args(false);
  program_command->add_flag("--keep-entry", o.keep_entry,
                            "refuse if the code that enters DFU mode would change");
  program_command->add_flag("--repair", o.repair, "erase and write only the sectors that differ")
      ->excludes("--full");
  add_consent_options(program_command, o);
  add_many_options(program_command, o);

  auto* verify_command = add(line, app, "verify", "Compare a file with the memory", verify);
  add_input_options(verify_command, o);

  auto* run_command =
      add(line, app, "run", "Start the program in flash; leaves DFU mode", run_program);
  add_number(run_command, "--address", o.address,
             "of its vector table (default: start of the flash)");

  auto* options_command = app.add_subcommand("options", "Option bytes");
  options_command->require_subcommand(1);
  add(line, *options_command, "show", "Show the option bytes by name", options_show);
  auto* set_command = add(line, *options_command, "set",
                          "Change option bytes by name; the chip resets", options_set);
  set_command->add_option("FIELD=VALUE", o.assignments, "e.g. WRP0=0xFF nRST_STOP=1")
      ->required()
      ->type_name("");
  add_consent_options(set_command, o);
  auto* unprotect_command = app.add_subcommand("unprotect", "Remove protection");
  unprotect_command->require_subcommand(1);
  auto* unprotect_write_command =
      add(line, *unprotect_command, "write",
          "Let all sectors be written; remembers what was protected", unprotect_write);
  unprotect_write_command->add_flag("--restore", o.restore,
                                    "protect again what was protected before");
  add_consent_options(unprotect_write_command, o);
  add_consent_options(add(line, *unprotect_command, "read",
                          "Let the flash be read: wipes it, and asks before", unprotect_read),
                      o);
}

void add_file_commands(CommandLine& line) {
  Options& o = line.options;
  auto* image_command = line.app->add_subcommand("image", "Look into firmware files, convert them");
  image_command->require_subcommand(1);
  add_input_options(add(line, *image_command, "info", "Show what is in a file", image_info), o);
  auto* convert =
      add(line, *image_command, "convert", "Write a file in another format", image_convert);
  add_input_options(convert, o);
  convert->add_option("OUTPUT", o.output_file, "file to write; - is standard output")
      ->required()
      ->type_name("");
  convert->add_option("--to", o.output_format, "format of OUTPUT (default: by its name)")
      ->type_name("FORMAT");
  convert
      ->add_option(
          "--usb-id", o.usb_id,
          "which device a dfu or dfuse file says it is for, e.g. 0483:df11; fwupd wants it")
      ->type_name("VID:PID");
}

void add_serve_command(CommandLine& line, CLI::App& sim_command) {
  Options& o = line.options;
  auto* serve =
      add(line, sim_command, "serve", "Let other programs use virtual devices", sim_serve);
  serve
      ->add_option("PROFILE", o.profiles,
                   "as behind sim: in --device, or board:FIRMWARE; several make several")
      ->required()
      ->type_name("");
  auto* where = serve->add_option_group("where");
  where
      ->add_option(
          "--testbed", o.testbed,
          "folder to make: programs started with the two variables it prints see the devices")
      ->type_name("FOLDER");
  where->add_flag("--usbip", o.usbip, "USB/IP server: `usbip attach` gives a kernel the devices");
  where->add_option("--usbredir", o.usbredir, "socket for QEMU's usb-redir (one device)")
      ->type_name("SOCKET");
  where->require_option(1);
  serve->add_option("--address", o.listen_address, "address for USB/IP")
      ->type_name("ADDRESS")
      ->capture_default_str();
  serve->add_option("--port", o.tcp_port, "TCP port for USB/IP")
      ->type_name("NUMBER")
      ->check(CLI::Range(0, 65535).description(""))
      ->capture_default_str();
}

void add_run_command(CommandLine& line, CLI::App& sim_command) {
  SimRunOptions& o = line.options.sim_run;
  auto* run = add(line, sim_command, "run",
                  "Run firmware on a virtual STM32F105 board, instruction by instruction", sim_run);
  run->add_option("FIRMWARE", line.options.file,
                  "the .elf that the linker wrote, with keys of board: in `sim list` (hse=8M,…)")
      ->required()
      ->type_name("");
  run->add_option("--vbus", o.vbus, "1: the cable is in, with a host at its end; 0: it is not")
      ->type_name("0|1");
  run->add_flag("--charger", o.charger, "VBUS, but nobody who speaks USB");
  run->add_option("--at", o.at,
                  "do this then, e.g. 100ms:PA0=1, 2s:vbus=0, 1s:uart1=hello, 3s:reset; several "
                  "are several options")
      ->type_name("TIME:ACTION")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run->add_option("--until", o.until,
                  "end well when this happens, e.g. PC13=1, uart1:ready, usb=configured, reset, "
                  "rom, fault, symbol=main; of several, one")
      ->type_name("CONDITION")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run->add_option("--for", o.time, "virtual time, at most (default: 10s; with --gdb no limit)")
      ->type_name("TIME");
  run->add_option("--uart", o.uart, "where the bytes of a USART go: 1=FILE, 1=- or 1=pty")
      ->type_name("N=WHERE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run->add_option("--gdb", o.gdb, "let GDB in there before the first instruction; 0: any port")
      ->type_name("PORT");
  run->add_flag("--go-on", o.go_on, "report faults and watchdog resets, and go on");
  run->add_flag("--strict", o.strict, "what the manual forbids ends the run, too");
}

void add_usb_commands(CommandLine& line) {
  auto* explain_command =
      add(line, *line.app, "explain",
          "Say what the log of STM32CubeProgrammer, dfu-util or fwupd means", explain);
  explain_command->add_option("LOG", line.options.file, "the pasted log, as a text file")
      ->required()
      ->type_name("");
  auto* setup_command =
      add(line, *line.app, "setup",
          "Give yourself the right to use DFU devices (Linux: a udev rule)", setup);
  setup_command->add_flag("--dry-run", line.options.dry_run, "show the rule and change nothing");
  setup_command
      ->add_option("--folder", line.options.rules_folder,
                   "write the rule there, for a package (/usr/lib/udev/rules.d), and load nothing")
      ->type_name("FOLDER");
  auto* trace_command = line.app->add_subcommand("trace", "Recorded sessions (--trace)");
  trace_command->require_subcommand(1);
  auto* show = add(line, *trace_command, "show", "Explain a recorded session", trace_show);
  show->add_option("FILE", line.options.file, "as written by --trace")->required()->type_name("");
}

void add_other_commands(CommandLine& line) {
  CLI::App& app = *line.app;
  auto* sim_command = app.add_subcommand("sim", "Virtual devices");
  sim_command->require_subcommand(1);
  add_serve_command(line, *sim_command);
  add_run_command(line, *sim_command);
  add(line, *sim_command, "list", "Show the profiles of virtual devices and their keys", sim_list);

  auto* completion_command =
      app.add_subcommand("completion", "Print a completion script for a shell");
  completion_command->add_option("SHELL", line.options.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("");
  completion_command->callback([&line] {
    line.action = [&line](const Options& o, Output& output) {
      fmt::print(output.out(), "{}", completion(*line.app, o.shell));
      return 0;
    };
  });
  auto* man_command = app.add_subcommand("man", "Print the manual page (troff)");
  man_command->callback([&line] {
    line.action = [&line](const Options&, Output& output) {
      fmt::print(output.out(), "{}", man_page(*line.app));
      return 0;
    };
  });
}

}  // namespace

std::unique_ptr<CommandLine> make_command_line() {
  auto line = std::make_unique<CommandLine>();
  line->app = std::make_unique<CLI::App>(
      "Update the firmware of an STM32 over USB, and prove that it is there", "sureflash");
  CLI::App& app = *line->app;
  Options& o = line->options;
  app.set_version_flag("--version", std::string("sureflash ") + SUREFLASH_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(34);
  app.add_option("-d,--device", o.devices,
                 "port path (1-2.4), VID:PID, serial=TEXT, sim:PROFILE, or board:FIRMWARE; "
                 "`program` takes several")
      ->type_name("DEVICE")
      ->allow_extra_args(false);
  app.add_option("--chip", o.chip, "what the chip is, e.g. stm32f105, if the device does not tell")
      ->type_name("CHIP");
  app.add_flag("--json", o.json, "one JSON object per line instead of text");
  app.add_option("--color", o.color, "auto, always or never")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, ColorMode>{{"auto", ColorMode::Auto},
                                                                   {"always", ColorMode::Always},
                                                                   {"never", ColorMode::Never}})
              .description(""))
      ->type_name("WHEN");
  app.add_option("--trace", o.trace_file, "record the session in a file")->type_name("FILE");
  app.add_flag("--trace-firmware", o.trace_firmware, "with the bytes of the firmware");
  add_device_commands(*line);
  add_usb_commands(*line);
  add_file_commands(*line);
  add_other_commands(*line);
  app.footer(
      "Examples:\n"
      "  sureflash image info firmware.elf\n"
      "  sureflash program firmware.elf --run\n"
      "  sureflash program firmware.elf --device sim:stm32f105\n"
      "  sureflash sim list\n\n" +
      std::string(exit_code_help()));
  return line;
}

}  // namespace sureflash::cli
