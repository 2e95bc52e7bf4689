/* A DFU 1.1 device in firmware, for tests and benchmarks of the board: polls OTG_FS, writes what it
 * is sent from 0x08008000 on, lets it be read back. Written from RM0008 rev 21 (28.17: procedures
 * of the USB core; 8.3: clocks), PM0075 (flash) and the DFU 1.1 specification. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t*)(address))
#define RCC_CR REG(0x40021000)
#define RCC_CFGR REG(0x40021004)
#define RCC_AHBENR REG(0x40021014)
#define RCC_APB2ENR REG(0x40021018)
#define RCC_CFGR2 REG(0x4002102C)
#define FLASH_ACR REG(0x40022000)
#define FLASH_KEYR REG(0x40022004)
#define FLASH_SR REG(0x4002200C)
#define FLASH_CR REG(0x40022010)
#define FLASH_AR REG(0x40022014)

#define OTG(offset) REG(0x50000000 + (offset))
#define GAHBCFG OTG(0x008)
#define GUSBCFG OTG(0x00C)
#define GRSTCTL OTG(0x010)
#define GINTSTS OTG(0x014)
#define GRXSTSP OTG(0x020)
#define GRXFSIZ OTG(0x024)
#define DIEPTXF0 OTG(0x028)
#define GCCFG OTG(0x038)
#define DCFG OTG(0x800)
#define DIEPMSK OTG(0x810)
#define DOEPMSK OTG(0x814)
#define DAINTMSK OTG(0x81C)
#define DIEPCTL0 OTG(0x900)
#define DIEPINT0 OTG(0x908)
#define DIEPTSIZ0 OTG(0x910)
#define DOEPCTL(n) OTG(0xB00 + 0x20 * (n))
#define DOEPINT0 OTG(0xB08)
#define DOEPTSIZ0 OTG(0xB10)
#define FIFO0 OTG(0x1000)

enum { EPENA = 1 << 31, SNAK = 1 << 27, CNAK = 1 << 26, STALL = 1 << 21, PACKET = 64 };
enum { BLOCK = 1024, PAGE = 2048 };
static const uint32_t kStore = 0x08008000, kStoreEnd = 0x08040000;

static const uint8_t device_descriptor[] = {18,   1,    0,    2, 0, 0, 0, 64, 0x09,
                                            0x12, 0x01, 0x00, 0, 1, 0, 1, 0,  1};
static const uint8_t configuration[] = {
    9,          2,    27,   0,    1, 1,
    0,          0xC0, 50, /* configuration: self-powered, 100 mA */
    9,          4,    0,    0,    0, 0xFE,
    1,          2,    0, /* interface: DFU mode */
    9,          0x21, 0x07, 0xFF, 0, BLOCK & 0xFF,
    BLOCK >> 8, 0x10, 1, /* down, up, tolerant; DFU 1.1 */
};
static const uint8_t language[] = {4, 3, 0x09, 0x04};
static const uint8_t product[] = {10, 3, 'T', 0, 'e', 0, 's', 0, 't', 0};

enum state {
  IDLE = 2,
  DNLOAD_SYNC,
  DNBUSY,
  DNLOAD_IDLE,
  MANIFEST_SYNC,
  MANIFEST,
  UPLOAD_IDLE = 9,
  ERROR
};
static uint8_t state = IDLE, status;

static struct {
  uint8_t bmRequestType, bRequest;
  uint16_t wValue, wIndex, wLength;
} setup;
static uint32_t answer[BLOCK / 4];
static uint32_t received[BLOCK / 4]; /* of its own: GETSTATUS answers before it is stored */
static uint32_t moved, length;
static uint32_t block, block_length;
static enum { NOTHING, DATA_IN, DATA_OUT, STATUS_IN, STATUS_OUT } stage;
static uint8_t work_due;

/* --- Clock: 72 MHz from 25 MHz, 48 MHz for USB (RM0008, 8.2 and 8.3) --- */

static void start_clock(void) {
  RCC_CR |= 1 << 16; /* HSEON */
  while (!(RCC_CR & 1 << 17)) {
  }
  FLASH_ACR = 0x12;                          /* 2 wait states, prefetch */
  RCC_CFGR2 = 1 << 16 | 6 << 8 | 4 << 4 | 4; /* 25 / 5 * 8 / 5 = 8 MHz */
  RCC_CR |= 1 << 26;                         /* PLL2ON */
  while (!(RCC_CR & 1 << 27)) {
  }
  RCC_CFGR = 7 << 18 | 1 << 16 | 4 << 8; /* * 9; APB1 / 2; OTGFSPRE 0: 144 / 3 */
  RCC_CR |= 1 << 24;                     /* PLLON */
  while (!(RCC_CR & 1 << 25)) {
  }
  RCC_CFGR |= 2; /* SW: PLL */
  while ((RCC_CFGR & 0xC) != 8) {
  }
}

