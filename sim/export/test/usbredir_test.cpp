// Goal: QEMU's side of usbredir sees the device connect, answer, leave and come back.
// Method: a guest made of libusbredirparser, the library that QEMU uses, connected by a socket.
#include "sureflash/sim/export/usbredir.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <usbredirparser.h>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sureflash/sim/export_test/cdc_device.hpp"
#include "sureflash/sim/export_test/dfu_device.hpp"

namespace sureflash::sim {
namespace {

namespace fs = std::filesystem;

/// What the guest's end of the protocol has been told.
class Guest {
 public:
  explicit Guest(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    parser_ = ::usbredirparser_create();
    parser_->priv = this;
    set_callbacks();
    std::array<std::uint32_t, USB_REDIR_CAPS_SIZE> caps{};
    for (const int cap : {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
                          usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids,
                          usb_redir_cap_32bits_bulk_length}) {
      ::usbredirparser_caps_set_cap(caps.data(), cap);
    }
    ::usbredirparser_init(parser_, "test guest", caps.data(), USB_REDIR_CAPS_SIZE, 0);
  }
  ~Guest() { ::usbredirparser_destroy(parser_); }

  void work() {
    if (::usbredirparser_has_data_to_write(parser_) != 0) ::usbredirparser_do_write(parser_);
    if (::usbredirparser_do_read(parser_) != 0) closed = true;
    if (::usbredirparser_has_data_to_write(parser_) != 0) ::usbredirparser_do_write(parser_);
  }

  void control(std::uint64_t id, std::uint8_t type, std::uint8_t request, std::uint16_t length) {
    usb_redir_control_packet_header header{};
    header.endpoint = (type & 0x80) != 0 ? 0x80 : 0;
    header.request = request;
    header.requesttype = type;
    header.length = length;
    ::usbredirparser_send_control_packet(parser_, id, &header, nullptr, 0);
  }
  void cancel(std::uint64_t id) { ::usbredirparser_send_cancel_data_packet(parser_, id); }
  void bulk_in(std::uint64_t id, std::uint8_t endpoint, std::uint32_t length) {
    auto header = bulk_header(endpoint, length);
    ::usbredirparser_send_bulk_packet(parser_, id, &header, nullptr, 0);
  }
  void bulk_out(std::uint64_t id, Bytes data) {
    auto header = bulk_header(0x01, static_cast<std::uint32_t>(data.size()));
    ::usbredirparser_send_bulk_packet(parser_, id, &header, data.data(),
                                      static_cast<int>(data.size()));
  }
  void receive_interrupts(std::uint8_t endpoint) {
    usb_redir_start_interrupt_receiving_header header{endpoint};
    ::usbredirparser_send_start_interrupt_receiving(parser_, 1, &header);
  }
  void stop_interrupts(std::uint8_t endpoint) {
    usb_redir_stop_interrupt_receiving_header header{endpoint};
    ::usbredirparser_send_stop_interrupt_receiving(parser_, 2, &header);
  }
  void start_iso() {
    usb_redir_start_iso_stream_header header{0x81, 1, 1};
    ::usbredirparser_send_start_iso_stream(parser_, 1, &header);
  }

  bool connected = false;
  bool closed = false;
  unsigned connects = 0;
  unsigned disconnects = 0;
  std::uint16_t product = 0;
  struct Reply {
    std::uint8_t status;
    Bytes data;
  };
  std::map<std::uint64_t, Reply> replies;
  std::vector<std::uint64_t> order;              ///< of the replies to bulk packets
  std::map<std::uint64_t, std::uint32_t> moved;  ///< bytes, as bulk replies say
  std::vector<Bytes> interrupts;
  std::vector<std::uint8_t> receiving_status;
  usb_redir_ep_info_header endpoints{};

 private:
  static usb_redir_bulk_packet_header bulk_header(std::uint8_t endpoint, std::uint32_t length) {
    usb_redir_bulk_packet_header header{};
    header.endpoint = endpoint;
    header.length = static_cast<std::uint16_t>(length);
    header.length_high = static_cast<std::uint16_t>(length >> 16);
    return header;
  }
  static Guest& self(void* priv) { return *static_cast<Guest*>(priv); }

