// Goal: numbers read as people write them. Method: examples, borders included.

#include "sureflash/base/text.hpp"

#include <gtest/gtest.h>

#include "sureflash/base/error.hpp"

namespace sureflash {
namespace {

TEST(Text, Hex) {
  EXPECT_EQ(hex(0x8004000), "0x08004000");
  EXPECT_EQ(hex(0x100000000), "0x100000000");
  EXPECT_EQ(hex(0, 2), "0x00");
}

TEST(Text, Sizes) {
  EXPECT_EQ(text_size(0), "0 bytes");
  EXPECT_EQ(text_size(1), "1 byte");
  EXPECT_EQ(text_size(1023), "1023 bytes");
  EXPECT_EQ(text_size(2048), "2 KiB");
  EXPECT_EQ(text_size(1536), "1.5 KiB");
  EXPECT_EQ(text_size(1 << 20), "1 MiB");
}

TEST(Text, Durations) {
  EXPECT_EQ(text(Duration(52'500)), "52.5 µs");
  EXPECT_EQ(text(Duration(53'760'000)), "54 ms");
  EXPECT_EQ(text(Duration(1'500'000)), "1.5 ms");
  EXPECT_EQ(text(Duration(10'700'000'000)), "10.7 s");
  EXPECT_EQ(text(Duration(125'000'000'000)), "2 min 5 s");
}

TEST(Text, MessageSaysWhatWhereAndWhatTheDeviceSaid) {
  Error e(Errc::DeviceReportsError);
  e.where.range = AddressRange{0x08004000, 0x08004800};
  e.where.block = 10;
  e.device = proto::StatusReply{proto::DfuStatus::ErrWrite, 0, proto::DfuState::DfuError, 0};
  EXPECT_EQ(message(e),
            "the device reports an error at 0x08004000..0x08004800 (block 10) (device: errWRITE in "
            "dfuERROR)");
  EXPECT_EQ(name(static_cast<proto::DfuState>(15)), "state 15");
}

}  // namespace
}  // namespace sureflash
