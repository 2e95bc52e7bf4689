#pragma once

#include <stdint.h>

/* What an application tells sureflash about itself: 28 bytes anywhere in its image, at a multiple
 * of 4. C and C++, for the firmware and for the host. Numbers are little-endian. Described in
 * docs/information-block.md.
 *
 *     __attribute__((used, section(".sureflash_information")))
 *     const struct sureflash_information information =
 *         SUREFLASH_INFORMATION(SUREFLASH_BACK_BY_ENTRY_CODE, 0x08000000u, 0x08000800u);
 */

#define SUREFLASH_INFORMATION_MAGIC_0 0x45525553u /* "SURE" */
#define SUREFLASH_INFORMATION_MAGIC_1 0x48534C46u /* "FLSH" */
#define SUREFLASH_INFORMATION_FORMAT 1u

/* How the unit gets back into DFU mode when it holds no whole application. */
#define SUREFLASH_BACK_BY_BOOT_PIN 1u   /* BOOT0 or a button that selects the ROM */
#define SUREFLASH_BACK_BY_ENTRY_CODE 2u /* code of the application itself jumps to the ROM */
#define SUREFLASH_BACK_BY_EMPTY_CHECK                                                           \
  3u                                    /* the ROM starts when the first word of flash is blank \
                                         */
#define SUREFLASH_BACK_BY_OWN_LOADER 4u /* a loader starts only a whole application */

struct sureflash_information {
  uint32_t magic[2];
  uint16_t format; /* SUREFLASH_INFORMATION_FORMAT */
  uint16_t size;   /* of this block, 28; a later format may be longer */
  uint32_t way_back;
  /* The code that must stay for the unit to come back: from the first byte up to, not including,
   * the last. Both 0 unless way_back is SUREFLASH_BACK_BY_ENTRY_CODE. */
  uint32_t entry_begin;
  uint32_t entry_end;
  uint32_t reserved; /* 0 */
};

#define SUREFLASH_INFORMATION(way, begin, end)                                                    \
  {                                                                                               \
    {SUREFLASH_INFORMATION_MAGIC_0, SUREFLASH_INFORMATION_MAGIC_1}, SUREFLASH_INFORMATION_FORMAT, \
        28, (way), (begin), (end), 0                                                              \
  }
