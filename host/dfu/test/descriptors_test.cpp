// Goal: descriptors of real devices are understood, and those that lie do no harm.
// Method: the F107 ROM's configuration (dfu-util device-logs/stm32f107.lsusb), then every prefix
// and every damage of it that a rule names.

#include "sureflash/dfu/descriptors.hpp"

#include <gtest/gtest.h>

namespace sureflash::dfu {
namespace {

Bytes rom_configuration() {
  return {9, 2,    36,   0,    1,    1,    0,    0xC0, 50,     // configuration
          9, 4,    0,    0,    0,    0xFE, 1,    2,    4,      // alternate setting 0
          9, 4,    0,    1,    0,    0xFE, 1,    2,    5,      // alternate setting 1
          9, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x08, 0x1A, 0x01};  // functional, 2048, 0x011A
}

Result<Interface> parse(const Bytes& bytes) {
  std::vector<std::string> warnings;
  return parse_configuration(bytes, warnings);
}

TEST(Configuration, OfTheF107Rom) {
  std::vector<std::string> warnings;
  const auto i = parse_configuration(rom_configuration(), warnings);
  ASSERT_TRUE(i);
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(i->mode, Mode::Dfu);
  ASSERT_EQ(i->alt_settings.size(), 2U);
  EXPECT_EQ(i->alt_settings[1].iInterface, 5);
  EXPECT_EQ(i->transfer_size, 2048);
  EXPECT_TRUE(i->dfuse);
  EXPECT_TRUE(i->functional.can_download() && i->functional.can_upload() &&
              i->functional.will_detach());
  EXPECT_FALSE(i->functional.manifestation_tolerant());
  EXPECT_EQ(i->functional.wDetachTimeOut_ms, 255);
}

TEST(Configuration, EveryPrefixIsAnErrorOrAWarning) {
  const Bytes whole = rom_configuration();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    std::vector<std::string> warnings;
    const auto i = parse_configuration(ByteView(whole).first(n), warnings);
    EXPECT_TRUE(!i || !warnings.empty()) << n;
  }
}

TEST(Configuration, ZeroAndAbsurdTransferSizesAreBounded) {
  Bytes b = rom_configuration();
  b[32] = 0;
  b[33] = 0;
  EXPECT_EQ(parse(b)->transfer_size, kTransferSizeDefault);
  b[32] = 0xFF;
  b[33] = 0xFF;
  EXPECT_EQ(parse(b)->transfer_size, kTransferSizeMax);
}

TEST(Configuration, ByteSwappedVersionIsReadAsDfuSe) {
  Bytes b = rom_configuration();
  std::swap(b[34], b[35]);
  EXPECT_TRUE(parse(b)->dfuse);
}

TEST(Configuration, ProtocolZeroIsDfuMode) {
  Bytes b = rom_configuration();
  b[16] = 0;
  b[25] = 0;
  EXPECT_EQ(parse(b)->mode, Mode::Dfu);
}

TEST(Configuration, MissingFunctionalDescriptorAssumesTheUsual) {
  Bytes b = rom_configuration();
  b.resize(27);
  const auto i = parse(b);
  ASSERT_TRUE(i);
  EXPECT_EQ(i->transfer_size, 1024);
  EXPECT_TRUE(i->functional.can_upload());
}

TEST(Configuration, Dfu10FunctionalDescriptorHasNoVersion) {
  Bytes b = rom_configuration();
  b[27] = 7;
  b.resize(34);
  const auto i = parse(b);
  ASSERT_TRUE(i);
  EXPECT_EQ(i->functional.bcdDFUVersion, 0x0100);
  EXPECT_EQ(i->transfer_size, 2048);
}

TEST(Configuration, OtherClassesAreNoDfu) {
  Bytes b = rom_configuration();
  b[14] = b[23] = 0x02;
  EXPECT_EQ(parse(b).error().code, Errc::NotDfu);
}

TEST(Configuration, ALengthOfZeroDoesNotLoop) {
  Bytes b = rom_configuration();
  b[18] = 0;
  EXPECT_TRUE(parse(b));
}

TEST(Configuration, RunTimeInterfaceIsSeen) {
  Bytes b = rom_configuration();
  b[16] = 1;
  b[25] = 1;
  EXPECT_EQ(parse(b)->mode, Mode::RunTime);
}

TEST(DeviceDescriptor, FieldsAndLength) {
  const Bytes b{18, 1, 0, 1, 0, 0, 0, 64, 0x83, 0x04, 0x11, 0xDF, 0x00, 0x22, 1, 2, 3, 1};
  const auto d = parse_device_descriptor(b);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->idVendor, 0x0483);
  EXPECT_EQ(d->idProduct, 0xDF11);
  EXPECT_EQ(d->bcdDevice, 0x2200);
  EXPECT_EQ(parse_device_descriptor(ByteView(b).first(17)).error().code, Errc::BadDescriptor);
}

TEST(StringDescriptor, Utf16ToUtf8) {
  EXPECT_EQ(*parse_string_descriptor(Bytes{6, 3, 'A', 0, 0xE9, 0}), "A\xC3\xA9");
  EXPECT_EQ(*parse_string_descriptor(Bytes{6, 3, 0x3D, 0xD8, 0x00, 0xDE}), "\xF0\x9F\x98\x80");
  EXPECT_EQ(*parse_string_descriptor(Bytes{4, 3, 0x3D, 0xD8}), "\xEF\xBF\xBD");
  EXPECT_EQ(*parse_string_descriptor(Bytes{8, 3, 'A', 0, 0, 0, 0, 0}), "A");
  EXPECT_EQ(*parse_string_descriptor(Bytes{4, 3, 0x1B, 0}), "?");
  EXPECT_EQ(*parse_string_descriptor(Bytes{255, 3, 'A', 0, 'B'}), "A");
  EXPECT_FALSE(parse_string_descriptor(Bytes{4, 2, 'A', 0}));
  EXPECT_FALSE(parse_string_descriptor(Bytes{1}));
}

}  // namespace
}  // namespace sureflash::dfu
