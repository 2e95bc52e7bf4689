// Goal: whatever happens to the device or to the command at whatever transfer, a person is told
// what happened, with the right exit code, and the same command run again finishes. Nothing that a
// device says crashes the command or makes it wait for ever.
// Method: the binary of this build on a testbed; somebody at the wire (WatchedDevice) pulls the
// plug, resets the port, presses Ctrl-C or changes answers at a chosen transfer; flash afterwards.
#include "command_fixture.hpp"

#include "sureflash/proto/dfu.hpp"

namespace sureflash::sim {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHealthy = "stm32f105,poll=0,fill=noise";
constexpr std::size_t kSize = 5000;

class CommandFaults : public CommandFixture {
 protected:
  /// Programs in.bin while `watch` looks on.
  Outcome program_watched(WatchedDevice::Before watch) {
    start("program in.bin --base 0x08000000", std::move(watch));
    return wait_for_end();
  }
  /// Transfers of an undisturbed run, up to the last that matters.
  unsigned transfers_of_a_run() {
    EXPECT_EQ(program_watched({}).status, 0);
    return watched_->count();
  }
  /// Transfers that look which devices there are, before a session begins.
  unsigned transfers_of_opening() {
    start("list");
    EXPECT_EQ(wait_for_end().status, 0);
    return watched_->count();
  }
  void expect_that_the_next_run_finishes(const Bytes& image) {
    const Outcome again = program();
    EXPECT_EQ(again.status, 0) << again.output;
    EXPECT_EQ(flash(0, image.size()), image);
  }
  /// Other bytes, so that no run finds its work done.
  Bytes next_image(unsigned n) {
    Bytes image = write_firmware("in.bin", kSize);
    for (std::size_t i = 8; i < image.size(); ++i) image[i] ^= static_cast<std::uint8_t>(n);
    std::ofstream(folder_ / "in.bin", std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    return image;
  }
};

TEST_F(CommandFaults, UnpluggedAtEveryTransfer) {
  plug(kHealthy);
  next_image(0);
  const unsigned transfers = transfers_of_a_run();
  ASSERT_GT(transfers, 40U);
  for (unsigned at = 0; at < transfers; ++at) {
    SCOPED_TRACE(at);
    const Bytes image = next_image(at + 1);
    const Outcome cut = program_watched([&](unsigned n) {
      if (n == at) device_->usb().set_vbus(false);
    });
    if (watched_->count() <= at) {
      // What flash held before decides how long a run is: this one was shorter.
      EXPECT_EQ(cut.status, 0) << cut.output;
      EXPECT_GT(at, 40U);
      break;
    }
    EXPECT_THAT(cut.status, AnyOf(kDeviceFailure, kNoDevice)) << cut.output;
    EXPECT_THAT(cut.output,
                AnyOf(HasSubstr("the device left the bus"), HasSubstr("no device found")));
    EXPECT_THAT(cut.output, AnyOf(HasSubstr("hint: "), HasSubstr("what to do")));
    ASSERT_TRUE(plug_in_again());
    expect_that_the_next_run_finishes(image);
    if (HasFailure()) return;
  }
}

TEST_F(CommandFaults, PortIsResetAtEveryTransfer) {
  plug(kHealthy);
  next_image(0);
  const unsigned transfers = transfers_of_a_run();
  const unsigned opening = transfers_of_opening();
  for (unsigned at = 0; at < transfers; at += 3) {
    SCOPED_TRACE(at);
    const Bytes image = next_image(at + 1);
    // The device forgets its address and configuration, and is enumerated anew.
    const Outcome cut = program_watched([&](unsigned n) {
      if (n != at) return;
      device_->usb().set_vbus(false);
      device_->usb().set_vbus(true);
    });
    if (watched_->count() <= at) {
      // What flash held before decides how long a run is: this one was shorter.
      EXPECT_EQ(cut.status, 0) << cut.output;
      EXPECT_GT(at, 40U);
      break;
    }
    if (cut.status == 0) {
      EXPECT_LT(at, opening) << "too late to go unnoticed";
    } else {
      EXPECT_THAT(cut.status, AnyOf(kDeviceFailure, kNoDevice)) << cut.output;
    }
    ASSERT_TRUE(eventually([&] { return testbed_->device_number("1-1") != 0; }));
    expect_that_the_next_run_finishes(image);
    if (HasFailure()) return;
  }
}

TEST_F(CommandFaults, CtrlCAtEveryTransferStopsAtASafePoint) {
  plug(kHealthy);
  next_image(0);
  const unsigned transfers = transfers_of_a_run();
  unsigned stopped = 0;
  for (unsigned at = 0; at < transfers; ++at) {
    SCOPED_TRACE(at);
    const Bytes image = next_image(at + 1);
    const Outcome run = program_watched([&](unsigned n) {
      if (n == at) ::kill(child_, SIGINT);
    });
    if (run.status == 0) {
      // Too late to stop: done is done.
      EXPECT_EQ(flash(0, image.size()), image);
      EXPECT_GT(at + 20, transfers) << run.output;
      continue;
    }
    ++stopped;
    EXPECT_EQ(run.status, kInterrupted) << run.output;
    EXPECT_THAT(run.output, HasSubstr("interrupted"));
    EXPECT_THAT(run.output, HasSubstr("run the same command again"));
    expect_that_the_next_run_finishes(image);
    if (HasFailure()) return;
  }
  EXPECT_GT(stopped, transfers / 2);
}

TEST_F(CommandFaults, SecondCtrlCStopsAtOnce) {
  plug(kHealthy);
  next_image(0);
  const unsigned transfers = transfers_of_a_run();
  const unsigned opening = transfers_of_opening();
  for (unsigned at = 0; at + 2 < transfers; at += 4) {
    SCOPED_TRACE(at);
    const Bytes image = next_image(at + 1);
    unsigned last = 0;
    // Two of the same signal would be one; SIGTERM counts as well.
    const Outcome run = program_watched([&](unsigned n) {
      last = n;
      if (n != at) return;
      ::kill(child_, SIGINT);
      ::kill(child_, SIGTERM);
    });
    if (run.status == 0) {
      // Too late to stop; or what flash held before made this run a shorter one.
      EXPECT_EQ(flash(0, image.size()), image);
      EXPECT_GT(at + 20, transfers) << run.output;
      continue;
    }
    EXPECT_EQ(run.status, kInterrupted) << run.output;
    // The names of devices are still read; a session does not begin.
    EXPECT_LE(last, std::max(at, opening)) << "nothing more is said to the device";
    expect_that_the_next_run_finishes(image);
    if (HasFailure()) return;
  }
}

TEST_F(CommandFaults, SecondCtrlCEndsAWaitForADeviceThatHangs) {
  plug(kHealthy, [](const proto::Setup& setup, ByteSpan in, Completion& done) {
    if (setup.bmRequestType != proto::kClassInInterface || setup.bRequest != 3 || in.size() < 6)
      return;
    // dfuDNBUSY, ask again in four hours.
    const Bytes busy{0, 0xFF, 0xFF, 0xFF, 4, 0};
    std::copy(busy.begin(), busy.end(), in.begin());
    done = {Handshake::Ack, 6};
  });
  next_image(0);
  unsigned interrupted = 0;
  const Duration began = monotonic_clock();
  const Outcome run = program_watched([&](unsigned) {
    if (interrupted++ != 12) return;
    ::kill(child_, SIGINT);
    ::kill(child_, SIGTERM);
  });
  EXPECT_EQ(run.status, kInterrupted) << run.output;
  EXPECT_LT(monotonic_clock() - began, 9s) << "an operation may take 10 s";
}

TEST_F(CommandFaults, DeviceThatNeverLeavesBusy) {
  plug(kHealthy);
  const Bytes image = next_image(0);
  bool downloaded = false;
  bool healed = false;
  {
    const std::scoped_lock lock(loop_.mutex());
    watched_->after_each([&](const proto::Setup& setup, ByteSpan in, Completion& done) {
      if (healed) return;
      if (setup.bmRequestType == proto::kClassOutInterface && setup.bRequest == 1)
        downloaded = true;
      if (!downloaded || setup.bmRequestType != proto::kClassInInterface || setup.bRequest != 3)
        return;
      const Bytes busy{0, 0, 0, 0, 4, 0};
      std::copy_n(busy.begin(), std::min(busy.size(), in.size()), in.begin());
      done = {Handshake::Ack, std::min<std::size_t>(6, in.size())};
    });
  }
  const Outcome run = program();
  EXPECT_EQ(run.status, kDeviceFailure) << run.output;
  EXPECT_THAT(run.output, HasSubstr("dfuDNBUSY"));
  {
    const std::scoped_lock lock(loop_.mutex());
    healed = true;
  }
  expect_that_the_next_run_finishes(image);
}

// Devices that lie. Whoever is not told the transfer size has to guess it; this ROM counts
// addresses in its own, so what was guessed wrong shows as a mismatch (9), never as "done".

bool asks_for(const proto::Setup& setup, proto::DescriptorType type) {
  return setup.is_in() && (setup.bmRequestType & 0x60U) == 0 && setup.bRequest == 6 &&
         setup.wValue >> 8U == static_cast<unsigned>(type);
}

/// Changes the DFU functional descriptor wherever it is sent. `change` gets its bytes.
WatchedDevice::After functional(std::function<void(ByteSpan)> change) {
  return [change](const proto::Setup& setup, ByteSpan in, Completion& done) {
    if (asks_for(setup, proto::DescriptorType::DfuFunctional)) {
      if (done.actual >= 9) change(in.first(done.actual));
    } else if (asks_for(setup, proto::DescriptorType::Configuration)) {
      for (std::size_t i = 0; i + 9 <= done.actual && in[i] != 0; i += in[i]) {
        if (in[i + 1] == 0x21) change(in.subspan(i, 9));
      }
    }
  };
}

/// Sends `bytes` for every string but the list of languages.
WatchedDevice::After strings(const Bytes& bytes) {
  return [bytes](const proto::Setup& setup, ByteSpan in, Completion& done) {
    if (!asks_for(setup, proto::DescriptorType::String) || (setup.wValue & 0xFFU) == 0) return;
    done = {Handshake::Ack, std::min(bytes.size(), in.size())};
    std::copy_n(bytes.begin(), done.actual, in.begin());
  };
}

/// Answers a class request with its first `length` bytes only.
WatchedDevice::After short_reply(std::uint8_t request, std::size_t length) {
  return [=](const proto::Setup& setup, ByteSpan, Completion& done) {
    if (setup.bmRequestType == proto::kClassInInterface && setup.bRequest == request) {
      done.actual = std::min(done.actual, length);
    }
  };
}

class LyingDevice : public CommandFaults {
 protected:
  /// Runs every command on the liar. None may crash, hang or say "please report"; programming ends
  /// with one of `exits`.
  Outcome judge(const std::string& spec, WatchedDevice::After lie, const std::vector<int>& exits) {
    plug(spec, std::move(lie));
    next_image(1);
    Outcome last{};
    for (const char* command : {"list", "list --json", "info", "map", "read out.bin --size 4096",
                                "program in.bin --base 0x08000000"}) {
      last = sureflash(command);
      // 1: unexpected; 124: still running after a minute; 128 and more: a signal.
      EXPECT_NE(last.status, 1) << command << "\n" << last.output;
      EXPECT_LT(last.status, 11) << command << "\n" << last.output;
      if (last.status != 0) {
        EXPECT_THAT(last.output, HasSubstr("error")) << command;
      }
    }
    EXPECT_THAT(exits, testing::Contains(last.status)) << last.output;
    return last;
  }
};

// Whatever it says of its transfer size, block numbers that nobody can be sure of are not used.
TEST_F(LyingDevice, TransferSizeZero) {
  judge(kHealthy, functional([](ByteSpan d) { d[5] = d[6] = 0; }), {0});
}
TEST_F(LyingDevice, TransferSizeAbsurd) {
  const Outcome run = judge(kHealthy, functional([](ByteSpan d) { d[5] = d[6] = 0xFF; }), {0, 8});
  EXPECT_THAT(run.output, HasSubstr("wTransferSize is 65535"));
}
TEST_F(LyingDevice, TransferSizeOne) {
  judge(kHealthy, functional([](ByteSpan d) {
          d[5] = 1;
          d[6] = 0;
        }),
        {6});
}
TEST_F(LyingDevice, FunctionalDescriptorOfLengthTwo) {
  judge(kHealthy, functional([](ByteSpan d) { d[0] = 2; }), {0});
}
TEST_F(LyingDevice, FunctionalDescriptorMissing) {
  judge(kHealthy,
        [](const proto::Setup& setup, ByteSpan in, Completion& done) {
          functional([](ByteSpan d) { d[1] = 0x24; })(setup, in, done);
          if (asks_for(setup, proto::DescriptorType::DfuFunctional)) done = {Handshake::Stall, 0};
        },
        {0});
}
TEST_F(LyingDevice, ConfigurationThatEndsTooSoon) {
  judge(kHealthy,
        [](const proto::Setup& setup, ByteSpan, Completion& done) {
          if (asks_for(setup, proto::DescriptorType::Configuration)) {
            done.actual = std::min<std::size_t>(done.actual, 20);
          }
        },
        {0});
}
TEST_F(LyingDevice, ConfigurationOfWrongTotalLength) {
  judge(kHealthy,
        [](const proto::Setup& setup, ByteSpan in, Completion& done) {
          if (asks_for(setup, proto::DescriptorType::Configuration) && done.actual >= 4) {
            in[2] = in[3] = 0xFF;
          }
        },
        {0, 3, 8});
}
TEST_F(LyingDevice, LayoutOfABillionSectors) {
  const Outcome run =
      judge("cubemx-skeleton,layout=@Internal Flash   /0x08000000/1000000000*002Kg", {}, {6, 8});
  EXPECT_THAT(run.output, HasSubstr("layout"));
}
TEST_F(LyingDevice, StringOfOddLength) {
  judge(kHealthy, strings({7, 3, '@', 0, 'I', 0, 'n'}), {6, 8});
}
TEST_F(LyingDevice, StringLongerThanItIs) {
  judge(kHealthy, strings({250, 3, '@', 0}), {6, 8});
}
TEST_F(LyingDevice, StringWithoutBytes) {
  judge(kHealthy, strings({}), {6, 8});
}
TEST_F(LyingDevice, StringThatIsNoUtf16) {
  // A high surrogate without its low one, twice, and a NUL.
  judge(kHealthy, strings({8, 3, 0x00, 0xD8, 0x00, 0xD8, 0, 0}), {6, 8});
}
TEST_F(LyingDevice, StringDescriptorOfAnotherType) {
  judge(kHealthy, strings({4, 9, '@', 0}), {6, 8});
}
TEST_F(LyingDevice, StatusOfFiveBytes) {
  const Outcome run = judge(kHealthy, short_reply(3, 5), {8});
  EXPECT_THAT(run.output, HasSubstr("too short"));
}
TEST_F(LyingDevice, StatusOfNoByte) {
  judge(kHealthy, short_reply(3, 0), {8});
}
TEST_F(LyingDevice, UploadOfHalfABlock) {
  judge(kHealthy, short_reply(2, 1000), {8});
}
TEST_F(LyingDevice, UploadOfNothing) {
  judge(kHealthy, short_reply(2, 0), {8, 9});
}
TEST_F(LyingDevice, StatesThatDoNotExist) {
  judge(kHealthy,
        [](const proto::Setup& setup, ByteSpan in, Completion&) {
          if (setup.bmRequestType == proto::kClassInInterface && setup.bRequest == 3 &&
              in.size() >= 5)
            in[4] = 200;
        },
        {8});
}
TEST_F(LyingDevice, EverythingIsFine) {
  // Stores nothing, and says so to nobody.
  const Outcome run =
      judge(kHealthy,
            [](const proto::Setup& setup, ByteSpan in, Completion& done) {
              if (setup.bmRequestType == proto::kClassInInterface && setup.bRequest == 2) {
                std::fill(in.begin(), in.end(), std::uint8_t{0xA5});
                done = {Handshake::Ack, in.size()};
              }
            },
            {7, 8, 9});
  EXPECT_THAT(run.output, Not(HasSubstr("done:")));
}

}  // namespace
}  // namespace sureflash::sim
