#include "sureflash/transport/libusb/async.hpp"

#include <algorithm>
#include <thread>

#include "usb_connection.hpp"

namespace sureflash::transport {
namespace {

/// How long stop_at_once may go unnoticed.
constexpr Duration kSleepMax = 100ms;

Duration monotonic() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

UsbContext as_usb_context(const std::shared_ptr<void>& context) {
  return std::static_pointer_cast<libusb_context>(context);
}

}  // namespace

/// One device and the one step that is under way on it.
class AsyncDevice {
 public:
  explicit AsyncDevice(std::unique_ptr<UsbConnection> connection)
      : connection_(std::move(connection)),
        transfer_(::libusb_alloc_transfer(0), &::libusb_free_transfer),
        began_(monotonic()) {}
  AsyncDevice(const AsyncDevice&) = delete;
  AsyncDevice& operator=(const AsyncDevice&) = delete;
  ~AsyncDevice() {
    // libusb owns a submitted transfer until its callback.
    if (submitted_) ::libusb_cancel_transfer(transfer_.get());
    while (submitted_) ::libusb_handle_events(connection_->context());
  }

  Duration now() const { return monotonic() - began_; }

  void begin(const Step& step) {
    answer_.reset();
    doubtful_.reset();
    wake_at_.reset();
    awaiting_return_ = false;
    if (const auto* transfer = std::get_if<ControlTransfer>(&step)) {
      submit(*transfer);
    } else if (const auto* wait = std::get_if<Wait>(&step)) {
      wake_at_ = now() + wait->duration;
    } else if (const auto* await = std::get_if<AwaitReturn>(&step)) {
      awaiting_return_ = true;
      give_up_at_ = now() + await->timeout;
      wake_at_ = now();
    } else if (const auto* selection = std::get_if<SelectAltSetting>(&step)) {
      settle_with_code(connection_->select(*selection));
    } else {
      settle_with_code(connection_->reset());
    }
  }

  /// The answer, if the step is over.
  std::optional<Answer> poll() {
    if (!answer_ && wake_at_ && now() >= *wake_at_) on_timer();
    return std::exchange(answer_, std::nullopt);
  }

  /// Whether only libusb can bring this on.
  bool awaits_transfer() const { return submitted_; }

  /// Ends the step that is under way with Io::Stopped; a transfer some time later, when the
  /// operating system has taken it back.
  void stop() {
    if (submitted_) {
      ::libusb_cancel_transfer(transfer_.get());
    } else if (!answer_) {
      wake_at_.reset();
      settle(Io::Stopped);
    }
  }

  /// Time until `poll` has something to do by itself.
  Duration until_timer() const {
    if (answer_) return Duration::zero();
    return wake_at_ ? std::max(*wake_at_ - now(), Duration::zero()) : kSleepMax;
  }

 private:
  void settle(Io io, std::size_t actual = 0, std::optional<int> os = std::nullopt) {
    answer_ = Answer{.io = io, .actual = actual, .time = now(), .os = os};
  }
  void settle_with_code(int code) {
    settle(io_of_error(code), 0, code < 0 ? std::optional<int>(code) : std::nullopt);
  }

  void submit(const ControlTransfer& transfer) {
    if (connection_->handle() == nullptr) return settle(Io::Disconnected);
    const proto::Setup& setup = transfer.setup;
    in_ = transfer.in;
    buffer_.assign(LIBUSB_CONTROL_SETUP_SIZE + setup.wLength, 0);
    ::libusb_fill_control_setup(buffer_.data(), setup.bmRequestType, setup.bRequest, setup.wValue,
                                setup.wIndex, setup.wLength);
    std::copy(transfer.out.begin(), transfer.out.end(),
              buffer_.begin() + LIBUSB_CONTROL_SETUP_SIZE);
    ::libusb_fill_control_transfer(
        transfer_.get(), connection_->handle(), buffer_.data(),
        [](libusb_transfer* t) { static_cast<AsyncDevice*>(t->user_data)->on_complete(); }, this,
        timeout_ms(transfer.timeout));
    const int code = ::libusb_submit_transfer(transfer_.get());
    submitted_ = code == 0;
    if (!submitted_) settle_with_code(code);
  }

  void on_complete() {
    submitted_ = false;
    const auto actual = static_cast<std::size_t>(std::max(transfer_->actual_length, 0));
    const std::size_t copied = std::min(actual, in_.size());
    std::copy_n(buffer_.begin() + LIBUSB_CONTROL_SETUP_SIZE, copied, in_.begin());
    const Io io = io_of_status(transfer_->status);
    settle(io, actual, io == Io::Ok ? std::nullopt : std::optional<int>(transfer_->status));
    if (io == Io::Failed) {
      doubtful_ = std::exchange(answer_, std::nullopt);
      give_up_at_ = now() + kDoubt;
      wake_at_ = now();
    }
  }

