// Goal: a pasted log of another program is told in words, and the likely cause is named. Method:
// the log of the story this project starts from (ST community 621282; wording as in dfuse.md 7.4
// and the task), and lines of dfu-util as its source prints them.

#include "sureflash/update/explain_log.hpp"

#include "scenario.hpp"

namespace sureflash::scenarios {
namespace {

using update::Certainty;
using update::explain_log;

constexpr std::string_view kStory =
    "  -------------------------------------------------------------------\n"
    "                       STM32CubeProgrammer v2.13.0\n"
    "  -------------------------------------------------------------------\n"
    "Memory Programming ...\n"
    "Opening and parsing file: firmware.bin\n"
    "  File          : firmware.bin\n"
    "  Address       : 0x08000000\n"
    "Erasing memory corresponding to segment 0:\n"
    "erase done\n"
    "Download in Progress:\n"
    "File download complete\n"
    "Time elapsed during download operation: 00:00:00.412\n"
    "Verifying ...\n"
    "Error: Download verification failed\n"
    "Error: Mass erase operation failed. Please verify flash protection\n";

TEST(ExplainLog, TheStory) {
  const auto reading = explain_log(kStory);
  EXPECT_EQ(reading.program, "STM32CubeProgrammer");
  ASSERT_EQ(reading.story.size(), 5U);
  EXPECT_EQ(reading.story[1].text, "erase done");
  EXPECT_EQ(reading.story[1].line, 9U);
  EXPECT_EQ(reading.story[3].text, "Error: Download verification failed");
  ASSERT_GE(reading.findings.size(), 2U);
  EXPECT_EQ(reading.findings[0].id, "cubemx-skeleton");
  EXPECT_EQ(reading.findings[0].certainty, Certainty::Likely);
  EXPECT_EQ(reading.findings[0].evidence.size(), 4U);
  EXPECT_EQ(reading.findings[0].page, "recovery/cubemx-skeleton.md");
  EXPECT_EQ(reading.findings[1].id, "write-protection");
  for (const auto& f : reading.findings) EXPECT_NE(f.id, "read-protection");
}

TEST(ExplainLog, DfuUtil) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"dfu-util: Last page at 0x08001fff is not writeable\n", "read-only-area"},
      {"dfu-util: No DFU capable USB device available\n", "no-device"},
      {"dfu-util: More than one DFU capable USB device found! Try `--list'\n", "several-devices"},
      {"dfu-util: Cannot open DFU device 0483:df11 found on devnum 9 (LIBUSB_ERROR_ACCESS)\n",
       "no-permission"},
      {"Cannot claim interface - LIBUSB_ERROR_BUSY\n", "device-in-use"},
      {"dfu-util 0.11\nFile downloaded successfully\nSubmitting leave request...\n"
       "Error during download get_status\n",
       "start-answer"},
      {"DFU state(10) = dfuERROR, status(11) = iString indicates a vendor specific error\n",
       "read-protection"},
  };
  for (const auto& [log, id] : cases) {
    const auto reading = explain_log(log);
    ASSERT_FALSE(reading.findings.empty()) << log;
    EXPECT_EQ(reading.findings.front().id, id) << log;
  }
}

TEST(ExplainLog, ErrVendorIsNoProofOfProtectionAndNoTemplate) {
  const auto reading =
      explain_log("File download complete\nError: Download verification failed\nerrVENDOR\n");
  for (const auto& f : reading.findings) {
    EXPECT_NE(f.id, "cubemx-skeleton");
    EXPECT_EQ(f.certainty, Certainty::Possible);
  }
}

TEST(ExplainLog, NothingIsMadeUp) {
  for (const std::string_view log : {"", "\n\n\n", "hello",
                                     "dfu-util: Invalid DFU suffix signature\nFile downloaded "
                                     "successfully\n"}) {
    EXPECT_TRUE(explain_log(log).findings.empty()) << log;
  }
  // A long log is told with an end.
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "File download complete\n";
  EXPECT_EQ(explain_log(many).story.size(), 2U);
}

}  // namespace
}  // namespace sureflash::scenarios
