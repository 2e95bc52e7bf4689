#include <array>

#include "sureflash/update/diagnose.hpp"

namespace sureflash::update {

// One file in this folder defines each.
extern const Cause kNoDevice;
extern const Cause kSeveralDevices;
extern const Cause kNoPermission;
extern const Cause kDeviceInUse;
extern const Cause kRunTimeMode;
extern const Cause kStuckState;
extern const Cause kReadProtection;
extern const Cause kOptionBytesDamaged;
extern const Cause kWriteProtection;
extern const Cause kCubemxSkeleton;
extern const Cause kErasesEverything;
extern const Cause kStoresNothing;
extern const Cause kWornFlash;
extern const Cause kClone;
extern const Cause kLayoutMissing;
extern const Cause kReadOnlyArea;
extern const Cause kWrongBase;
extern const Cause kWrongFamily;
extern const Cause kImageForRam;
extern const Cause kImageWithOptionBytes;
extern const Cause kImageTooLarge;
extern const Cause kVectorTable;
extern const Cause kInterruptedUpdate;
extern const Cause kNoProgram;
extern const Cause kRomVersion;
extern const Cause kPollTimes;
extern const Cause kHostGap;
extern const Cause kLayoutWrong;
extern const Cause kFasterThanSilicon;
extern const Cause kCameBackInDfu;
extern const Cause kStartAnswer;

std::span<const Cause* const> causes() {
  // Equally sure causes of equal weight come out in this order.
  static constexpr std::array kCauses{&kNoDevice,
                                      &kSeveralDevices,
                                      &kNoPermission,
                                      &kDeviceInUse,
                                      &kRunTimeMode,
                                      &kStuckState,
                                      &kReadProtection,
                                      &kOptionBytesDamaged,
                                      &kWriteProtection,
                                      &kCubemxSkeleton,
                                      &kLayoutWrong,
                                      &kErasesEverything,
                                      &kStoresNothing,
                                      &kWornFlash,
                                      &kClone,
                                      &kLayoutMissing,
                                      &kReadOnlyArea,
                                      &kWrongBase,
                                      &kWrongFamily,
                                      &kImageForRam,
                                      &kImageWithOptionBytes,
                                      &kImageTooLarge,
                                      &kVectorTable,
                                      &kInterruptedUpdate,
                                      &kNoProgram,
                                      &kRomVersion,
                                      &kPollTimes,
                                      &kFasterThanSilicon,
                                      &kHostGap,
                                      &kCameBackInDfu,
                                      &kStartAnswer};
  return kCauses;
}

}  // namespace sureflash::update
