// Goal: every error has a name, a text and advice, and they stay as they are unless somebody means
// it. Method: all of them, rendered, against tests/golden/errors.txt. UPDATE_GOLDEN=1 writes it
// anew.

#include <cstdlib>
#include <fstream>

#include "exit_code.hpp"
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sureflash/update/diagnose.hpp"

namespace sureflash::cli {
namespace {

TEST(Errors, EveryOneIsNamedExplainedAndAdvised) {
  std::string text;
  int count = 0;
  for (int number = 0; number < 1000; ++number) {
    const auto code = static_cast<Errc>(number);
    if (name(code) == "unlisted") continue;
    ++count;
    const update::Remedy remedy = update::remedy(Error(code));
    EXPECT_FALSE(describe(code).empty());
    EXPECT_FALSE(remedy.hint.empty()) << name(code);
    text += fmt::format("{} {} (exit {})\n  {}\n  hint: {}\n", number, name(code),
                        static_cast<int>(exit_code(code)), describe(code), remedy.hint);
    if (!remedy.page.empty()) text += fmt::format("  more: docs/{}\n", remedy.page);
  }
  EXPECT_GE(count, 48);
  const std::string file = std::string(SUREFLASH_SOURCE_DIR) + "/tests/golden/errors.txt";
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update != nullptr && *update == '1') {
    std::ofstream(file) << text;
  }
  std::ifstream stream(file);
  EXPECT_EQ(text, std::string((std::istreambuf_iterator<char>(stream)), {}));
}

}  // namespace
}  // namespace sureflash::cli
