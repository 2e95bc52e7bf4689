// Goal: whatever command fails, the right cause is named first; healthy devices are not accused.
// Method: every set-up that shows a cause, and healthy devices of every profile, against every
// command. The answers are the table in docs/diagnosis.md, which is checked, or written with
// UPDATE_GOLDEN=1. Causes that no device can show are argued from evidence alone.

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "scenario.hpp"
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "sureflash/update/dfu_mode.hpp"
#include "sureflash/update/evidence.hpp"

namespace sureflash::scenarios {
namespace {

using update::Evidence;
using update::Severity;

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::size_t kSize = 40'000;

image::Image image_of(std::uint32_t base, Bytes bytes) {
  image::Image image;
  EXPECT_TRUE(image.insert(base, bytes));
  return image;
}
image::Image linked_elsewhere(std::uint32_t base) {
  Bytes bytes(2048, 0x11);
  store_le32(bytes, 0, 0x20010000);
  store_le32(bytes, 4, base + 0x8009);
  return image_of(base, bytes);
}
image::Image no_program(std::uint32_t base) {
  return image_of(base, Bytes(2048, 0x11));
}
image::Image for_more_ram(std::uint32_t base) {
  image::Image image;
  Bytes bytes(2048, 0x11);
  store_le32(bytes, 0, 0x20020000);
  store_le32(bytes, 4, base + 9);
  EXPECT_TRUE(image.insert(base, bytes));
  return image;
}
image::Image with_ram(std::uint32_t base) {
  image::Image image = make_program(base, 2048);
  EXPECT_TRUE(image.insert(0x20001000, Bytes(64, 0x11)));
  return image;
}
image::Image with_option_bytes(std::uint32_t base) {
  image::Image image = make_program(base, 2048);
  EXPECT_TRUE(image.insert(0x1FFFF800, Bytes(16, 0xFF)));
  return image;
}
image::Image program_of(std::uint32_t base) {
  return make_program(base, kSize);
}
image::Image small_program(std::uint32_t base) {
  return make_program(base, 8'000);
}
/// As read from a UF2 file for STM32F4.
image::Image for_f4(std::uint32_t base) {
  image::Image image = program_of(base);
  image.family = 0x57755A57;
  return image;
}
image::Image too_large(std::uint32_t base) {
  return make_program(base, 300 * 1024);
}

struct Situation {
  std::string_view cause;  ///< empty: healthy
  std::string spec;
  std::uint32_t base = kBase;
  image::Image (*image)(std::uint32_t) = program_of;
  /// What else is wrong with it, and may come first.
  std::string_view also{};
};

const char* const kNothingStored = "stm32f105,fault=drop-write@0-999999+skip-erase@0-999";

std::vector<Situation> setups() {
  return {
      {"", "stm32f105,fill=noise"},
      {"", "stm32f105,fill=app"},
      {"", "stm32f105,rom=2.1,fill=noise,held=0"},
      {"", "stm32f105,rom=2.0,fill=app"},
      {"", "stm32f105,fill=app,block-address=wlength,rom-read=0"},
      {"cubemx-skeleton", "cubemx-skeleton", 0x0800C000},
      {"cubemx-skeleton", "cubemx-skeleton,middleware=2.11.3", 0x0800C000},
      {"cubemx-skeleton",
       "cubemx-skeleton,product=My loader,layout=@Internal Flash  /0x08000000/128*002Kg"},
      {"erases-everything", "st-f107-example,fill=noise", 0x08005000},
      {"erases-everything", "st-f107-example,fill=app", 0x08005000},
      {"read-only-area", "st-f107-example,fill=app"},
      {"write-protection", "stm32f105,fill=app,wrp=0-3"},
      {"read-protection", "stm32f105,fill=app,rdp=1"},
      {"read-protection", "stm32f105,fill=app,rdp=1,rdp-at=set-address"},
      {"option-bytes-damaged", "stm32f105,fill=app,option-bytes=A55AFF00FF00FF00FF00FF00FF00FF55"},
      {"stores-nothing", kNothingStored},
      {"worn-flash", "stm32f105,fill=app,fault=flip-bit@9000"},
      {"clone", "stm32f105,fill=app,usb-id=28e9:0189"},
      {"clone", "stm32f105,fill=app,usb-id=2e3c:df11"},
      {"clone", "gd32vf103,fill=app"},
      {"clone", "at32f437,fill=app"},
      {"layout-missing", "stm32f105,fill=app,layout=DFU"},
      {"wrong-base", "stm32f105,fill=app", kBase, linked_elsewhere},
      {"vector-table", "stm32f105,fill=app", kBase, no_program},
      {"wrong-family", "stm32f105,fill=app", kBase, for_f4},
      {"image-for-ram", "stm32f105,fill=app", kBase, with_ram},
      {"image-with-option-bytes", "stm32f105,fill=app", kBase, with_option_bytes},
      {"image-too-large", "stm32f105,fill=app", kBase, too_large},
      {"run-time-mode", "stm32f105,runtime=1"},
      {"run-time-mode", "stm32f105,runtime=1,detach=reset"},
      {"stuck-state", "stm32f105,fill=app,found=error"},
      {"stuck-state", "stm32f105,fill=app,found=dnbusy,held=0"},
      {"stuck-state", "stm32f105,fill=app,found=upload-idle"},
      {"interrupted-update", "stm32f105,fill=interrupted"},
      {"no-program", "stm32f105"},
      {"rom-version", "stm32f105,fill=app,rom=2.0"},
      {"rom-version", "stm32f105,fill=app,rom=2.1"},
      {"poll-times", "stm32f105,fill=app,poll=0"},
      {"rom-version", "stm32f105,fill=app,rom=1.0"},
      {"vector-table", "stm32f105,fill=app", kBase, for_more_ram},
      {"stuck-state", "st-f107-example,fill=app,middleware=2.11.3,found=state-15", 0x08005000,
       program_of, "erases-everything"},
      {"layout-wrong", "stm32f105,fill=app,layout=@Internal Flash  /0x08000000/256*001Kg"},
      {"layout-wrong",
       "stm32f105,fill=app,layout=@Internal Flash  /0x08000000/04*016Kg;01*064Kg;07*128Kg"},
      {"faster-than-silicon", "stm32f105,fill=app,times=none,poll=0"},
      {"host-gap", "stm32f042,fill=noise,fault=no-gap", kBase, small_program},
      {"came-back-in-dfu", "stm32f105,fill=app,app=returns"},
      {"came-back-in-dfu", "stm32f105,fill=app,app=resets"},
      {"came-back-in-dfu",
       "stm32f105,fill=app,app=resets,option-bytes=A55AFE01FF00FF00FF00FF00FF00FF00"},
      {"start-answer", "stm32f105,fill=app,leave=vanish"},
      {"start-answer", "stm32f105,fill=app,leave=error"},
  };
}

/// A device, opened as a command does.
struct Session {
  explicit Session(const Situation& setup) : bench(setup.spec) {}

  template <class T>
  Result<T> run(Task<T> task) {
    return transport::run(*transport, std::move(task));
  }
  bool open(bool enter_dfu) {
    transport.emplace(bench.device().usb(), transport::Clock::Virtual);
    if (!transport->open(20s)) return false;
    if (enter_dfu && !run(update::enter_dfu_mode(20s))) return false;
    auto state = run(update::look_at_state());
    if (state) found = *state;
    auto identified = run(update::identify());
    if (!identified) return false;
    target = *std::move(identified);
    return true;
  }

  Bench bench;
  std::optional<transport::VirtualTransport> transport;
  std::optional<proto::StatusReply> found;
  update::Target target;
};

/// What a command says: "done", the first cause, or the bare error.
template <class T>
std::string answer(Session& s, const Result<T>& result, const update::Observations& seen) {
  if (result) return "done";
  const auto findings = s.run(update::diagnose(s.target, result.error(), seen));
  if (!findings || findings->empty()) return fmt::format("({})", name(result.error().code));
  return std::string(findings->front().id);
}

std::string doctor(const Situation& setup, bool trial) {
  Session s(setup);
  if (!s.open(false)) return "(not opened)";
  update::Trial tried;
  if (trial) {
    if (s.target.descriptors.dfu.mode == dfu::Mode::RunTime) return "";
    const auto sectors = s.target.flash()->map.sectors(AddressRange::sized(setup.base, 1));
    auto result = s.run(update::try_sector(s.target, sectors.front()));
    if (!result) return "(no trial)";
    tried = *std::move(result);
  }
  auto evidence =
      s.run(update::gather(s.target, tried.error ? &*tried.error : nullptr, tried.seen));
  if (!evidence) return "(nothing gathered)";
  evidence->found = s.found;
  const auto findings = update::find_causes(*evidence);
  if (findings.empty()) return "-";
  const update::Finding& first = findings.front();
  return fmt::format("{}{}", first.id, first.severity == Severity::Note ? " (note)" : "");
}

std::string program(const Situation& setup) {
  Session s(setup);
  if (!s.open(true)) return "(not opened)";
  update::Observations seen;
  const auto plan = update::make_plan(s.target, setup.image(setup.base));
  if (!plan) return answer(s, plan, seen);
  return answer(s, s.run(update::program(s.target, *plan, seen)), seen);
}

std::string verify(const Situation& setup) {
  Session s(setup);
  if (!s.open(true)) return "(not opened)";
  const image::Image image = setup.image(setup.base);
  // What is compared is there: a difference would be an answer, not a failure.
  const auto flash = s.bench.chip().flash().geometry().range();
  for (const auto& segment : image.segments()) {
    if (flash.contains(segment.range())) s.bench.chip().flash().load(segment.address, segment.data);
  }
  update::Observations seen;
  return answer(s, s.run(update::verify(s.target, image, seen)), seen);
}

std::string erase(const Situation& setup) {
  Session s(setup);
  if (!s.open(true)) return "(not opened)";
  update::Observations seen;
  return answer(s, s.run(update::erase(s.target, {AddressRange::sized(setup.base, 1)}, seen)),
                seen);
}

std::string read(const Situation& setup) {
  Session s(setup);
  if (!s.open(true)) return "(not opened)";
  return answer(s, s.run(update::read(s.target, AddressRange::sized(setup.base, 256))), {});
}

/// There is no program to start.
const char* const kRefused = "refused";

/// What is in flash is started; what went well with a note is that note.
std::string start(const Situation& setup) {
  Session s(setup);
  if (!s.open(true)) return "(not opened)";
  const auto started = s.run(update::start_and_watch(s.target, setup.base));
  if (!started && started.error().code == Errc::VectorTableImplausible) return kRefused;
  if (!started) return answer(s, started, {});
  Evidence evidence;
  evidence.target = &s.target;
  evidence.start_answer = started->answer;
  for (const update::Finding& f : update::find_causes(evidence)) {
    if (f.id == "start-answer") return "start-answer (note)";
  }
  return "done";
}

std::string info(const Situation& setup) {
  Session s(setup);
  return s.open(false) ? "done" : "(not opened)";
}

struct Row {
  Situation setup;
  std::vector<std::string> cells;
};

const std::vector<std::string> kColumns{
    "doctor", "doctor --may-write", "info", "program", "verify", "erase", "read", "run"};

Row row_of(const Situation& setup) {
  return {setup,
          {doctor(setup, false), doctor(setup, true), info(setup), program(setup), verify(setup),
           erase(setup), read(setup), start(setup)}};
}

const std::vector<Row>& matrix() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> result;
    for (const Situation& setup : setups()) result.push_back(row_of(setup));
    return result;
  }();
  return rows;
}

/// "clone (note)" -> "clone".
std::string id_of(const std::string& cell) {
  return cell.substr(0, cell.find(' '));
}

TEST(Diagnosis, EachCauseIsLookedForOnce) {
  std::set<std::string_view> ids;
  for (const update::Cause* cause : update::causes()) {
    EXPECT_TRUE(ids.insert(cause->id).second) << cause->id;
  }
}

TEST(Diagnosis, TheRightCauseComesFirst) {
  for (const Row& row : matrix()) {
    if (row.setup.cause.empty()) continue;
    SCOPED_TRACE(row.setup.spec);
    int named = 0;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const std::string& cell = row.cells[i];
      SCOPED_TRACE(kColumns[i]);
      if (id_of(cell) == row.setup.cause) ++named;
      // Notes stand behind what is wrong, and may be about something else than the set-up.
      if (cell == "done" || cell == "-" || cell.empty() || cell.ends_with("(note)")) continue;
      if (cell == kRefused || cell == row.setup.also) continue;
      EXPECT_EQ(cell, row.setup.cause);
    }
    EXPECT_GT(named, 0) << "no command names the cause";
  }
}

