#include "commands.hpp"
#include "failure.hpp"

namespace sureflash::cli {

int sim_serve(const Options&, Output& output) {
  return report(output,
                Error(Errc::Unsupported,
                      "virtual devices for other programs need Linux; -d sim:PROFILE works here"));
}

}  // namespace sureflash::cli
