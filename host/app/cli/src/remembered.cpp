#include "remembered.hpp"

#include <cstdlib>
#include <fstream>

namespace sureflash::cli {
namespace {

std::filesystem::path state_folder() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != 0) return std::filesystem::path(state) / "sureflash";
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".local/state/sureflash";
}

/// A serial number comes from a device: only what cannot leave the folder goes into a file name.
std::string safe(std::string text) {
  constexpr std::size_t kLengthMax = 64;
  text.resize(std::min(text.size(), kLengthMax));
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!plain) c = '-';
  }
  return text;
}

}  // namespace

Remembered::Remembered(const Opened& opened) {
  const std::string& serial = opened.target.descriptors.serial;
  by_port_ = serial.empty() || serial == "STM32" || serial == "FFFFFFFEFFFF";
  const stm32::Chip* chip = opened.target.chip;
  std::string name = safe(std::string(chip != nullptr ? chip->name : "unknown"));
  name += "_" + safe(serial);
  if (by_port_) name += "_" + safe(opened.device->label());
  file_ = state_folder() / "write-protection" / (name + ".txt");
}

Result<void> Remembered::keep(const std::vector<std::string>& assignments) const {
  std::error_code error;
  if (std::filesystem::exists(file_, error)) return {};
  std::filesystem::create_directories(file_.parent_path(), error);
  std::ofstream file(file_);
  for (const std::string& line : assignments) file << line << "\n";
  file.flush();
  if (!file) return fail(Error(Errc::FileUnwritable).named(file_.string()));
  return {};
}

std::vector<std::string> Remembered::assignments() const {
  std::vector<std::string> lines;
  std::ifstream file(file_);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void Remembered::forget() const {
  std::error_code error;
  std::filesystem::remove(file_, error);
}

}  // namespace sureflash::cli
