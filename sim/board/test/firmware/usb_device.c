/* A USB device for the tests of the board, written from RM0008 28.17 and USB 2.0 chapter 9: bulk
 * loopback on endpoint 1, control reads and writes of up to 256 bytes, remote wakeup, everything
 * from the OTG_FS interrupt. Vendor request 2 makes mistakes that the board must name. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t*)(address))
#define RCC(offset) REG(0x40021000 + (offset))
#define OTG(offset) REG(0x50000000 + (offset))
#define BIT(n) (1u << (n))
#define IN(n, offset) OTG(0x900 + 0x20 * (n) + (offset))
#define OUT(n, offset) OTG(0xB00 + 0x20 * (n) + (offset))
#define FIFO(n) OTG(0x1000 + 0x1000 * (n))

enum { CTL = 0x00, INT = 0x08, TSIZ = 0x10, TXFSTS = 0x18 };
enum {
  GAHBCFG = 0x008,
  GUSBCFG = 0x00C,
  GRSTCTL = 0x010,
  GINTSTS = 0x014,
  GINTMSK = 0x018,
  GRXSTSP = 0x020,
  GRXFSIZ = 0x024,
  DIEPTXF0 = 0x028,
  GCCFG = 0x038,
  DIEPTXF1 = 0x104,
  DCFG = 0x800,
  DCTL = 0x804,
  DIEPMSK = 0x810,
  DOEPMSK = 0x814,
  DAINTMSK = 0x81C
};
enum {
  USBSUSP = BIT(11),
  USBRST = BIT(12),
  ENUMDNE = BIT(13),
  RXFLVL = BIT(4),
  IEPINT = BIT(18),
  OEPINT = BIT(19),
  WKUPINT = BIT(31)
};
enum { EPENA = BIT(31), CNAK = BIT(26), SNAK = BIT(27), STALL = BIT(21) };

static const uint8_t device_descriptor[18] = {18,   1, 0, 2, 0xFF, 0, 0, 64, 0x09,
                                              0x12, 1, 0, 0, 1,    0, 0, 0,  1};
static const uint8_t configuration_descriptor[32] = {9,  2, 32, 0,    1, 1,    0, 0xA0, 50, 9,    4,
                                                     0,  0, 2,  0xFF, 0, 0,    0, 7,    5,  0x01, 2,
                                                     64, 0, 0,  7,    5, 0x81, 2, 64,   0,  0};

static uint8_t setup[8], stored[256], bulk[64];
static const uint8_t* in_data;
static uint32_t in_left, in_zero_packet, out_expected, out_got, bulk_size, address, sloppy_done;
volatile uint32_t suspends, wakeups;

static void read_fifo(uint8_t* to, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i += 4) {
    const uint32_t word = FIFO(0);
    for (uint32_t j = 0; j < 4 && i + j < bytes; ++j) to[i + j] = (uint8_t)(word >> 8 * j);
  }
}

static void write_fifo(uint32_t n, const uint8_t* from, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i += 4) {
    uint32_t word = 0;
    for (uint32_t j = 0; j < 4 && i + j < bytes; ++j) word |= (uint32_t)from[i + j] << 8 * j;
    FIFO(n) = word;
  }
}

static void send(uint32_t n, const uint8_t* from, uint32_t bytes) {
  IN(n, TSIZ) = 1u << 19 | bytes;
  IN(n, CTL) |= EPENA | CNAK;
  write_fifo(n, from, bytes);
}

static void send_control(void) {
  const uint32_t bytes = in_left < 64 ? in_left : 64;
  in_zero_packet = in_zero_packet && bytes == 64;
  send(0, in_data, bytes);
  in_data += bytes;
  in_left -= bytes;
}

static void receive(uint32_t n) {
  OUT(n, TSIZ) = (n == 0 ? 3u << 29 : 0) | 1u << 19 | 64;
  OUT(n, CTL) |= EPENA | CNAK;
}

static void stall_control(void) {
  IN(0, CTL) |= STALL;
  OUT(0, CTL) |= STALL;
  receive(0);
}

static void answer(const uint8_t* data, uint32_t size) {
  const uint32_t wanted = setup[6] | (uint32_t)setup[7] << 8;
  in_data = data;
  in_left = size < wanted ? size : wanted;
  in_zero_packet = size < wanted && size % 64 == 0;
  send_control();
  receive(0);
}

static void configure(void) {
  OTG(DIEPTXF1) = 64u << 16 | 144;
  IN(1, CTL) = 64 | BIT(15) | 2u << 18 | 1u << 22 | BIT(28) | SNAK;
  OUT(1, CTL) = 64 | BIT(15) | 2u << 18 | BIT(28);
  OTG(DAINTMSK) = 3 | 3u << 16;
  receive(1);
}

static void handle_setup(void) {
  const uint32_t request = (uint32_t)setup[0] << 8 | setup[1];
  out_expected = 0;
  if (request == 0x8006 && setup[3] == 1)
    return answer(device_descriptor, sizeof device_descriptor);
  if (request == 0x8006 && setup[3] == 2)
    return answer(configuration_descriptor, sizeof configuration_descriptor);
  if (request == 0xC001) return answer(stored, sizeof stored);
  if (request == 0x4001) {
    out_expected = setup[6] | (uint32_t)setup[7] << 8;
    out_got = 0;
    if (out_expected > sizeof stored) return stall_control();
    return receive(0);
  }
  if (request == 0x0005) {
    address = setup[2];
    OTG(DCFG) = (OTG(DCFG) & ~0x7F0u) | address << 4;
  } else if (request == 0x0009) {
    configure();
  } else if (request == 0x4002) {
    if (sloppy_done == 0) {
      sloppy_done = 1;
      (void)FIFO(0);                   /* nothing is in it */
      OTG(DIEPTXF1) = 64u << 16 | 100; /* in the middle of the receive FIFO */
      (void)OTG(0x440);                /* a register of host mode */
    }
  } else if (request == 0x4003) {
    IN(1, CTL) |= BIT(29); /* SD1PID: the host must take the next packet for a repetition */
  } else if (request != 0x0001 && request != 0x0003) {
    return stall_control();
  }
  send(0, 0, 0);
  receive(0);
}

