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

 private:
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
    parser_->ep_info_func = [](void*, auto*) {};
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
  void start(DfuDevice& device, Pace pace = Pace::Fast) {
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

TEST_F(UsbredirTest, GuestThatAsksForStreamsIsLeft) {
  DfuDevice device;
  start(device);
  ASSERT_TRUE(eventually([&] { return guest_->connects == 1; }));
  guest_->start_iso();
  EXPECT_TRUE(eventually([&] { return guest_->closed; }));
}

}  // namespace
}  // namespace sureflash::sim
