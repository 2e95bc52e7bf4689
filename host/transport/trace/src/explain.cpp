#include "sureflash/transport/trace/explain.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfu.hpp"
#include "sureflash/proto/dfuse.hpp"

namespace sureflash::transport::trace {
namespace {

std::string_view text(Io io) {
  switch (io) {
    case Io::Ok:
      return "ok";
    case Io::Stall:
      return "STALL";
    case Io::Timeout:
      return "no answer in time";
    case Io::Disconnected:
      return "device gone";
    case Io::Denied:
      return "permission denied";
    case Io::Busy:
      return "held by another program";
    case Io::Unsupported:
      return "not supported";
    case Io::Stopped:
      return "stopped";
    case Io::Failed:
      return "failed";
  }
  return "failed";
}

std::string outcome(const Entry& entry) {
  return entry.answer.io == Io::Ok ? std::string() : " -> " + std::string(text(entry.answer.io));
}

std::string describe_status(ByteView reply) {
  if (reply.size() < proto::kStatusReplyLength)
    return " -> only " + decimal(reply.size()) + " bytes";
  const std::uint32_t poll_ms = load_le16(reply, 1) | static_cast<std::uint32_t>(reply[3]) << 16;
  std::string line = " -> " + name(static_cast<proto::DfuState>(reply[4]));
  if (reply[0] != 0) line += ", " + name(static_cast<proto::DfuStatus>(reply[0]));
  if (poll_ms != 0) line += ", poll after " + decimal(poll_ms) + " ms";
  return line;
}

std::string describe_descriptor(std::uint16_t value) {
  const auto index = decimal(value & 0xFFU);
  switch (static_cast<proto::DescriptorType>(value >> 8)) {
    case proto::DescriptorType::Device:
      return "device";
    case proto::DescriptorType::Configuration:
      return "configuration " + index;
    case proto::DescriptorType::String:
      return "string " + index;
    case proto::DescriptorType::Interface:
      return "interface " + index;
    case proto::DescriptorType::Endpoint:
      return "endpoint " + index;
    case proto::DescriptorType::DeviceQualifier:
      return "device qualifier";
    case proto::DescriptorType::DfuFunctional:
      return "DFU functional";
  }
  return "type " + hex(value >> 8U, 2);
}

std::string ascii_of_string_descriptor(ByteView bytes) {
  std::string result;
  for (std::size_t i = 2; i + 1 < bytes.size(); i += 2) {
    const std::uint16_t unit = load_le16(bytes, i);
    result += unit >= 0x20 && unit < 0x7F ? static_cast<char>(unit) : '?';
  }
  return result;
}

std::string command_name(std::uint8_t code) {
  switch (static_cast<proto::DfuSeCommand>(code)) {
    case proto::DfuSeCommand::GetCommands:
      return "Get Commands";
    case proto::DfuSeCommand::SetAddressPointer:
      return "Set Address Pointer";
    case proto::DfuSeCommand::Erase:
      return "Erase";
    case proto::DfuSeCommand::ReadUnprotect:
      return "Read Unprotect";
  }
  return "unknown command " + hex(code, 2);
}

std::string data_text(const Payload& payload) {
  return payload.left_out ? ", crc32 " + hex(payload.crc32) : std::string();
}

}  // namespace

std::string Explainer::explain(const Entry& entry) {
  switch (entry.kind) {
    case Kind::Control:
      return explain_control(entry);
    case Kind::Wait:
      return "wait " + sureflash::text(entry.limit);
    case Kind::Select:
      return "SET_INTERFACE interface " + decimal(entry.selection.interface_number) +
             ", alternate setting " + decimal(entry.selection.alt_setting) + outcome(entry);
    case Kind::Reset:
      return "bus reset" + outcome(entry);
    case Kind::Await:
      return "wait for the device to come back" + outcome(entry);
  }
  return {};
}

std::string Explainer::explain_control(const Entry& entry) {
  const unsigned type = entry.setup.bmRequestType & 0x60U;
  if (type == 0x00) return explain_standard(entry) + outcome(entry);
  const bool to_interface = (entry.setup.bmRequestType & 0x1FU) == 0x01;
  if (type == 0x20 && to_interface) return explain_dfu(entry) + outcome(entry);
  return "request " + hex(entry.setup.bmRequestType, 2) + " " + hex(entry.setup.bRequest, 2) +
         outcome(entry);
}

std::string Explainer::explain_dfu(const Entry& entry) {
  const bool ok = entry.answer.io == Io::Ok;
  switch (static_cast<proto::DfuRequest>(entry.setup.bRequest)) {
    case proto::DfuRequest::Detach:
      return "DFU_DETACH, " + decimal(entry.setup.wValue) + " ms";
    case proto::DfuRequest::Dnload:
      return explain_download(entry);
    case proto::DfuRequest::Upload:
      return explain_upload(entry);
    case proto::DfuRequest::GetStatus:
      return "DFU_GETSTATUS" + (ok ? describe_status(entry.in.bytes) : std::string());
    case proto::DfuRequest::ClrStatus:
      return "DFU_CLRSTATUS";
    case proto::DfuRequest::GetState:
      if (!ok || entry.in.bytes.empty()) return "DFU_GETSTATE";
      return "DFU_GETSTATE -> " + name(static_cast<proto::DfuState>(entry.in.bytes[0]));
    case proto::DfuRequest::Abort:
      return "DFU_ABORT";
  }
  return "class request " + hex(entry.setup.bRequest, 2);
}

std::string Explainer::block(const Entry& entry, std::size_t size) const {
  std::string line = " block " + decimal(entry.setup.wValue) + ": " + decimal(size) + " bytes";
  if (!dfuse_ || !pointer_ || entry.setup.wValue < proto::kFirstDataBlock) return line;
  const std::uint64_t unit = transfer_size_.value_or(entry.setup.wLength);
  return line + " at " + hex(*pointer_ + (entry.setup.wValue - proto::kFirstDataBlock) * unit);
}

std::string Explainer::explain_download(const Entry& entry) {
  const std::size_t size = entry.setup.wLength;
  const Bytes& bytes = entry.out.bytes;
  if (size == 0) {
    return pointer_ ? "DFU_DNLOAD of length 0: leave, start at " + hex(*pointer_)
                    : std::string("DFU_DNLOAD of length 0: end of the image");
  }
  const bool command = entry.setup.wValue == proto::kCommandBlock && !bytes.empty() && size <= 5;
  if (!command) return "DFU_DNLOAD" + block(entry, size) + data_text(entry.out);
  const std::string begin = "DFU_DNLOAD block 0: ";
  switch (static_cast<proto::DfuSeCommand>(bytes[0])) {
    case proto::DfuSeCommand::SetAddressPointer:
      if (size != 5) break;
      dfuse_ = true;
      pointer_ = load_le32(bytes, 1);
      return begin + command_name(bytes[0]) + " " + hex(*pointer_);
    case proto::DfuSeCommand::Erase:
      if (size == 1) return begin + "Mass Erase";
      if (size != 5) break;
      return begin + command_name(bytes[0]) + " " + hex(load_le32(bytes, 1));
    case proto::DfuSeCommand::ReadUnprotect:
      return begin + command_name(bytes[0]);
    case proto::DfuSeCommand::GetCommands:
      break;
  }
  return begin + "command " + hex(bytes[0], 2) + ", " + decimal(size) + " bytes";
}

std::string Explainer::explain_upload(const Entry& entry) {
  const std::size_t size = entry.answer.actual;
  if (!dfuse_ || entry.setup.wValue != proto::kCommandBlock) {
    return "DFU_UPLOAD" + block(entry, size) + data_text(entry.in);
  }
  std::string line = "DFU_UPLOAD block 0: Get Commands";
  if (entry.answer.io != Io::Ok) return line;
  if (entry.in.left_out) return line + " -> " + decimal(size) + " bytes" + data_text(entry.in);
  std::string_view separator = " -> ";
  for (const std::uint8_t code : entry.in.bytes) {
    line += separator;
    line += command_name(code);
    separator = ", ";
  }
  return line;
}

std::string Explainer::explain_standard(const Entry& entry) {
  const Bytes& in = entry.in.bytes;
  switch (static_cast<proto::StandardRequest>(entry.setup.bRequest)) {
    case proto::StandardRequest::GetDescriptor: {
      const auto type = static_cast<proto::DescriptorType>(entry.setup.wValue >> 8);
      std::string line = "GET_DESCRIPTOR " + describe_descriptor(entry.setup.wValue);
      if (type == proto::DescriptorType::Configuration) learn_transfer_size(in);
      if (type == proto::DescriptorType::Device && in.size() >= 14) {
        line += " -> " + hex(load_le16(in, 8), 4) + ":" + hex(load_le16(in, 10), 4);
      }
      const bool text = type == proto::DescriptorType::String && (entry.setup.wValue & 0xFFU) != 0;
      if (text && in.size() > 2) line += " -> \"" + ascii_of_string_descriptor(in) + "\"";
      return line;
    }
    case proto::StandardRequest::SetAddress:
      return "SET_ADDRESS " + decimal(entry.setup.wValue);
    case proto::StandardRequest::SetConfiguration:
      return "SET_CONFIGURATION " + decimal(entry.setup.wValue);
    case proto::StandardRequest::SetInterface:
      return "SET_INTERFACE interface " + decimal(entry.setup.wIndex) + ", alternate setting " +
             decimal(entry.setup.wValue);
    default:
      return "standard request " + hex(entry.setup.bRequest, 2);
  }
}

void Explainer::learn_transfer_size(ByteView c) {
  for (std::size_t at = 0; at + 2 <= c.size() && c[at] >= 2; at += c[at]) {
    const bool functional =
        c[at + 1] == static_cast<std::uint8_t>(proto::DescriptorType::DfuFunctional);
    if (!functional || c[at] < proto::kFunctionalDescriptorLengthDfu10 || at + c[at] > c.size()) {
      continue;
    }
    transfer_size_ = load_le16(c, at + 5);
    if (c[at] >= proto::kFunctionalDescriptorLength) {
      dfuse_ = load_le16(c, at + 7) == proto::kBcdDfuSe;
    }
  }
}

}  // namespace sureflash::transport::trace
