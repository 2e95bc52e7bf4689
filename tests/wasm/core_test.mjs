// Goal: the core, as wasm, asks JavaScript for the transfers of a job, takes its answers, and returns what a
// device says of itself; errors come out as errors.
// Method: a device that knows only its descriptors. Their values are those of an STM32F107 in its ROM
// bootloader, V2.0 (dfu-util, device-logs/stm32f107.lsusb); the bytes follow USB 2.0, 9.6, and DFU 1.1, 4.1.3.
// Usage: node core_test.mjs FILE.wasm

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

import { Io, loadCore } from '../../host/app/web/core.mjs';

const core = await loadCore(await readFile(process.argv[2]));

const DEVICE = [18, 1, 0x00, 0x01, 0, 0, 0, 64, 0x83, 0x04, 0x11, 0xdf, 0x00, 0x20, 1, 2, 3, 1];
const altSetting = (number, string) => [9, 4, 0, number, 0, 0xfe, 1, 2, string];
const CONFIGURATION = [
  9, 2, 36, 0, 1, 1, 0, 0xc0, 50,
  ...altSetting(0, 4), ...altSetting(1, 5),
  9, 0x21, 0x0b, 255, 0, 0x00, 0x08, 0x1a, 0x01,
];
const STRINGS = {
  1: 'STMicroelectronics', 2: 'STM32 0x418 DFU Bootloader', 3: 'STM32',
  4: '@Internal Flash  /0x08000000/128*002Kg', 5: '@Option Bytes  /0x1FFFF800/01*016 g',
};

function stringDescriptor(text) {
  const units = [...text].flatMap((c) => [c.charCodeAt(0) & 0xff, c.charCodeAt(0) >> 8]);
  return [units.length + 2, 3, ...units];
}

function descriptor(type, index) {
  if (type === 1) return DEVICE;
  if (type === 2) return CONFIGURATION;
  if (type === 3) return index === 0 ? [4, 3, 0x09, 0x04] : STRINGS[index] && stringDescriptor(STRINGS[index]);
  return undefined;
}

/** A device in virtual time. `change` may replace the answer to a request. */
function makeDevice(change = (setup, answer) => answer) {
  let now = 0;
  return {
    requests: 0,
    now: () => now,
    wait: (ms) => { now += ms; },
    selectAltSetting: () => ({ io: Io.Ok }),
    reset: () => ({ io: Io.Unsupported }),
    awaitReturn: () => ({ io: Io.Timeout }),
    controlOut: () => ({ io: Io.Stall }),
    async controlIn(setup, length) {
      this.requests += 1;
      assert.equal(setup.bmRequestType, 0x80);
      assert.equal(setup.bRequest, 6);
      assert.equal(setup.wLength, length);
      const bytes = descriptor(setup.wValue >> 8, setup.wValue & 0xff);
      const answer = bytes === undefined ? { io: Io.Stall }
        : { io: Io.Ok, data: Uint8Array.from(bytes).subarray(0, length) };
      return change(setup, answer);
    },
  };
}

test('identify returns what the descriptors say', async () => {
  const found = await core.identify(makeDevice());
  assert.deepEqual(found, {
    vendor_id: 0x0483, product_id: 0xdf11, device_version: 0x2000,
    manufacturer: STRINGS[1], product: STRINGS[2], serial: STRINGS[3],
    dfu_mode: true, dfuse: true, interface_number: 0, transfer_size: 2048,
    alt_settings: [{ alt_setting: 0, text: STRINGS[4] }, { alt_setting: 1, text: STRINGS[5] }],
    warnings: [],
  });
});

test('text of a device is JSON, whatever it holds', async () => {
  const nasty = '"\\\u00e9\u20ac';
  const found = await core.identify(makeDevice((setup, answer) =>
    setup.wValue === 0x0302 ? { io: Io.Ok, data: Uint8Array.from(stringDescriptor(nasty)) } : answer));
  assert.equal(found.product, nasty);
});

test('a firmware file is read', async () => {
  // Intel HEX, specification of 1988: extended linear address 0x0800, 4 bytes at 0x4000, start 0x08004001.
  const hex = ':020000040800F2\n:044000000001020CAD\n:0400000508004001AE\n:00000001FF\n';
  assert.deepEqual(await core.imageInfo(new TextEncoder().encode(hex), 'a.hex'), {
    size: 4, segments: [{ address: 0x08004000, size: 4 }], entry: 0x08004001, warnings: [],
  });
  const broken = new TextEncoder().encode(hex.replace('AD', 'AE'));
  await assert.rejects(core.imageInfo(broken, 'a.hex'), { name: 'checksum-mismatch' });
});

test('a device that leaves is an error with a name', async () => {
  await assert.rejects(core.identify(makeDevice(() => ({ io: Io.Disconnected }))), { name: 'disconnected' });
});

test('a short device descriptor is an error', async () => {
  const device = makeDevice((setup, answer) =>
    setup.wValue === 0x0100 ? { io: Io.Ok, data: answer.data.subarray(0, 7) } : answer);
  await assert.rejects(core.identify(device), (error) => {
    assert.equal(typeof error.details.code, 'number');
    assert.equal(error.name, 'bad-descriptor');
    return true;
  });
});

test('answers that no driver should give do no harm', async () => {
  // More bytes than asked for, and a number that is no Io.
  const long = makeDevice((setup, answer) =>
    answer.data ? { io: Io.Ok, data: Uint8Array.from([...answer.data, ...new Array(300).fill(0xff)]) } : answer);
  assert.equal((await core.identify(long)).product_id, 0xdf11);
  await assert.rejects(core.identify(makeDevice(() => ({ io: 4711 }))), { name: 'transfer-failed' });
});

test('the same bytes again give the same steps, and memory does not grow', async () => {
  const first = makeDevice();
  await core.identify(first);
  const memory = core.memoryBytes;
  for (let i = 0; i < 2000; i += 1) {
    const device = makeDevice();
    await core.identify(device);
    assert.equal(device.requests, first.requests);
  }
  assert.equal(core.memoryBytes, memory);
});
