// Goal: a program that uses bulk and interrupt endpoints through libusb gets from the testbed what
// the kernel would give it. Method: libusb's plain calls, synchronous and asynchronous, on a serial
// port that echoes; real libusb, see preload.cpp.
#include <array>
#include <libusb.h>
#include <numeric>

#include "testbed_fixture.hpp"

#include "sureflash/sim/export_test/cdc_device.hpp"

namespace sureflash::transport {
namespace {

using sim::CdcDevice;

class EndpointsTest : public TestbedFixture, public testing::WithParamInterface<sim::Pace> {
 protected:
  void SetUp() override {
    TestbedFixture::SetUp();
    add(device_, GetParam());
    serve();
    ASSERT_EQ(::libusb_init(&context_), 0);
    handle_ = ::libusb_open_device_with_vid_pid(context_, 0x0483, 0x5740);
    ASSERT_NE(handle_, nullptr);
    ASSERT_EQ(::libusb_claim_interface(handle_, 1), 0);
  }
  void TearDown() override {
    if (handle_ != nullptr) ::libusb_close(handle_);
    if (context_ != nullptr) ::libusb_exit(context_);
    TestbedFixture::TearDown();
  }
  /// Changes the device while the loop's thread serves it.
  void with_device(const std::function<void(CdcDevice&)>& change) {
    const std::scoped_lock lock(loop_.mutex());
    change(device_);
  }
  struct Moved {
    int code;
    int bytes;
    friend bool operator==(const Moved&, const Moved&) = default;
  };
  Moved bulk(std::uint8_t endpoint, Bytes& data, unsigned timeout_ms = 10000) {
    int moved = 0;
    const int code = ::libusb_bulk_transfer(handle_, endpoint, data.data(),
                                            static_cast<int>(data.size()), &moved, timeout_ms);
    return {code, moved};
  }
  int get_line_coding() {
    std::array<unsigned char, 7> coding{};
    return ::libusb_control_transfer(handle_, 0xA1, 0x21, 0, 0, coding.data(), 7, 10000);
  }

  CdcDevice device_;
  libusb_context* context_ = nullptr;
  libusb_device_handle* handle_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Pace, EndpointsTest, testing::Values(sim::Pace::Fast, sim::Pace::Real),
                         [](const auto& i) {
                           return i.param == sim::Pace::Fast ? "Fast" : "Real";
                         });

TEST_P(EndpointsTest, EchoOf20000Bytes) {
  Bytes sent(20000), got;
  std::iota(sent.begin(), sent.end(), std::uint8_t{0});
  EXPECT_EQ(bulk(CdcDevice::kOut, sent), (Moved{0, 20000}));
  while (got.size() < sent.size()) {
    Bytes part(4096);
    const Moved moved = bulk(CdcDevice::kIn, part);
    ASSERT_EQ(moved.code, 0);
    got.insert(got.end(), part.begin(), part.begin() + moved.bytes);
  }
  EXPECT_EQ(got, sent);
}

TEST_P(EndpointsTest, TimeoutBringsWhatHasCome) {
  with_device([](CdcDevice& d) { d.to_host() = {Bytes(64, 1)}; });
  Bytes data(512);
  EXPECT_EQ(bulk(CdcDevice::kIn, data, 100), (Moved{LIBUSB_ERROR_TIMEOUT, 64}));
  EXPECT_EQ(data[63], 1);
  Bytes echo{7};
  EXPECT_EQ(bulk(CdcDevice::kOut, echo), (Moved{0, 1}));
  EXPECT_EQ(bulk(CdcDevice::kIn, data), (Moved{0, 1})) << "the timed-out transfer takes no more";
}

TEST_P(EndpointsTest, StallAndClearHalt) {
  with_device([](CdcDevice& d) { d.halt(CdcDevice::kOut); });
  Bytes data{1, 2, 3};
  EXPECT_EQ(bulk(CdcDevice::kOut, data), (Moved{LIBUSB_ERROR_PIPE, 0}));
  EXPECT_EQ(::libusb_clear_halt(handle_, CdcDevice::kOut), 0);
  EXPECT_EQ(bulk(CdcDevice::kOut, data), (Moved{0, 3}));
}

TEST_P(EndpointsTest, MoreThanAskedForIsOverflow) {
  with_device([](CdcDevice& d) { d.to_host() = {Bytes(64, 1)}; });
  Bytes data(10);
  EXPECT_EQ(bulk(CdcDevice::kIn, data).code, LIBUSB_ERROR_OVERFLOW);
}

TEST_P(EndpointsTest, UnpluggedWhileReading) {
  const std::jthread puller([this] {
    while (!eventually([this] { return device_.now() > 0s; })) {
    }
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(false);
    loop_.wake();
  });
  Bytes data(64);
  EXPECT_EQ(bulk(CdcDevice::kIn, data).code, LIBUSB_ERROR_NO_DEVICE);
}

/// One asynchronous transfer.
class Urb {
 public:
  Urb(libusb_device_handle* handle, std::uint8_t endpoint, Bytes data, std::vector<Urb*>& ended)
      : transfer_(::libusb_alloc_transfer(0)), data_(std::move(data)), ended_(&ended) {
    ::libusb_fill_bulk_transfer(
        transfer_, handle, endpoint, data_.data(), static_cast<int>(data_.size()),
        [](libusb_transfer* t) {
          auto* self = static_cast<Urb*>(t->user_data);
          self->ended_->push_back(self);
        },
        this, 0);
  }
  Urb(const Urb&) = delete;
  Urb& operator=(const Urb&) = delete;
  ~Urb() { ::libusb_free_transfer(transfer_); }
  int submit() { return ::libusb_submit_transfer(transfer_); }
  int cancel() { return ::libusb_cancel_transfer(transfer_); }
  libusb_transfer& raw() { return *transfer_; }
  Bytes data() const { return {data_.begin(), data_.begin() + transfer_->actual_length}; }

