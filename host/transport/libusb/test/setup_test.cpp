// Goal: the udev rule is installed whole, recognised, and its failure names the file.
// Method: a temporary folder in place of /etc/udev/rules.d; for refusals, one that does not exist.
#include "sureflash/transport/libusb/setup.hpp"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

namespace sureflash::transport {
namespace {

TEST(UdevRule, InstalledRuleIsRecognisedAndAnOlderOneIsNot) {
  std::string folder = "/tmp/sf-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  EXPECT_FALSE(udev_rule_installed(folder));
  ASSERT_TRUE(install_udev_rule(folder));
  EXPECT_TRUE(udev_rule_installed(folder));
  std::ofstream(folder + "/70-sureflash.rules", std::ios::app) << "# changed\n";
  EXPECT_FALSE(udev_rule_installed(folder));
  ASSERT_TRUE(install_udev_rule(folder));
  EXPECT_TRUE(udev_rule_installed(folder));
  std::filesystem::remove_all(folder);
}

TEST(UdevRule, FailureNamesTheFile) {
  const auto result = install_udev_rule("/nonexistent");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::FileUnwritable);
  EXPECT_EQ(result.error().where.name, "/nonexistent/70-sureflash.rules");
}

TEST(UdevRule, TagsBeforeTheSeatRulesActOnIt) {
  EXPECT_LT(std::string(kUdevRuleName), "73-seat-late.rules");
  EXPECT_THAT(udev_rule_text(), testing::HasSubstr("TAG+=\"uaccess\""));
}

TEST(VerifyAccess, NodeThatIsNotThere) {
  DeviceInfo device;
  device.node = "/dev/bus/usb/099/099";
  const auto result = verify_access(device);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::NoDevice);
}

}  // namespace
}  // namespace sureflash::transport
