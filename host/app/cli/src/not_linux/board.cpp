#include "commands.hpp"
#include "failure.hpp"
#include "sim_device.hpp"

namespace sureflash::cli {
namespace {

Error no_board() {
  return Error(Errc::Unsupported, "the virtual board needs Linux");
}

}  // namespace

Result<std::unique_ptr<SimDevice>> make_board_device(std::string_view) {
  return fail(no_board());
}

int sim_run(const Options&, Output& output) {
  return report(output, no_board());
}

}  // namespace sureflash::cli