  /// Was a failed transfer the first sign of the device's leaving?
  void resolve_doubt() {
    if (connection_->on_bus() && now() < give_up_at_) {
      wake_at_ = now() + kPollInterval;
      return;
    }
    if (!connection_->on_bus()) doubtful_->io = Io::Disconnected;
    answer_ = std::exchange(doubtful_, std::nullopt);
  }

  void on_timer() {
    wake_at_.reset();
    if (doubtful_) return resolve_doubt();
    if (!awaiting_return_) return settle(Io::Ok);
    Io otherwise = Io::Timeout;
    switch (connection_->try_return()) {
      case UsbConnection::Return::Back:
        return settle(Io::Ok);
      case UsbConnection::Return::NotYet:
        break;
      case UsbConnection::Return::Denied:
        otherwise = Io::Denied;
        break;
      case UsbConnection::Return::Busy:
        otherwise = Io::Busy;
        break;
    }
    if (now() >= give_up_at_) return settle(otherwise);
    wake_at_ = std::min(now() + kPollInterval, give_up_at_);
  }

  std::unique_ptr<UsbConnection> connection_;
  std::unique_ptr<libusb_transfer, decltype(&::libusb_free_transfer)> transfer_;
  Duration began_;
  Bytes buffer_;
  ByteSpan in_;
  bool submitted_ = false;
  bool awaiting_return_ = false;
  Duration give_up_at_{};
  std::optional<Duration> wake_at_;
  std::optional<Answer> answer_;
  std::optional<Answer> doubtful_;
};

Result<std::unique_ptr<AsyncDriver>> AsyncDriver::create() {
  TRY_ASSIGN(UsbContext context, start_libusb());
  return std::unique_ptr<AsyncDriver>(new AsyncDriver(std::move(context)));
}

AsyncDriver::~AsyncDriver() = default;

std::vector<DeviceInfo> AsyncDriver::list() const {
  return describe_all(as_usb_context(context_));
}

std::vector<OccupiedPort> AsyncDriver::ports() const {
  std::vector<OccupiedPort> occupied;
  for (const UsbDeviceRef& device : all_devices(as_usb_context(context_))) {
    libusb_device_descriptor descriptor{};
    if (!speaks_dfu(device.get())) continue;
    if (::libusb_get_device_descriptor(device.get(), &descriptor) != 0) continue;
    occupied.push_back({port_path(device.get()), ::libusb_get_device_address(device.get()),
                        descriptor.idVendor, descriptor.idProduct});
  }
  std::ranges::sort(occupied, {}, &OccupiedPort::name);
  return occupied;
}

Result<void> AsyncDriver::add(const std::string& port, std::unique_ptr<Job> job) {
  TRY_ASSIGN(auto connection, UsbConnection::open(as_usb_context(context_), port));
  running_.push_back({std::move(job), std::make_shared<AsyncDevice>(std::move(connection))});
  return {};
}

bool AsyncDriver::advance(Running& running) {
  while (true) {
    if (running.under_way) {
      if (running.job->observer.stop_at_once()) running.device->stop();
      const auto answer = running.device->poll();
      if (!answer) return false;
      running.under_way = false;
      running.job->answer(*answer);
    }
    const Step* step = running.job->next_for_device(running.device->now());
    if (step == nullptr) return true;
    running.device->begin(*step);
    running.under_way = true;
  }
}

bool AsyncDriver::work(Duration patience) {
  for (auto it = running_.begin(); it != running_.end();) {
    if (!advance(*it)) {
      ++it;
      continue;
    }
    // The device is free before its result is told: the next job may want it.
    const auto job = std::move(it->job);
    it = running_.erase(it);
    job->finish();
  }
  if (!running_.empty()) wait_for_events(patience);
  return !running_.empty();
}

void AsyncDriver::wait_for_events(Duration patience) const {
  Duration sleep = std::min(patience, kSleepMax);
  for (const Running& running : running_) {
    sleep = std::min(sleep, running.device->until_timer());
  }
  // With nothing under way there is nothing that libusb could tell; asking every device costs time.
  const bool awaited = std::ranges::any_of(
      running_, [](const Running& running) { return running.device->awaits_transfer(); });
  if (!awaited) return std::this_thread::sleep_for(sleep);
  const auto us = std::chrono::ceil<std::chrono::microseconds>(sleep).count();
  timeval timeout{.tv_sec = 0, .tv_usec = static_cast<decltype(timeval::tv_usec)>(us)};
  ::libusb_handle_events_timeout_completed(as_usb_context(context_).get(), &timeout, nullptr);
}

}  // namespace sureflash::transport
