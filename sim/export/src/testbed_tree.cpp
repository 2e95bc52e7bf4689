#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <sys/socket.h>
#include <sys/un.h>

#include "sureflash/sim/export/testbed.hpp"

namespace sureflash::sim {
namespace fs = std::filesystem;
namespace {

std::string number(unsigned value, const char* format) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// "bus/usb/001/002"
std::string device_name(std::uint8_t device_number) {
  return "bus/usb/001/" + number(device_number, "%03u");
}

bool put(const fs::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  return out.good();
}

std::string as_text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::string uevent_properties(const TestbedTree::Place& place, const Identity& identity) {
  return "MAJOR=189\nMINOR=" + std::to_string(place.device_number - 1) +
         "\nDEVNAME=" + device_name(place.device_number) +
         "\nDEVTYPE=usb_device\nDRIVER=usb\nPRODUCT=" + number(identity.vendor_id(), "%x") + "/" +
         number(identity.product_id(), "%x") + "/" + number(identity.bcd_device(), "%x") +
         "\nTYPE=0/0/0\nBUSNUM=001\nDEVNUM=" + number(place.device_number, "%03u") + "\n";
}

std::map<std::string, std::string> attributes(const TestbedTree::Place& place,
                                              const Identity& identity) {
  const ByteView device = identity.device_descriptor;
  std::map<std::string, std::string> values{
      {"busnum", "1"},
      {"devnum", std::to_string(place.device_number)},
      {"devpath", place.port.substr(place.port.find('-') + 1)},
      {"speed", identity.speed == Speed::High ? "480" : "12"},
      {"version", " " + number(device[3], "%x") + "." + number(device[2], "%02x")},
      {"bConfigurationValue", std::to_string(identity.configuration_value())},
      {"bNumConfigurations", std::to_string(device[17])},
      {"bNumInterfaces", number(identity.configuration[4], "%2u")},
      {"bDeviceClass", number(device[4], "%02x")},
      {"bDeviceSubClass", number(device[5], "%02x")},
      {"bDeviceProtocol", number(device[6], "%02x")},
      {"bMaxPacketSize0", std::to_string(device[7])},
      {"idVendor", number(identity.vendor_id(), "%04x")},
      {"idProduct", number(identity.product_id(), "%04x")},
      {"bcdDevice", number(identity.bcd_device(), "%04x")},
      {"manufacturer", identity.manufacturer},
      {"product", identity.product},
      {"serial", identity.serial},
  };
  // The kernel makes no file for a string that the device does not have.
  std::erase_if(values, [](const auto& value) { return value.second.empty(); });
  return values;
}

void append_be32(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

void append_native32(std::string& bytes, std::uint32_t value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A datagram as udevd sends it to libudev monitors. Source: systemd, src/libsystemd/sd-device/
/// device-monitor.c, struct monitor_netlink_header; hashes are MurmurHash2 of the two words.
std::string udev_message(const std::string& properties) {
  constexpr std::uint32_t kMagic = 0xFEEDCAFE;
  constexpr std::uint32_t kHeaderLength = 40;
  constexpr std::uint32_t kHashOfUsb = 0x0577C5E5;
  constexpr std::uint32_t kHashOfUsbDevice = 0x27F8F50C;
  std::string message("libudev\0", 8);
  append_be32(message, kMagic);
  append_native32(message, kHeaderLength);
  append_native32(message, kHeaderLength);
  append_native32(message, static_cast<std::uint32_t>(properties.size()));
  append_be32(message, kHashOfUsb);
  append_be32(message, kHashOfUsbDevice);
  message.append(8, '\0');  // no tags
  return message + properties;
}

void send_datagram(const fs::path& socket_path, const std::string& message) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket_path.string();
  if (path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return;  // left behind by a program that has ended
  }
  [[maybe_unused]] const auto sent =
      ::send(socket.get(), message.data(), message.size(), MSG_NOSIGNAL);
}

std::unexpected<Error> cannot_write(const fs::path& path, std::error_code error) {
  Error e(Errc::FileUnwritable);
  e.os = error.value();
  e.where.name = path.string();
  return fail(std::move(e));
}

}  // namespace

fs::path TestbedTree::socket(std::uint8_t device_number) const {
  return root_ / "ioctl/dev" / device_name(device_number);
}

fs::path TestbedTree::node_name(std::uint8_t device_number) const {
  return root_ / "dev" / device_name(device_number);
}

fs::path TestbedTree::device_folder(const Place& place) const {
  return root_ / "sys/devices/pci0000:00/usb1" / place.port;
}

fs::path TestbedTree::number_link(std::uint8_t device_number) const {
  std::string name = device_name(device_number);
  std::replace(name.begin(), name.end(), '/', '_');
  return root_ / "dev/.node" / name;
}

Result<void> TestbedTree::create() {
  for (const char* folder : {"sys/devices/pci0000:00/usb1", "sys/bus/usb/devices", "sys/class",
                             "dev/bus/usb/001", "dev/.node", "ioctl/dev/bus/usb/001"}) {
    std::error_code error;
    fs::create_directories(root_ / folder, error);
    if (error) return cannot_write(root_ / folder, error);
  }
  return {};
}

Result<void> TestbedTree::add(const Place& place, const Identity& identity, const fs::path& node) {
  const fs::path folder = device_folder(place);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return cannot_write(folder, error);
  bool good = put(folder / "uevent", uevent_properties(place, identity));
  for (const auto& [name, value] : attributes(place, identity)) {
    good = put(folder / name, value + "\n") && good;
  }
  good = put(folder / "descriptors", as_text(identity.descriptors())) && good;
  if (!good) return cannot_write(folder, std::make_error_code(std::errc::io_error));

  fs::create_directory_symlink("../../../../bus/usb", folder / "subsystem", error);
  if (error) return cannot_write(folder / "subsystem", error);
  fs::create_directory_symlink("../../../devices/pci0000:00/usb1/" + place.port,
                               root_ / "sys/bus/usb/devices" / place.port, error);
  if (error) return cannot_write(root_ / "sys/bus/usb/devices" / place.port, error);
  fs::create_symlink(node, node_name(place.device_number), error);
  if (error) return cannot_write(node_name(place.device_number), error);
  fs::create_symlink("189:" + std::to_string(place.device_number - 1),
                     number_link(place.device_number), error);
  if (error) return cannot_write(number_link(place.device_number), error);
  return {};
}

void TestbedTree::remove(const Place& place) {
  std::error_code ignored;
  fs::remove(root_ / "sys/bus/usb/devices" / place.port, ignored);
  fs::remove_all(device_folder(place), ignored);
  fs::remove(node_name(place.device_number), ignored);
  fs::remove(number_link(place.device_number), ignored);
  fs::remove(socket(place.device_number), ignored);
}

void TestbedTree::send_uevent(std::string_view action, const Place& place) {
  const std::string name = device_name(place.device_number);
  const std::array<std::string, 10> lines{
      "ACTION=" + std::string(action),
      "DEVPATH=/devices/pci0000:00/usb1/" + place.port,
      "SUBSYSTEM=usb",
      "SEQNUM=" + std::to_string(++sequence_),
      "DEVTYPE=usb_device",
      "DEVNAME=/dev/" + name,
      "BUSNUM=001",
      "DEVNUM=" + number(place.device_number, "%03u"),
      "MAJOR=189",
      "MINOR=" + std::to_string(place.device_number - 1),
  };
  std::string properties;
  for (const std::string& line : lines) properties += line + '\0';
  const std::string message = udev_message(properties);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_, ignored)) {
    if (entry.path().filename().string().starts_with("event")) send_datagram(entry.path(), message);
  }
}

}  // namespace sureflash::sim