/* --- Flash (PM0075, 2.3) --- */

static void wait_for_flash(void) {
  while (FLASH_SR & 1) {
  }
}

static int store_block(void) {
  const uint32_t address = kStore + block * BLOCK;
  if (address + block_length > kStoreEnd) return 0;
  FLASH_KEYR = 0x45670123;
  FLASH_KEYR = 0xCDEF89AB;
  if (address % PAGE == 0) {
    FLASH_CR = 1 << 1; /* PER */
    FLASH_AR = address;
    FLASH_CR = 1 << 1 | 1 << 6; /* STRT */
    wait_for_flash();
  }
  FLASH_CR = 1; /* PG */
  for (uint32_t i = 0; i < block_length; i += 2) {
    *(volatile uint16_t*)(address + i) = ((const uint16_t*)received)[i / 2];
    wait_for_flash();
  }
  FLASH_CR = 1 << 7; /* LOCK */
  const uint8_t* stored = (const uint8_t*)address;
  for (uint32_t i = 0; i < block_length; ++i) {
    if (stored[i] != ((const uint8_t*)received)[i]) return 0;
  }
  return 1;
}

/* --- Endpoint 0 (RM0008, 28.17.6) --- */

static void arm_out(void) {
  DOEPTSIZ0 = 3U << 29 | 1 << 19 | PACKET; /* STUPCNT, one packet */
  DOEPCTL(0) |= (uint32_t)EPENA | CNAK;
}

static void send_packet(void) {
  const uint32_t left = length - moved;
  const uint32_t n = left < PACKET ? left : PACKET;
  DIEPTSIZ0 = 1 << 19 | n;
  DIEPCTL0 |= (uint32_t)EPENA | CNAK;
  for (uint32_t i = 0; i < n; i += 4) FIFO0 = answer[(moved + i) / 4];
  moved += n;
}

static void send_status(void) {
  stage = STATUS_IN;
  DIEPTSIZ0 = 1 << 19;
  DIEPCTL0 |= (uint32_t)EPENA | CNAK;
}

static void stall(void) {
  stage = NOTHING;
  DIEPCTL0 |= STALL;
  DOEPCTL(0) |= STALL;
}

static void send(const void* bytes, uint32_t size) {
  length = size < setup.wLength ? size : setup.wLength;
  const uint8_t* from = bytes;
  for (uint32_t i = 0; i < length; ++i) ((uint8_t*)answer)[i] = from[i];
  moved = 0;
  stage = DATA_IN;
  send_packet();
}

/* --- Requests --- */

static void get_status(void) {
  uint8_t reply[6] = {0};
  uint32_t wait_ms = 0;
  if (state == DNLOAD_SYNC) {
    if (work_due) {
      state = DNBUSY;
      wait_ms = 70; /* a page and a block, with room to spare */
    } else {
      state = DNLOAD_IDLE;
    }
  } else if (state == MANIFEST_SYNC) {
    state = IDLE;
  }
  reply[0] = status;
  reply[1] = (uint8_t)wait_ms;
  reply[4] = state;
  send(reply, sizeof reply);
}

static void class_request(void) {
  switch (setup.bRequest) {
    case 1: /* DNLOAD */
      if (setup.wLength > BLOCK || (state != IDLE && state != DNLOAD_IDLE)) break;
      if (setup.wLength == 0) {
        state = MANIFEST_SYNC;
        return send_status();
      }
      block = setup.wValue;
      length = block_length = setup.wLength;
      moved = 0;
      stage = DATA_OUT;
      return arm_out();
    case 2: { /* UPLOAD */
      const uint32_t address = kStore + setup.wValue * BLOCK;
      if (setup.wLength > BLOCK) break;
      const uint32_t left = address < kStoreEnd ? kStoreEnd - address : 0;
      state = left < setup.wLength ? IDLE : UPLOAD_IDLE;
      return send((const void*)address, left);
    }
    case 3:
      return get_status();
    case 4: /* CLRSTATUS */
    case 6: /* ABORT */
      state = IDLE;
      status = 0;
      return send_status();
    case 5: /* GETSTATE */
      return send(&state, 1);
    default:
      break;
  }
  state = ERROR;
  status = 0x0F; /* errSTALLEDPKT */
  stall();
}

static void get_descriptor(void) {
  switch (setup.wValue) {
    case 0x100:
      return send(device_descriptor, sizeof device_descriptor);
    case 0x200:
      return send(configuration, sizeof configuration);
    case 0x300:
      return send(language, sizeof language);
    case 0x301:
      return send(product, sizeof product);
    default:
      return stall();
  }
}