 private:
  libusb_transfer* transfer_;
  Bytes data_;
  std::vector<Urb*>* ended_;
};

TEST_P(EndpointsTest, ReadsThatWaitLetEverythingElseGoOn) {
  std::vector<Urb*> ended;
  std::vector<std::unique_ptr<Urb>> reads;
  for (int i = 0; i < 4; ++i) {
    reads.push_back(std::make_unique<Urb>(handle_, CdcDevice::kIn, Bytes(64), ended));
    ASSERT_EQ(reads.back()->submit(), 0);
  }
  Urb notify(handle_, CdcDevice::kNotify, Bytes(8), ended);
  ASSERT_EQ(notify.submit(), 0);
  EXPECT_EQ(get_line_coding(), 7);
  EXPECT_TRUE(ended.empty());
  for (std::uint8_t i = 0; i < 3; ++i) {
    Bytes byte{i};
    ASSERT_EQ(bulk(CdcDevice::kOut, byte), (Moved{0, 1}));
  }
  while (ended.size() < 3) ::libusb_handle_events(context_);
  for (std::uint8_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ended[i], reads[i].get()) << "in the order of submission";
    EXPECT_EQ(ended[i]->data(), Bytes{i});
  }
  EXPECT_EQ(reads[3]->cancel(), 0);
  EXPECT_EQ(notify.cancel(), 0);
  while (ended.size() < 5) ::libusb_handle_events(context_);
  EXPECT_EQ(reads[3]->raw().status, LIBUSB_TRANSFER_CANCELLED);
  EXPECT_EQ(notify.raw().status, LIBUSB_TRANSFER_CANCELLED);
}

TEST_P(EndpointsTest, ZeroPacketAfterAFullOne) {
  std::vector<Urb*> ended;
  Urb out(handle_, CdcDevice::kOut, Bytes(64), ended);
  out.raw().flags = LIBUSB_TRANSFER_ADD_ZERO_PACKET;
  ASSERT_EQ(out.submit(), 0);
  while (ended.empty()) ::libusb_handle_events(context_);
  with_device([](CdcDevice& d) {
    ASSERT_EQ(d.received().size(), 2U);
    EXPECT_TRUE(d.received()[1].empty());
  });
}

TEST_P(EndpointsTest, AnotherProgramsInterface) {
  libusb_context* other_context = nullptr;
  ASSERT_EQ(::libusb_init(&other_context), 0);
  auto* other = ::libusb_open_device_with_vid_pid(other_context, 0x0483, 0x5740);
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(::libusb_claim_interface(other, 1), LIBUSB_ERROR_BUSY);
  Bytes data(1);
  int moved = 0;
  EXPECT_NE(::libusb_bulk_transfer(other, CdcDevice::kOut, data.data(), 1, &moved, 1000), 0);
  EXPECT_EQ(moved, 0);
  ::libusb_close(other);
  ::libusb_exit(other_context);
}

}  // namespace
}  // namespace sureflash::transport
