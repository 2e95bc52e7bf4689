#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sureflash/sim/model/function.hpp"

namespace sureflash::sim {

/// The USB connector of a virtual chip with the USB core behind it: clock, attachment, chapter 9.
/// What is attached is a `Function`, which may change over time.
class Port final : public UsbDevice {
 public:
  Port() = default;
  /// Everything it remembers, for going back. What is attached, and what was to be done, are the
  /// same objects and actions then.
  std::shared_ptr<const Port> state() const { return std::shared_ptr<const Port>(new Port(*this)); }
  void restore(const Port& state) { *this = state; }

  /// `function` pulls D+ up now, if there is VBUS, else when VBUS comes. It must outlive its
  /// attachment.
  void attach(Function& function);
  void detach();
  Function* function() const { return function_; }
  /// Does `action` at `time`; at once if that is past. In order of time, then of arrival.
  void at(Duration time, std::function<void()> action);
  /// Forgets what was to be done.
  void cancel_all() { events_.clear(); }
  bool configured() const { return configuration_ != 0; }

  Duration now() const override { return now_; }
  void advance_to(Duration time) override;
  bool attached() const override { return function_ != nullptr && vbus_; }
  std::uint32_t attach_count() const override { return attach_count_; }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override;
  void bus_reset() override;
  void set_vbus(bool on) override;
  bool vbus() const { return vbus_; }
  Speed speed() const override {
    const bool high = function_ != nullptr && function_->description().high_speed;
    return high ? Speed::High : Speed::Full;
  }

 private:
  // A second port with the same function would be nonsense.
  Port(const Port&) = default;
  Port& operator=(const Port&) = default;

  struct Event {
    Duration time;
    std::function<void()> action;
  };

  void joined();
  void reset_state();
  Reply standard(const proto::Setup& setup, ByteSpan in);
  Reply to_device(const proto::Setup& setup, ByteSpan in);
  Reply to_interface(const proto::Setup& setup, ByteSpan in);
  Reply get_descriptor(const proto::Setup& setup, ByteSpan in) const;
  Reply set_interface(const proto::Setup& setup);
  bool has_interface(std::uint8_t number) const;
  bool has_alt_setting(std::uint8_t number, std::uint8_t alt_setting) const;

  Duration now_{};
  Function* function_ = nullptr;
  bool vbus_ = true;
  std::uint32_t attach_count_ = 0;
  std::uint8_t configuration_ = 0;
  std::vector<std::uint8_t> alt_settings_;
  std::vector<Event> events_;
};

}  // namespace sureflash::sim
