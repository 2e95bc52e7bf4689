#include "bundle.hpp"

#include "show.hpp"
#include "surroundings.hpp"
#include "usb.hpp"

#ifndef _WIN32
#include <sys/utsname.h>
#endif

#include "sureflash/transport/trace/explain.hpp"

namespace sureflash::cli {
namespace {

Json machine() {
#ifdef _WIN32
  return {{"system", "Windows"}};
#else
  utsname name{};
  if (uname(&name) != 0) return Json::object();
  // Not the node name: that is nobody's business.
  return {{"system", name.sysname}, {"release", name.release}, {"machine", name.machine}};
#endif
}

Json session(const Opened& opened) {
  Json lines = Json::array();
  const auto trace = transport::trace::parse(opened.device->recorded());
  if (!trace) return lines;
  transport::trace::Explainer explainer;
  for (const transport::trace::Entry& entry : trace->entries) {
    lines.push_back(explainer.explain(entry));
  }
  return lines;
}

}  // namespace

Json support_bundle(const Opened* opened, const std::vector<update::Finding>& findings) {
  Json list = Json::array();
  for (const update::Finding& f : findings) list.push_back(to_json(f));
  const auto log = surroundings(Error(Errc::NoDevice)).kernel_log;
  Json bundle = {{"schema", "sureflash-bundle/1"},
                 {"version", SUREFLASH_VERSION},
                 {"machine", machine()},
                 {"usb_devices", usb_devices()},
                 {"failed_enumerations", update::enumeration_failures(log)},
                 {"findings", std::move(list)}};
  if (opened != nullptr) {
    bundle["device"] = to_json(opened->target);
    bundle["session"] = session(*opened);
    bundle["trace"] = opened->device->recorded();
  }
  return bundle;
}

}  // namespace sureflash::cli
