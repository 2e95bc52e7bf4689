#pragma once

#include "scenario.hpp"

#include "sureflash/dfu/client.hpp"

/// A device in a state that another program left.
namespace sureflash::scenarios {

/// A device that stays open from one job to the next.
struct Connection {
  explicit Connection(const std::string& spec)
      : device(sim::make_device(spec).value()),
        transport(device->usb(), transport::Clock::Virtual) {
    EXPECT_TRUE(transport.open(20s));
  }
  template <class T>
  Result<T> run(Task<T> task) {
    return transport::run(transport, std::move(task));
  }
  std::unique_ptr<sim::VirtualDevice> device;
  transport::VirtualTransport transport;
};

/// Each leaves a DfuSe device in the state of its name, by raw requests.
namespace states {

using Make = Task<> (*)(dfu::Client&);

inline Task<> dnload_sync(dfu::Client& c) {
  static const Bytes set_address{0x21, 0, 0, 0, 8};
  co_await c.dnload(0, set_address);
}
inline Task<> erasing(dfu::Client& c) {
  static const Bytes erase{0x41, 0, 0, 0, 8};
  co_await c.dnload(0, erase);
  co_await c.get_status();
}
inline Task<> dn_busy(dfu::Client& c) {
  co_await dnload_sync(c);
  co_await c.get_status();
}
inline Task<> dnload_idle(dfu::Client& c) {
  co_await dn_busy(c);
  co_await step(Wait{1s});
  co_await c.get_status();
}
inline Task<> upload_idle(dfu::Client& c) {
  Bytes b(64);
  co_await c.upload(2, b);
}
inline Task<> error(dfu::Client& c) {
  static const Bytes nonsense{0x77, 1, 2, 3, 4};
  static_cast<void>(co_await caught(c.dnload(0, nonsense)));
  static_cast<void>(co_await caught(c.get_status()));
  co_await step(Wait{1s});
  static_cast<void>(co_await caught(c.get_status()));
}
inline Task<> idle(dfu::Client&) {
  co_return;
}

}  // namespace states

}  // namespace sureflash::scenarios
