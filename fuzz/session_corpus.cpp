// Writes seeds for session_fuzz: whole sessions with virtual devices. Not part of the tests; run it
// when the host asks something new: `fuzz_session_corpus fuzz/corpus/session`.

#include <fstream>

#include "session_image.hpp"

#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/virtual.hpp"
#include "sureflash/update/dfu_mode.hpp"
#include "sureflash/update/diagnose.hpp"

namespace {

using namespace sureflash;

/// Carries steps out and writes the answers down as session_fuzz reads them.
class Scribe final : public transport::Transport {
 public:
  explicit Scribe(transport::Transport& inner) : inner_(&inner) {}
  Answer perform(const Step& step) override {
    const Answer answer = inner_->perform(step);
    text += answer.io == Io::Ok ? '\0' : static_cast<char>(225 + static_cast<int>(answer.io));
    const auto* t = std::get_if<ControlTransfer>(&step);
    if (t != nullptr && answer.io == Io::Ok && t->setup.is_in()) {
      text += static_cast<char>(answer.actual & 0xFF);
      text += static_cast<char>(answer.actual >> 8);
      text.append(reinterpret_cast<const char*>(t->in.data()), answer.actual);
    }
    return answer;
  }
  Duration now() const override { return inner_->now(); }

  std::string text;

 private:
  transport::Transport* inner_;
};

Task<> session() {
  co_await update::enter_dfu_mode(1s);
  const update::Target target = co_await update::identify();
  update::Observations seen;
  const image::Image image = fuzz::session_image();
  auto plan = update::make_plan(target, image);
  if (!plan) {
    co_await update::diagnose(target, plan.error(), seen);
    co_return;
  }
  auto outcome = co_await caught(update::program(target, *plan, seen));
  if (!outcome) co_await update::diagnose(target, outcome.error(), seen);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const char* spec :
       {"stm32f105", "stm32f105,rdp=1", "stm32f105,wrp=0-1", "cubemx-skeleton,middleware=2.5.3",
        "cubemx-skeleton,middleware=2.11.3", "st-f107-example", "dfu11,runtime=1"}) {
    auto device = sim::make_device(spec);
    if (!device) return 1;
    transport::VirtualTransport port((*device)->usb(), transport::Clock::Virtual);
    if (!port.open(5s)) return 1;
    Scribe scribe(port);
    static_cast<void>(transport::run(scribe, session()));
    std::string name = spec;
    for (char& c : name) c = c == ',' || c == '=' || c == '.' ? '-' : c;
    std::ofstream(std::string(argv[1]) + "/" + name, std::ios::binary) << scribe.text;
  }
}