  void set_callbacks() {
    parser_->log_func = [](void*, int, const char*) {};
    parser_->read_func = [](void* p, std::uint8_t* data, int count) {
      const auto got = ::recv(self(p).socket_.get(), data, static_cast<std::size_t>(count), 0);
      if (got > 0) return static_cast<int>(got);
      return got < 0 && errno == EAGAIN ? 0 : -1;
    };
    parser_->write_func = [](void* p, std::uint8_t* data, int count) {
      return static_cast<int>(
          ::send(self(p).socket_.get(), data, static_cast<std::size_t>(count), MSG_NOSIGNAL));
    };
    parser_->hello_func = [](void*, auto*) {};
    parser_->interface_info_func = [](void*, auto*) {};
    parser_->ep_info_func = [](void* p, usb_redir_ep_info_header* info) {
      self(p).endpoints = *info;
    };
    parser_->bulk_packet_func = [](void* p, std::uint64_t id, usb_redir_bulk_packet_header* header,
                                   std::uint8_t* data, int length) {
      self(p).replies[id] = {header->status, Bytes(data, data + length)};
      self(p).moved[id] = static_cast<std::uint32_t>(header->length_high) << 16 | header->length;
      self(p).order.push_back(id);
      ::usbredirparser_free_packet_data(self(p).parser_, data);
    };
    parser_->interrupt_packet_func = [](void* p, std::uint64_t, usb_redir_interrupt_packet_header*,
                                        std::uint8_t* data, int length) {
      self(p).interrupts.emplace_back(data, data + length);
      ::usbredirparser_free_packet_data(self(p).parser_, data);
    };
    parser_->interrupt_receiving_status_func =
        [](void* p, std::uint64_t, usb_redir_interrupt_receiving_status_header* header) {
          self(p).receiving_status.push_back(header->status);
        };
    parser_->device_connect_func = [](void* p, usb_redir_device_connect_header* header) {
      ++self(p).connects;
      self(p).product = header->product_id;
    };
    // The library acknowledges by itself.
    parser_->device_disconnect_func = [](void* p) { ++self(p).disconnects; };
    parser_->control_packet_func = [](void* p, std::uint64_t id,
                                      usb_redir_control_packet_header* header, std::uint8_t* data,
                                      int length) {
      self(p).replies[id] = {header->status, Bytes(data, data + length)};
      ::usbredirparser_free_packet_data(self(p).parser_, data);
    };
  }

  Descriptor socket_;
  usbredirparser* parser_;
};

class UsbredirTest : public testing::Test {
 protected:
  void start(UsbDevice& device, Pace pace = Pace::Fast) {
    std::string pattern = "/tmp/sf-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    auto server = UsbredirServer::create(loop_, folder_ / "s", device, pace);
    ASSERT_TRUE(server) << message(server.error());
    server_ = std::move(*server);
    guest_ = std::make_unique<Guest>((folder_ / "s").string());
    ASSERT_TRUE(guest_->connected);
  }
  void TearDown() override {
    guest_.reset();
    server_.reset();
    fs::remove_all(folder_);
  }
  bool eventually(const std::function<bool()>& condition) {
    for (int round = 0; round < 20000; ++round) {
      if (condition()) return true;
      guest_->work();
      loop_.run_once(1ms);
    }
    return false;
  }