TEST(Diagnosis, HealthyDevicesAreNotAccused) {
  int healthy = 0;
  for (const Row& row : matrix()) {
    if (!row.setup.cause.empty()) continue;
    ++healthy;
    SCOPED_TRACE(row.setup.spec);
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      SCOPED_TRACE(kColumns[i]);
      const std::string& cell = row.cells[i];
      EXPECT_TRUE(cell == kRefused || cell == "done" || cell == "-" || cell.ends_with("(note)"))
          << cell;
    }
  }
  EXPECT_GE(healthy, 5);
}

TEST(Diagnosis, NoProfileIsAccusedWithoutReason) {
  const std::set<std::string_view> ill{"cubemx-skeleton"};
  int asked = 0;
  for (const sim::ProfileHelp& profile : sim::profiles()) {
    if (ill.contains(profile.name)) continue;
    SCOPED_TRACE(profile.name);
    ++asked;
    const std::string cell = doctor({"", std::string(profile.name) + ",fill=app"}, false);
    EXPECT_TRUE(cell == "-" || cell.ends_with("(note)")) << cell;
  }
  EXPECT_GE(asked, 3);
}

TEST(Diagnosis, TheRomsOfAllLinesAreNotAccused) {
  int asked = 0;
  for (const std::string_view name : sim::chip_profiles()) {
    const stm32::Chip* chip = stm32::find_chip(name);
    const Situation setup{"", std::string(name) + ",fill=noise", chip->flash_base, small_program};
    SCOPED_TRACE(setup.spec);
    const Row row = row_of(setup);
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const std::string& cell = row.cells[i];
      EXPECT_TRUE(cell == kRefused || cell == "done" || cell == "-" || cell.ends_with("(note)"))
          << kColumns[i] << ": " << cell;
      ++asked;
    }
  }
  EXPECT_GT(asked, 61 * 7);
}

