// Runs a fuzz target over every file of the given directories, without a fuzzer, so that any
// compiler and the normal test run can do it. The first directory is the corpus and must hold a
// file; the others need not exist. The name of each file is printed first, so that a crash can be
// told.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const fs::path& directory) {
  std::vector<fs::path> files;
  if (!fs::is_directory(directory)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

void replay(const fs::path& path) {
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  std::ifstream file(path, std::ios::binary);
  // Without spare capacity, so that AddressSanitizer sees one byte too many.
  std::vector<char> data{std::istreambuf_iterator<char>(file), {}};
  data.shrink_to_fit();
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const std::vector<fs::path> files = files_below(arguments[i]);
    if (i == 1 && files.empty()) {
      std::fprintf(stderr, "the corpus %s is empty\n", arguments[i]);
      return 1;
    }
    std::ranges::for_each(files, replay);
  }
  return count > 1 ? 0 : 1;
}