  fs::path folder_;
  Loop loop_;
  std::unique_ptr<UsbredirServer> server_;
  std::unique_ptr<Guest> guest_;
};

TEST_F(UsbredirTest, GuestSeesTheDeviceAndItsAnswers) {
  DfuDevice device;
  start(device);
  ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  EXPECT_EQ(guest_->product, 0xDF11);
  guest_->control(7, 0xA1, 3, 6);
  ASSERT_TRUE(eventually([&] { return guest_->replies.contains(7); }));
  EXPECT_EQ(guest_->replies[7].status, usb_redir_success);
  EXPECT_EQ(guest_->replies[7].data, (Bytes{0, 0, 0, 0, 2, 0}));
  guest_->control(8, 0x21, 4, 0);
  ASSERT_TRUE(eventually([&] { return guest_->replies.contains(8); }));
  EXPECT_EQ(guest_->replies[8].status, usb_redir_stall);
}

TEST_F(UsbredirTest, CancelledTransferIsAnsweredAsSuch) {
  DfuDevice device;
  device.delay(proto::DfuRequest::GetStatus, 1h);
  start(device, Pace::Real);
  ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  guest_->control(9, 0xA1, 3, 6);
  guest_->work();
  loop_.run_once(1ms);
  guest_->cancel(9);
  ASSERT_TRUE(eventually([&] { return guest_->replies.contains(9); }));
  EXPECT_EQ(guest_->replies[9].status, usb_redir_cancelled);
}

TEST_F(UsbredirTest, DeviceDisconnectsAndConnectsAgain) {
  DfuDevice device;
  start(device);
  ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  server_->port().set_vbus(false);
  EXPECT_TRUE(eventually([&] { return guest_->disconnects == 1; }));
  server_->port().set_vbus(true);
  EXPECT_TRUE(eventually([&] { return guest_->connects == 2; }));
}

class UsbredirEndpointTest : public UsbredirTest, public testing::WithParamInterface<Pace> {
 protected:
  void SetUp() override {
    start(device_, GetParam());
    ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  }
  bool answered(std::uint64_t id) {
    return eventually([&] { return guest_->replies.contains(id); });
  }
  CdcDevice device_;
};

INSTANTIATE_TEST_SUITE_P(Pace, UsbredirEndpointTest, testing::Values(Pace::Fast, Pace::Real),
                         [](const auto& i) { return i.param == Pace::Fast ? "Fast" : "Real"; });

TEST_P(UsbredirEndpointTest, EndpointsAreDescribed) {
  const auto& info = guest_->endpoints;
  EXPECT_EQ(info.type[0x01], usb_redir_type_bulk);
  EXPECT_EQ(info.type[0x11], usb_redir_type_bulk);
  EXPECT_EQ(info.type[0x12], usb_redir_type_interrupt);
  EXPECT_EQ(info.type[0x02], usb_redir_type_invalid);
  EXPECT_EQ(info.interval[0x12], 16);
  EXPECT_EQ(info.interface[0x11], 1);
  EXPECT_EQ(info.max_packet_size[0x11], 64);
}

TEST_P(UsbredirEndpointTest, ReadsWaitInOrderWhileOthersGoOn) {
  guest_->bulk_in(1, 0x81, 4096);
  guest_->bulk_in(2, 0x81, 64);
  guest_->control(3, 0x80, 0, 2);
  ASSERT_TRUE(answered(3));
  EXPECT_TRUE(guest_->order.empty());
  guest_->bulk_out(4, Bytes(100, 1));
  ASSERT_TRUE(answered(4) && answered(1));
  EXPECT_EQ(guest_->moved[4], 100U);
  EXPECT_EQ(guest_->replies[1].data, Bytes(100, 1));
  guest_->bulk_out(5, {2});
  ASSERT_TRUE(answered(5) && answered(2));
  EXPECT_EQ(guest_->replies[2].data, Bytes{2});
}

TEST_P(UsbredirEndpointTest, LargeTransfer) {
  guest_->bulk_out(1, Bytes(70000, 3));
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(guest_->moved[1], 70000U);
  guest_->bulk_in(2, 0x81, 70000);
  ASSERT_TRUE(answered(2));
  EXPECT_EQ(guest_->replies[2].data, Bytes(70000, 3));
}

TEST_P(UsbredirEndpointTest, CancelledReadTakesNothing) {
  guest_->bulk_in(1, 0x81, 64);
  guest_->work();
  loop_.run_once(1ms);
  guest_->cancel(1);
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(guest_->replies[1].status, usb_redir_cancelled);
  guest_->bulk_in(2, 0x81, 64);
  guest_->bulk_out(3, {9});
  ASSERT_TRUE(answered(2));
  EXPECT_EQ(guest_->replies[2].data, Bytes{9});
}

TEST_P(UsbredirEndpointTest, StallAndEndpointsThatAreNotThere) {
  device_.halt(CdcDevice::kIn);
  guest_->bulk_in(1, 0x81, 64);
  guest_->bulk_in(2, 0x83, 64);
  ASSERT_TRUE(answered(1) && answered(2));
  EXPECT_EQ(guest_->replies[1].status, usb_redir_stall);
  EXPECT_EQ(guest_->replies[2].status, usb_redir_inval);
}

TEST_P(UsbredirEndpointTest, InterruptPacketsComeByThemselvesUntilStopped) {
  guest_->receive_interrupts(0x82);
  ASSERT_TRUE(eventually([&] { return !guest_->receiving_status.empty(); }));
  EXPECT_EQ(guest_->receiving_status[0], usb_redir_success);
  device_.notifications() = {Bytes{1}, Bytes{2}};
  ASSERT_TRUE(eventually([&] { return guest_->interrupts.size() == 2; }));
  EXPECT_EQ(guest_->interrupts[1], Bytes{2});
  guest_->stop_interrupts(0x82);
  ASSERT_TRUE(eventually([&] { return guest_->receiving_status.size() == 2; }));
  device_.notifications() = {Bytes{3}};
  guest_->control(7, 0x80, 0, 2);
  ASSERT_TRUE(answered(7));
  EXPECT_EQ(device_.notifications().size(), 1U);
}

TEST_P(UsbredirEndpointTest, StalledInterruptEndpointIsReportedOnce) {
  device_.halt(CdcDevice::kNotify);
  guest_->receive_interrupts(0x82);
  ASSERT_TRUE(eventually([&] { return guest_->receiving_status.size() == 2; }));
  EXPECT_EQ(guest_->receiving_status[1], usb_redir_stall);
}

TEST_F(UsbredirTest, GuestThatAsksForStreamsIsLeft) {
  DfuDevice device;
  start(device);
  ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  guest_->start_iso();
  EXPECT_TRUE(eventually([&] { return guest_->closed; }));
}

}  // namespace
}  // namespace sureflash::sim