std::string table() {
  std::string s = "| device | image |";
  for (const std::string& column : kColumns) s += " " + column + " |";
  s += "\n|---|---|";
  for (std::size_t i = 0; i < kColumns.size(); ++i) s += "---|";
  s += "\n";
  const std::map<image::Image (*)(std::uint32_t), std::string> images{
      {small_program, "a small program"},
      {program_of, "a program"},
      {linked_elsewhere, "linked elsewhere"},
      {no_program, "no program"},
      {for_more_ram, "for a chip with more RAM"},
      {with_ram, "with RAM"},
      {with_option_bytes, "with option bytes"},
      {too_large, "300 KiB"},
      {for_f4, "a UF2 for F4"}};
  for (const Row& row : matrix()) {
    s += fmt::format("| `{}` | {} |", row.setup.spec, images.at(row.setup.image));
    for (const std::string& cell : row.cells) s += " " + cell + " |";
    s += "\n";
  }
  return s;
}

TEST(Diagnosis, TheTableInTheDocumentationIsTrue) {
  const std::string path = std::string(SUREFLASH_SOURCE_DIR) + "/docs/diagnosis.md";
  constexpr std::string_view kMark = "<!-- written by tests/scenarios/diagnosis_test.cpp -->\n";
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string document = text.str();
  const std::size_t at = document.find(kMark);
  ASSERT_NE(at, std::string::npos) << path;
  const std::string wanted = document.substr(0, at + kMark.size()) + table();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << wanted;
  } else {
    EXPECT_EQ(document, wanted) << "UPDATE_GOLDEN=1 writes it";
  }
}

