#!/usr/bin/env python3
"""Goal: doctor, explain, options and unprotect as a person meets them: exit codes, consent, JSON, the support bundle.
Method: the command against virtual devices that are kept in files between runs.
Usage: check_commands.py SUREFLASH"""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

SUREFLASH = ""


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_command(self, *arguments, expect):
        done = subprocess.run([SUREFLASH, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False,
                              env={**os.environ, "XDG_STATE_HOME": str(self.folder / "state")})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def results(self, *arguments, expect):
        return [json.loads(line) for line in self.run_command(*arguments, "--json", expect=expect).splitlines()
                if line.startswith("{")]

    def test_a_healthy_device_has_nothing_in_the_way(self):
        last = self.results("doctor", "--device", "sim:stm32f105,fill=app", expect=0)[-1]
        self.assertEqual((last["command"], last["problems"], last["findings"]), ("doctor", 0, []))

    def test_a_problem_is_named_with_evidence(self):
        last = self.results("doctor", "--device", "sim:cubemx-skeleton", expect=8)[-1]
        finding = last["findings"][0]
        self.assertEqual((finding["id"], finding["severity"], finding["certainty"]),
                         ("cubemx-skeleton", "problem", "certain"))
        self.assertGreaterEqual(len(finding["evidence"]), 3)

    def test_doctor_without_permission_to_write_changes_nothing(self):
        state = self.folder / "chip"
        device = f"sim:stm32f105,fill=noise,state={state}"
        self.run_command("read", "before.bin", "--device", device, expect=0)
        self.run_command("doctor", "--device", device, expect=0)
        self.run_command("doctor", "--may-write", "5", "--yes", "--device", device, expect=0)
        self.run_command("read", "after.bin", "--device", device, expect=0)
        self.assertEqual((self.folder / "before.bin").read_bytes(), (self.folder / "after.bin").read_bytes())

    def test_may_write_names_one_sector(self):
        self.run_command("doctor", "--may-write", "3..4", "--device", "sim:stm32f105", expect=2)
        self.run_command("doctor", "--may-write", "999", "--device", "sim:stm32f105", expect=6)

    def test_the_bundle_holds_the_session_and_no_firmware(self):
        self.run_command("doctor", "--bundle", "bundle.json", "--device", "sim:stm32f105,fill=noise,seed=4", expect=0)
        self.run_command("read", "flash.bin", "--size", "64", "--device", "sim:stm32f105,fill=noise,seed=4", expect=0)
        text = (self.folder / "bundle.json").read_text(encoding="utf-8")
        bundle = json.loads(text)
        self.assertEqual(bundle["schema"], "sureflash-bundle/1")
        self.assertEqual(bundle["device"]["chip"], "stm32f105")
        self.assertTrue(any("DFU_UPLOAD" in line for line in bundle["session"]))
        firmware = (self.folder / "flash.bin").read_bytes()
        self.assertNotIn(firmware[:16].hex(), text.lower().replace(" ", ""))

    def test_a_bundle_without_a_device_says_why_there_is_none(self):
        self.run_command("doctor", "--bundle", "bundle.json", "--device", "9-9.9.9.9", expect=3)
        bundle = json.loads((self.folder / "bundle.json").read_text(encoding="utf-8"))
        self.assertEqual([f["id"] for f in bundle["findings"]], ["no-device"])
        self.assertNotIn("device", bundle)

    def test_without_consent_nothing_changes(self):
        state = self.folder / "chip"
        device = f"sim:stm32f105,fill=app,state={state}"
        self.run_command("options", "set", "WRP0=0xFC", "--device", device, expect=7)
        self.run_command("unprotect", "read", "--device", "sim:stm32f105,rdp=1", expect=7)
        self.assertIn("no sector is write-protected", self.run_command("options", "show", "--device", device, expect=0))
        self.run_command("options", "set", "WRP0=0xFC", "--dry-run", "--device", device, expect=0)
        self.assertIn("no sector is write-protected", self.run_command("options", "show", "--device", device, expect=0))

    def test_write_protection_goes_and_comes_back(self):
        state = self.folder / "chip"
        device = f"sim:stm32f105,fill=app,state={state}"
        self.run_command("options", "set", "WRP0=0xFC", "--yes", "--device", device, expect=0)
        self.run_command("doctor", "--device", device, expect=8)
        last = self.results("unprotect", "write", "--yes", "--device", device, expect=0)[-1]
        self.run_command("doctor", "--device", device, expect=0)
        self.assertEqual(last["restore"], "sureflash options set WRP0=0xFC")
        self.run_command(*last["restore"].split()[1:], "--yes", "--device", device, expect=0)
        self.run_command("doctor", "--device", device, expect=8)

    def test_write_protection_is_remembered(self):
        device = f"sim:stm32f105,fill=app,state={self.folder / 'chip'}"
        restore = ("unprotect", "write", "--restore", "--yes", "--device", device)
        self.run_command(*restore, expect=2)
        self.run_command("options", "set", "WRP0=0xFC", "WRP2=0x7F", "--yes", "--device", device, expect=0)
        protected = self.run_command("options", "show", "--device", device, expect=0)
        self.run_command("unprotect", "write", "--dry-run", "--device", device, expect=0)
        self.run_command(*restore, expect=2)
        self.run_command("unprotect", "write", "--yes", "--device", device, expect=0)
        self.run_command("doctor", "--device", device, expect=0)
        self.assertIn("known by its port", self.run_command(*restore, expect=0))
        self.assertEqual(self.run_command("options", "show", "--device", device, expect=0), protected)
        self.run_command(*restore, expect=2)

    def test_a_repair_touches_only_what_differs(self):
        image = bytearray(random.Random(1).randbytes(10_000))
        image[:8] = struct.pack("<II", 0x20001000, 0x08000009)
        device = f"sim:stm32f105,state={self.folder / 'chip'}"
        at = ("--base", "0x08000000", "--yes", "--device", device)
        (self.folder / "a.bin").write_bytes(image)
        self.run_command("program", "a.bin", *at, expect=0)
        image[5000] ^= 1
        (self.folder / "b.bin").write_bytes(image)
        self.run_command("verify", "b.bin", *at[:2], *at[3:], expect=9)
        plan = next(r for r in self.results("program", "b.bin", "--repair", *at, expect=0) if r["type"] == "plan")
        self.assertEqual(plan["erase"], [{"begin": 0x08001000, "end": 0x08001800}])
        self.run_command("verify", "b.bin", *at[:2], *at[3:], expect=0)

    def test_the_plan_says_what_an_interruption_leaves(self):
        image = bytearray(random.Random(1).randbytes(6_000))
        image[:8] = struct.pack("<II", 0x20001000, 0x08000009)
        (self.folder / "a.bin").write_bytes(image)
        program = ("program", "a.bin", "--base", "0x08000000", "--dry-run", "--device", "sim:stm32f105,fill=noise")
        self.assertIn("BOOT0 (or the button for it) brings it back", self.run_command(*program, expect=0))
        jump = self.run_command(*program, "--entry", "0x08000000..0x08000400", expect=0)
        self.assertRegex(jump, r"for about \d+ ms \(at most \d+ ms\)\s+a power cut leaves a unit that only BOOT0 or an ST-Link")
        self.run_command(*program, "--entry", "0..0", "--keep-entry", expect=7)
        self.run_command(*program, "--keep-entry", expect=2)
        self.run_command(*program, "--entry", "empty", expect=6)
        entry = self.results(*program, "--entry", "loader", expect=0)[-1]["plan"]["entry"]
        self.assertEqual(entry["way_back"], "own loader")

    def test_a_device_that_comes_back_in_dfu_mode_is_no_success(self):
        last = self.results("run", "--device", "sim:stm32f105,fill=app,app=resets", expect=8)[-1]
        self.assertEqual(last["error"]["findings"][0]["id"], "came-back-in-dfu")
        self.run_command("run", "--device", "sim:stm32f105,fill=app,leave=error", expect=0)

    def test_a_permanent_level_is_never_written(self):
        self.run_command("options", "set", "RDP=0xCC", "--yes", "--device", "sim:stm32f105", expect=2)

    def test_explain_names_the_cause_of_the_story(self):
        (self.folder / "log.txt").write_text("STM32CubeProgrammer v2.13.0\nerase done\nFile download complete\n"
                                             "Error: Download verification failed\n"
                                             "Error: Mass erase operation failed. Please verify flash protection\n",
                                             encoding="utf-8")
        last = self.results("explain", "log.txt", expect=0)[-1]
        self.assertEqual(last["findings"][0]["id"], "cubemx-skeleton")
        self.assertIn("docs/recovery/cubemx-skeleton.md", self.run_command("explain", "log.txt", expect=0))

    def test_verify_shows_the_sectors_that_differ(self):
        image = bytearray(b"\x11" * 6144)
        state = self.folder / "chip"
        device = f"sim:stm32f105,state={state}"
        (self.folder / "a.bin").write_bytes(image)
        self.run_command("program", "a.bin", "--base", "0x08000000", "--data", "--yes", "--device", device, expect=0)
        image[2049] = image[2060] = 0
        (self.folder / "b.bin").write_bytes(image)
        output = self.run_command("verify", "b.bin", "--base", "0x08000000", "--device", device, expect=9)
        self.assertIn("differs: 0x08000800..0x08001000  2 bytes in it", output)


if __name__ == "__main__":
    SUREFLASH = str(pathlib.Path(sys.argv.pop()).resolve())
    unittest.main()
