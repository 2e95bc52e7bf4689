// Programs a file with the `webdfu` package of npm, as a web page would: its DfuSe code, unmodified, on Node with the
// `usb` package in the place of the browser's WebUSB. Writes the versions of both to standard output.
//
// usage: NODE_PATH=FOLDER/node_modules node webdfu.cjs FILE ADDRESS
//
// `usb` 2 brings libusb; version 3 calls the kernel without the C library, so that it cannot see a testbed.
"use strict";
const fs = require("node:fs");
const { WebUSB } = require("usb");
const { DFU, DFUse } = require("webdfu");

function version(name) {
  return require(`${name}/package.json`).version;
}

async function transferSize(dfu) {
  const configuration = DFU.parseConfigurationDescriptor(await dfu.readConfigurationDescriptor(0));
  return configuration.descriptors.find((d) => d.bDescriptorType === 0x21).wTransferSize;
}

async function main(file, address) {
  console.log(`webdfu ${version("webdfu")} on usb ${version("usb")}`);
  const [device] = await new WebUSB({ allowAllDevices: true }).getDevices();
  await device.open();
  const [flash] = DFU.findDeviceDfuInterfaces(device);
  const dfu = new DFUse.Device(device, flash);
  for (const log of ["logDebug", "logInfo", "logWarning", "logProgress"]) dfu[log] = () => {};
  await dfu.open();
  dfu.startAddress = Number(address);
  const image = fs.readFileSync(file);
  const bytes = image.buffer.slice(image.byteOffset, image.byteOffset + image.byteLength);
  await dfu.do_download(await transferSize(dfu), bytes, false);
  await dfu.close();
}

main(process.argv[2], process.argv[3]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  });