// Causes of the machine around the device.

std::vector<update::Finding> argue(const Error& error, update::Surroundings around = {}) {
  Evidence evidence;
  evidence.error = &error;
  evidence.around = std::move(around);
  return update::find_causes(evidence);
}

TEST(Diagnosis, TheMachineAroundTheDevice) {
  const std::map<Errc, std::string_view> expected{{Errc::NoDevice, "no-device"},
                                                  {Errc::SeveralDevices, "several-devices"},
                                                  {Errc::PermissionDenied, "no-permission"},
                                                  {Errc::DeviceBusy, "device-in-use"},
                                                  {Errc::StuckBusy, "stuck-state"}};
  for (const auto& [code, id] : expected) {
    const auto findings = argue(Error(code));
    ASSERT_EQ(findings.size(), 1U) << id;
    EXPECT_EQ(findings.front().id, id);
  }
  EXPECT_TRUE(argue(Error(Errc::Usage)).empty());
}

TEST(Diagnosis, FailedEnumerationsAreReadFromTheKernelLog) {
  // Lines of Linux 6.1 with a device that answers nothing; the last is of a healthy one.
  const update::Surroundings around{{"usb 1-2: new full-speed USB device number 9 using xhci_hcd",
                                     "usb 1-2: device descriptor read/64, error -110",
                                     "usb 1-2: device not accepting address 10, error -71",
                                     "usb usb1-port2: unable to enumerate USB device",
                                     "usb 1-3: new full-speed USB device number 12 using xhci_hcd"},
                                    {}};
  const auto findings = argue(Error(Errc::NoDevice), around);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings.front().certainty, update::Certainty::Likely);
  EXPECT_EQ(findings.front().evidence.size(), 3U);
  EXPECT_THAT(findings.front().what_to_do.front(), testing::HasSubstr("wait 20 s"));
  const auto silent = argue(Error(Errc::NoDevice));
  EXPECT_EQ(silent.front().certainty, update::Certainty::Possible);
}

