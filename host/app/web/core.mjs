// Drives sureflash.wasm: starts a job, carries out its steps on a device, returns what the job returns.
// Runs in a browser and in Node. The numbers mirror src/session.hpp and sureflash/base/step.hpp.

/** Kinds of a StepRecord. */
const Kind = Object.freeze({
  Done: 0, Failed: 1, ControlOut: 2, ControlIn: 3, Wait: 4, SelectAltSetting: 5, BusReset: 6,
  AwaitReturn: 7, Progress: 8,
});

/** How a step ended: what a device answers in `io`. */
export const Io = Object.freeze({
  Ok: 0, Stall: 1, Timeout: 2, Disconnected: 3, Denied: 4, Busy: 5, Unsupported: 6, Stopped: 7, Failed: 8,
});

export const ACTIVITIES = Object.freeze(
  ['reading', 'erasing', 'writing', 'verifying', 'leaving', 'waiting']);

/** An error of the core: `name` is its stable identifier, `details` all that the core says of it. */
export class SureflashError extends Error {
  constructor(details) {
    super(details.message);
    this.name = details.name;
    this.details = details;
  }
}

/** Loads the core. `source`: the bytes of sureflash.wasm. It imports nothing. */
export async function loadCore(source) {
  const { instance } = await WebAssembly.instantiate(source, {});
  instance.exports._initialize();
  return new Core(instance.exports);
}

/**
 * What a device offers; every function may be asynchronous and never throws.
 * @typedef {object} Device
 * @property {(setup: object, data: Uint8Array, limitMs: number) => {io: number, actual?: number}} controlOut
 * @property {(setup: object, length: number, limitMs: number) => {io: number, data?: Uint8Array}} controlIn
 * @property {(interfaceNumber: number, altSetting: number) => {io: number}} selectAltSetting
 * @property {() => {io: number}} reset
 * @property {(limitMs: number) => {io: number}} awaitReturn
 * @property {(ms: number) => void} wait
 * @property {() => number} now  milliseconds since the session began
 */
class Core {
  #exports;

  constructor(exports) {
    this.#exports = exports;
  }

  /** What the core has of memory; it never gives any back. */
  get memoryBytes() {
    return this.#exports.memory.buffer.byteLength;
  }

  /** All descriptors of the device, decoded. */
  identify(device) {
    return this.#run(this.#exports.sureflash_identify(), device, () => false);
  }

  /** What a firmware file holds: `bytes` of any format, `name` as the user knows it. */
  async imageInfo(bytes, name) {
    const file = this.#copyIn(bytes);
    const label = this.#copyIn(new TextEncoder().encode(name));
    try {
      const session = this.#exports.sureflash_image_info(
        file.address, file.length, label.address, label.length);
      return await this.#run(session, { now: () => 0 }, () => false);
    } finally {
      this.#exports.sureflash_release(file.address);
      this.#exports.sureflash_release(label.address);
    }
  }

  /** `onProgress` returns true to stop at the next safe point. */
  async #run(session, device, onProgress) {
    const { sureflash_next, sureflash_answer, sureflash_result, sureflash_end } = this.#exports;
    try {
      for (;;) {
        const step = this.#step(sureflash_next(session));
        if (step.kind === Kind.Done || step.kind === Kind.Failed) {
          const value = JSON.parse(this.#text(sureflash_result(session)));
          if (step.kind === Kind.Failed) throw new SureflashError(value.error);
          return value;
        }
        const { io, actual = 0, stop = false } = await this.#perform(step, device, onProgress);
        sureflash_answer(session, io, actual, device.now(), stop ? 1 : 0);
      }
    } finally {
      sureflash_end(session);
    }
  }

  async #perform(step, device, onProgress) {
    switch (step.kind) {
      case Kind.ControlOut:
        // A copy: the memory of the core may move while the transfer runs.
        return device.controlOut(step.setup, this.#bytes(step.address, step.length).slice(), step.limitMs);
      case Kind.ControlIn: {
        const { io, data = new Uint8Array(0) } =
          await device.controlIn(step.setup, step.length, step.limitMs);
        const kept = data.subarray(0, step.length);
        this.#bytes(step.address, step.length).set(kept);
        return { io, actual: kept.length };
      }
      case Kind.Wait:
        await device.wait(step.limitMs);
        return { io: Io.Ok };
      case Kind.SelectAltSetting:
        return device.selectAltSetting(step.interfaceNumber, step.altSetting);
      case Kind.BusReset:
        return device.reset();
      case Kind.AwaitReturn:
        return device.awaitReturn(step.limitMs);
      case Kind.Progress:
        return { io: Io.Ok, stop: onProgress(step.progress) };
      default:
        return { io: Io.Unsupported };
    }
  }

  /** Reads a StepRecord. */
  #step(address) {
    const w = new Uint32Array(this.#exports.memory.buffer, address, 14);
    return {
      kind: w[0],
      setup: { bmRequestType: w[1], bRequest: w[2], wValue: w[3], wIndex: w[4], wLength: w[6] },
      address: w[5],
      length: w[6],
      limitMs: w[7],
      interfaceNumber: w[8],
      altSetting: w[9],
      progress: { activity: ACTIVITIES[w[10]], done: w[11], total: w[12], address: w[13] },
    };
  }

  #copyIn(bytes) {
    const address = this.#exports.sureflash_allocate(bytes.length);
    this.#bytes(address, bytes.length).set(bytes);
    return { address, length: bytes.length };
  }

  /** A view that is valid until the next call into the core. */
  #bytes(address, length) {
    return new Uint8Array(this.#exports.memory.buffer, address, length);
  }

  /** Reads a TextRecord. */
  #text(address) {
    const [start, length] = new Uint32Array(this.#exports.memory.buffer, address, 2);
    return new TextDecoder().decode(this.#bytes(start, length));
  }
}
