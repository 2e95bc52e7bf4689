#pragma once

#include <optional>
#include <string>
#include <vector>

#include "output.hpp"

namespace sureflash::cli {

/// What `sim run` is told; the texts are parsed by board/conditions.hpp.
struct SimRunOptions {
  std::optional<bool> vbus;
  bool charger = false;
  std::vector<std::string> at;
  std::vector<std::string> until;
  std::string time;
  std::vector<std::string> uart;
  std::optional<std::uint16_t> gdb;
  bool go_on = false;
  bool strict = false;
};

/// Everything a command line can say. One struct, filled by CLI11, read by the commands.
struct Options {
  // for all commands
  std::string device;
  /// All of --device: `program` takes several.
  std::vector<std::string> devices;
  std::string chip;
  bool json = false;
  ColorMode color = ColorMode::Auto;
  std::string trace_file;
  bool trace_firmware = false;

  // files and addresses
  std::string file;
  std::string output_file;
  std::string format;
  std::string output_format;
  std::string usb_id;
  std::optional<std::uint64_t> base;
  std::optional<std::uint64_t> address;
  std::optional<std::uint64_t> size;
  std::optional<unsigned> alt_setting;
  std::vector<std::string> ranges;

  // what to do
  bool all = false;
  bool run = false;
  bool yes = false;
  bool dry_run = false;
  bool data = false;
  bool no_blank = false;
  bool full = false;
  bool may_wipe = false;
  bool new_chip = false;
  std::optional<double> vdd;
  std::vector<std::string> entry;
  bool keep_entry = false;
  bool repair = false;
  bool force = false;
  std::string shell;

  // program: many devices
  bool all_devices = false;
  bool watch = false;
  std::vector<std::string> records;
  std::string units_file;
  std::vector<std::string> patches;

  // doctor
  std::string may_write;
  std::string bundle;

  // options set
  std::vector<std::string> assignments;
  bool restore = false;

  // setup
  std::string rules_folder;

  // sim serve
  std::vector<std::string> profiles;
  std::string testbed;
  std::string usbredir;
  bool usbip = false;
  std::string listen_address = "127.0.0.1";
  unsigned tcp_port = 3240;

  SimRunOptions sim_run;
};

}  // namespace sureflash::cli