TEST(Diagnosis, SixAttemptsAreAWrongCrystal) {
  update::Surroundings around;
  for (int n = 9; n < 15; ++n) {
    around.kernel_log.push_back(
        fmt::format("usb 1-2: new full-speed USB device number {} using xhci_hcd", n));
    around.kernel_log.emplace_back("usb 1-2: device descriptor read/64, error -110");
  }
  const auto findings = argue(Error(Errc::NoDevice), around);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().evidence.back(), testing::HasSubstr("6 times"));
  EXPECT_THAT(findings.front().what_to_do.front(), testing::HasSubstr("crystal must be"));
}

TEST(Diagnosis, OneSignOfReadProtectionIsNotEnough) {
  update::Target target;
  target.read_protection_signs = {"reading the flash at 0x08000000 was answered errVENDOR"};
  Evidence evidence;
  evidence.target = &target;
  auto findings = update::find_causes(evidence);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front().certainty, update::Certainty::Possible);
  target.read_protection_signs.emplace_back("the option byte RDP is 0xFF");
  findings = update::find_causes(evidence);
  EXPECT_EQ(findings.front().certainty, update::Certainty::Certain);
}

TEST(Diagnosis, EveryCauseIsShownByATest) {
  std::set<std::string_view> shown{"no-device", "several-devices", "no-permission",
                                   "device-in-use"};
  for (const Situation& setup : setups()) shown.insert(setup.cause);
  for (const update::Cause* cause : update::causes()) {
    EXPECT_TRUE(shown.contains(cause->id)) << cause->id;
  }
}

TEST(Diagnosis, ATrialPutsTheContentBack) {
  for (const char* fill : {"app", "noise", "blank"}) {
    Situation setup{"", std::string("stm32f105,fill=") + fill};
    Session s(setup);
    ASSERT_TRUE(s.open(false));
    const AddressRange flash{kBase, kBase + 0x4000};
    const Bytes before = s.bench.flash(flash);
    auto tried = s.run(update::try_sector(s.target, {kBase + 0x800, kBase + 0x1000}));
    ASSERT_TRUE(tried);
    EXPECT_FALSE(tried->error);
    EXPECT_GT(s.bench.chip().operations().count(), 1024U) << "it must have written";
    EXPECT_EQ(s.bench.flash(flash), before);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
