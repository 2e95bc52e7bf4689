#pragma once

#include <array>
#include <functional>
#include <optional>

#include "usb_socket.hpp"

#include "sureflash/proto/usb.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// The host controller at the other end of the cable: makes transactions of transfers, with
/// retries, data toggles and the time they take. Source: USB 2.0, chapter 8.
class UsbHost {
 public:
  struct World {
    std::function<Duration()> now;
    /// Lets the board run until then.
    std::function<void(Duration)> pass;
    /// Counts attachments.
    std::function<std::uint32_t()> attach_count;
    std::function<void(std::string)> misuse;
  };

  UsbHost(UsbSocket& socket, World world);

  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout);
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout);
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout);
  void bus_reset();

  /// What it knows of the device: a copy is a snapshot.
  struct State {
    std::uint8_t address = 0;
    std::uint32_t attachment = 0;  ///< that all of this is about
    bool was_reset = false;
    std::optional<std::uint8_t> packet_size0;
    bool knows_endpoints = false;
    std::array<std::uint16_t, 16> out_size{}, in_size{};
    std::array<bool, 16> out_data1{}, in_data1{};
  };
  const State& state() const { return s_; }
  void restore(const State& state) { s_ = state; }

 private:
  /// One transfer under way.
  struct Transfer {
    Duration limit{};
    std::uint32_t attachment = 0;
    unsigned errors = 0;
    std::optional<Handshake> ended;  ///< it failed, and how
  };

  Transfer begin(Duration timeout);
  bool gone(const Transfer& transfer) const;
  /// Lets the time of so many bits pass.
  void wire(std::size_t bits);
  bool proceed(Transfer& transfer, PacketReply reply);
  bool send_setup(Transfer& transfer, const proto::Setup& setup);
  bool send(Transfer& transfer, std::uint8_t endpoint, bool& data1, ByteView packet);
  std::optional<std::size_t> receive(Transfer& transfer, std::uint8_t endpoint, bool& data1,
                                     ByteSpan space);
  Completion run_control(const proto::Setup& setup, ByteView out, ByteSpan in, Transfer& transfer);
  void find_packet_size(Duration timeout);
  void find_endpoints(Duration timeout);
  void learn(const proto::Setup& setup, ByteView data);
  void learn_configuration(ByteView data);
  void clear_toggles();
  Completion failed(const Transfer& transfer, std::size_t actual) const;

  UsbSocket& socket_;
  World world_;
  State s_;
};

}  // namespace sureflash::sim