static void bus_reset(void) {
  OTG(DCFG) &= ~0x7F0u;
  for (uint32_t n = 0; n < 4; ++n) OUT(n, CTL) = SNAK;
  OTG(GRSTCTL) = BIT(5) | 0x10u << 6;
  while (OTG(GRSTCTL) & BIT(5)) {
  }
  OTG(DAINTMSK) = 1 | 1u << 16;
  OTG(DOEPMSK) = BIT(0) | BIT(3);
  OTG(DIEPMSK) = BIT(0) | BIT(3);
  OTG(GRXFSIZ) = 128;
  OTG(DIEPTXF0) = 16u << 16 | 128;
  OUT(0, TSIZ) = 3u << 29 | 1u << 19 | 64;
}

static void pop(void) {
  const uint32_t status = OTG(GRXSTSP), n = status & 15, bytes = status >> 4 & 0x7FF;
  switch (status >> 17 & 15) {
    case 2:
      if (n == 1) {
        bulk_size = bytes;
        read_fifo(bulk, bytes);
      } else if (out_got + bytes <= sizeof stored) {
        read_fifo(stored + out_got, bytes);
        out_got += bytes;
      }
      break;
    case 6:
      read_fifo(setup, 8);
      break;
    default:
      break;
  }
}

static void endpoints(void) {
  for (uint32_t n = 0; n < 2; ++n) {
    const uint32_t out = OUT(n, INT), in = IN(n, INT);
    OUT(n, INT) = out;
    IN(n, INT) = in & BIT(0);
    if (n == 0 && (out & BIT(3)) != 0) handle_setup();
    if (n == 0 && (out & BIT(0)) != 0 && out_expected != 0) {
      if (out_got < out_expected) {
        receive(0);
      } else {
        out_expected = 0;
        send(0, 0, 0);
        receive(0);
      }
    }
    if (n == 0 && (in & BIT(0)) != 0 && (in_left != 0 || in_zero_packet != 0)) send_control();
    if (n == 1 && (out & BIT(0)) != 0) send(1, bulk, bulk_size);
    if (n == 1 && (in & BIT(0)) != 0) receive(1);
  }
}

void otg_fs_handler(void) {
  const uint32_t events = OTG(GINTSTS) & OTG(GINTMSK);
  OTG(GINTSTS) = events & (USBSUSP | USBRST | ENUMDNE | WKUPINT);
  if (events & USBRST) bus_reset();
  if (events & ENUMDNE) IN(0, CTL) = 0;
  if (events & USBSUSP) ++suspends;
  if (events & WKUPINT) ++wakeups;
  if (events & RXFLVL) pop();
  if (events & (IEPINT | OEPINT)) endpoints();
}

static void clocks(void) {
  RCC(0x00) |= BIT(16);
  while (!(RCC(0x00) & BIT(17))) {
  }
  REG(0x40022000) = 0x12;
  RCC(0x2C) = 4 | 4u << 4 | 6u << 8 | BIT(16);
  RCC(0x00) |= BIT(26);
  while (!(RCC(0x00) & BIT(27))) {
  }
  RCC(0x04) = 4u << 8 | BIT(16) | 7u << 18;
  RCC(0x00) |= BIT(24);
  while (!(RCC(0x00) & BIT(25))) {
  }
  RCC(0x04) |= 2;
  while ((RCC(0x04) & 12) != 8) {
  }
}

extern uint32_t bss_begin[], bss_end[];

void start(void) {
  for (uint32_t* word = bss_begin; word < bss_end; ++word) *word = 0;
  clocks();
  RCC(0x14) |= BIT(12);
  RCC(0x18) |= BIT(2);
  OTG(GUSBCFG) = BIT(30) | 9u << 10 | BIT(6);
  OTG(GINTSTS) = 0xFFFFFFFF;
  OTG(GAHBCFG) = BIT(0) | BIT(7);
  OTG(DCFG) |= 3;
  OTG(GINTMSK) = USBSUSP | USBRST | ENUMDNE | RXFLVL | IEPINT | OEPINT | WKUPINT;
  REG(0xE000E108) = BIT(67 - 64);
  OTG(GCCFG) = BIT(16) | BIT(19);
  for (;;) __asm volatile("wfi");
}

__attribute__((section(".vectors"), used)) void* const vectors[16 + 68] = {
    (void*)0x20010000, (void*)start, [16 + 67] = (void*)otg_fs_handler};