static void handle_setup(void) {
  static const uint8_t zero[2];
  static uint8_t configured;
  if ((setup.bmRequestType & 0x60) == 0x20) return class_request();
  switch (setup.bRequest) {
    case 0: /* GET_STATUS */
      return send(zero, 2);
    case 5: /* SET_ADDRESS */
      DCFG = (DCFG & ~(0x7FU << 4)) | (uint32_t)setup.wValue << 4;
      return send_status();
    case 6:
      return get_descriptor();
    case 8:
      return send(&configured, 1);
    case 9:
      configured = (uint8_t)setup.wValue;
      return send_status();
    case 10:
      return send(zero, 1);
    case 11:
      return send_status();
    default:
      return stall();
  }
}

/* --- What the core reports --- */

static void bus_reset(void) {
  for (int n = 0; n < 4; ++n) DOEPCTL(n) |= SNAK;
  DCFG &= ~(0x7FU << 4);
  DAINTMSK = 1 | 1 << 16;
  DOEPMSK = 1 << 3 | 1;
  DIEPMSK = 1;
  GRXFSIZ = 128;
  DIEPTXF0 = 64 << 16 | 128;
  GRSTCTL = 1 << 5; /* TXFFLSH of FIFO 0 */
  while (GRSTCTL & 1 << 5) {
  }
  DOEPTSIZ0 = 3U << 29 | 1 << 19 | PACKET;
  stage = NOTHING;
}

static void read_fifo(uint32_t* to, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i += 4) to[i / 4] = FIFO0;
}

static void receive(void) {
  const uint32_t entry = GRXSTSP;
  const uint32_t bytes = entry >> 4 & 0x7FF;
  switch (entry >> 17 & 0xF) {
    case 6: /* SETUP */
      read_fifo((uint32_t*)(void*)&setup, bytes);
      break;
    case 4: /* SETUP done */
      DOEPINT0 = 1 << 3;
      DOEPTSIZ0 = 3U << 29 | 1 << 19 | PACKET;
      handle_setup();
      break;
    case 2: /* OUT */
      if (stage == DATA_OUT && moved + bytes <= BLOCK) read_fifo(received + moved / 4, bytes);
      moved += bytes;
      break;
    case 3: /* OUT done */
      DOEPINT0 = 1;
      if (stage == DATA_OUT) {
        if (moved < length) {
          arm_out();
        } else {
          state = DNLOAD_SYNC;
          work_due = 1;
          send_status();
        }
      } else if (stage == STATUS_OUT) {
        stage = NOTHING;
      }
      break;
    default:
      break;
  }
}

static void in_complete(void) {
  DIEPINT0 = 1;
  if (stage == DATA_IN) {
    if (moved < length) return send_packet();
    stage = STATUS_OUT;
    arm_out();
  } else if (stage == STATUS_IN) {
    stage = NOTHING;
  }
}

static void work(void) {
  work_due = 0;
  if (store_block()) {
    state = DNLOAD_SYNC;
  } else {
    state = ERROR;
    status = 0x07; /* errVERIFY */
  }
}

static void start_usb(void) {
  RCC_APB2ENR |= 1 << 2;
  RCC_AHBENR |= 1 << 12;
  GAHBCFG = 1 << 7;
  GUSBCFG = 1 << 30 | 9 << 10; /* device; TRDT */
  while (GINTSTS & 1) {
  }
  DCFG |= 3;
  GCCFG = 1 << 16 | 1 << 19; /* PHY on, VBUS sensing on PA9 */
  GINTSTS = ~0U;
}

extern uint32_t data_begin[], data_end[], bss_begin[], bss_end[];
extern const uint32_t image_end[];

void Reset_Handler(void) {
  const uint32_t* from = image_end;
  for (uint32_t* to = data_begin; to != data_end; ++to) *to = *from++;
  for (uint32_t* to = bss_begin; to != bss_end; ++to) *to = 0;
  start_clock();
  start_usb();
  for (;;) {
    const uint32_t what = GINTSTS;
    if (what & 1 << 12) {
      GINTSTS = 1 << 12;
      bus_reset();
    }
    if (what & 1 << 13) {
      GINTSTS = 1 << 13;
      DIEPCTL0 &= ~3U; /* 64 bytes */
    }
    if (what & 1 << 4) receive();
    if (DIEPINT0 & 1) in_complete();
    if (state == DNBUSY && stage == NOTHING) work();
  }
}

void Fault_Handler(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) const uintptr_t vectors[] = {
    0x20010000,
    (uintptr_t)&Reset_Handler,
    (uintptr_t)&Fault_Handler,
    (uintptr_t)&Fault_Handler,
};
