#!/usr/bin/env python3
"""Writes the seeds of the image targets into corpus/: one small file for each oddity of each format.

Run from anywhere; files that are there already are overwritten with the same content. The layouts come
from the specifications, not from sureflash, so the seeds are a second opinion as well.
"""
import pathlib
import struct
import zlib

CORPUS = pathlib.Path(__file__).parent / "corpus"


def put(target, name, data):
    directory = CORPUS / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data.encode("latin-1") if isinstance(data, str) else data)


def hex_record(kind, offset, data=b""):
    record = struct.pack(">BHB", len(data), offset, kind) + data
    return ":" + (record + bytes([-sum(record) & 0xFF])).hex().upper() + "\n"


END = hex_record(1, 0)
FLASH = hex_record(4, 0, b"\x08\x00")


def make_hex():
    data = bytes(range(16))
    seeds = {
        "plain": FLASH + hex_record(0, 0, data) + hex_record(0, 16, data) + END,
        "entry": FLASH + hex_record(0, 0, data) + hex_record(5, 0, b"\x08\x00\x00\xed") + END,
        "segment": hex_record(2, 0, b"\x10\x00") + hex_record(0, 5, data)
                   + hex_record(3, 0, b"\x10\x00\x00\x05") + END,
        "02_after_04": FLASH + hex_record(0, 0, data) + hex_record(2, 0, b"\x10\x00")
                       + hex_record(0, 0, data) + END,
        "reversed": "".join(hex_record(0, 16 * i, data) for i in reversed(range(8))) + END,
        "crosses_64k": FLASH + hex_record(0, 0xFFF8, data) + END,
        "wraps_64k": hex_record(2, 0, b"\x10\x00") + hex_record(0, 0xFFF8, data) + END,
        "top": hex_record(4, 0, b"\xff\xff") + hex_record(0, 0xFFF0, data) + END,
        "beyond_top": hex_record(4, 0, b"\xff\xff") + hex_record(0, 0xFFF8, data) + END,
        "option_bytes": FLASH + hex_record(0, 0, data) + hex_record(4, 0, b"\x1f\xff")
                        + hex_record(0, 0xF800, data) + END,
        "crlf_lower_blank": ("\n" + FLASH + "\n" + hex_record(0, 0, data) + END).lower()
                            .replace("\n", "\r\n"),
        "cr": (hex_record(0, 0, data) + END).replace("\n", "\r"),
        "text_before": "Built: 10:00\nx " + hex_record(0, 0, data) + END,
        "text_after": hex_record(0, 0, data) + END + "bye\n",
        "no_end": hex_record(0, 0, data),
        "overlap": hex_record(0, 0, data) + hex_record(0, 8, data) + END,
        "empty": END,
        "longest": hex_record(0, 0, bytes(255)) + END,
        "cut": hex_record(0, 0, data)[:20],
    }
    for name, text in seeds.items():
        put("image_hex", name, text)


def s_record(kind, address, data=b""):
    width = {0: 2, 1: 2, 2: 3, 3: 4, 4: 3, 5: 2, 6: 3, 7: 4, 8: 3, 9: 2}[kind]
    body = address.to_bytes(width, "big") + data
    record = bytes([len(body) + 1]) + body
    return f"S{kind}" + (record + bytes([~sum(record) & 0xFF])).hex().upper() + "\n"


def make_srec():
    data = bytes(range(16))
    seeds = {
        "s19": s_record(0, 0, b"hello") + s_record(1, 0, data) + s_record(5, 1) + s_record(9, 0),
        "s28": s_record(2, 0x123456, data) + s_record(8, 0x123457),
        "s37": s_record(3, 0x08000000, data) + s_record(3, 0x1FFFF800, data)
               + s_record(7, 0x080000ED),
        "s4": s_record(1, 0, data) + s_record(4, 0) + s_record(9, 0),
        "s6": s_record(1, 0, data) + s_record(6, 1) + s_record(9, 0),
        "wrong_count": s_record(1, 0, data) + s_record(5, 2) + s_record(9, 0),
        "no_end": s_record(1, 0, data),
        "no_end_but_count": s_record(1, 0, data) + s_record(5, 1),
        "name_not_ascii": s_record(0, 0, b"\xe9\x01\x00x") + s_record(1, 0, data) + s_record(9, 0),
        "overlap": s_record(1, 0, data) * 2 + s_record(9, 0),
        "lower_crlf": (s_record(1, 0, data) + s_record(9, 0)).lower().replace("\n", "\r\n"),
        "top": s_record(3, 0xFFFFFFF8, data) + s_record(7, 0),
        "longest": s_record(3, 0, bytes(250)) + s_record(7, 0),
    }
    for name, text in seeds.items():
        put("image_srec", name, text)


def suffix(body, bcd_dfu=0x0100, length=16, vendor=0x0483, product=0xDF11):
    body += struct.pack("<4H3sB", 0xFFFF, product, vendor, bcd_dfu, b"UFD", length)
    return body + struct.pack("<I", ~zlib.crc32(body) & 0xFFFFFFFF)


def make_dfu():
    data = bytes(range(40))
    seeds = {
        "plain": suffix(data),
        "none": data,
        "long": suffix(data + b"more", length=20),
        "too_long": suffix(data, length=200),
        "too_short": suffix(data, length=15),
        "ids_zero": suffix(data, vendor=0, product=0),
        "wrong_crc": suffix(data)[:-1] + b"\0",
        "crc_of_payload": suffix(data)[:-4] + struct.pack("<I", ~zlib.crc32(data) & 0xFFFFFFFF),
        "only_suffix": suffix(b""),
        "short": b"UFD\x10",
    }
    for name, content in seeds.items():
        put("image_dfu", name, content)
        put("image_binary", name, content)


def element(address, data, size=None):
    return struct.pack("<2I", address, len(data) if size is None else size) + data


def image(elements, alt=0, count=1, named=1, name=b"ST", size=None):
    length = len(elements) if size is None else size
    return struct.pack("<6sBI255s2I", b"Target", alt, named, name, length, count) + elements


def dfuse(body, targets=1, wrong_by=0):
    return suffix(struct.pack("<5sBIB", b"DfuSe", 1, 11 + len(body) + wrong_by, targets) + body,
                  0x011A)


def make_dfuse():
    data = bytes(range(8))
    flash, options = element(0x08000000, data), element(0x1FFFF800, data)
    seeds = {
        "plain": dfuse(image(flash)),
        "two_alts": dfuse(image(flash) + image(options, alt=1), 2),
        "same_alt_twice": dfuse(image(flash) + image(options), 2),
        "two_elements": dfuse(image(flash + options, count=2)),
        "overlap": dfuse(image(flash + element(0x08000004, data), count=2)),
        "element_past_image": dfuse(image(element(0x08000000, data, 9))),
        "element_huge": dfuse(image(element(0x08000000, data, 0xFFFFFFFF))),
        "image_past_file": dfuse(image(flash, size=0xFFFFFFFF)),
        "count_huge": dfuse(image(flash, count=0xFFFFFFFF)),
        "count_zero": dfuse(image(flash, count=0)),
        "no_elements": dfuse(image(b"", count=0) + image(flash, alt=1), 2),
        "targets_255": dfuse(image(flash), 255),
        "targets_0": dfuse(b"", 0),
        "wrong_size": dfuse(image(flash), wrong_by=100),
        "suffix_counted": dfuse(image(flash), wrong_by=16),
        "name_without_end": dfuse(image(flash, name=b"x" * 255)),
        "name_empty": dfuse(image(flash, name=b"")),
        "garbage_after": dfuse(image(flash + b"junk") + b"more junk"),
        "no_suffix": dfuse(image(flash))[:-16],
        "top": dfuse(image(element(0xFFFFFFFC, data))),
    }
    for name, content in seeds.items():
        put("image_dfuse", name, content)


def uf2(number, count, address=0x08000000, payload=256, flags=0, family=0, size=476):
    return (struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, payload, number, count, family)
            + bytes(size) + struct.pack("<I", 0x0AB16F30))


def make_uf2():
    seeds = {
        "plain": uf2(0, 1),
        "reversed": uf2(1, 2, 0x08000100) + uf2(0, 2),
        "missing": uf2(0, 2),
        "families": uf2(0, 1, flags=0x2000, family=0x5EE21072)
                    + uf2(0, 1, flags=0x2000, family=0x57755A57),
        "not_flash": uf2(0, 2, flags=1) + uf2(1, 2),
        "container": uf2(0, 2, flags=0x1000) + uf2(1, 2),
        "payload_476": uf2(0, 1, payload=476),
        "payload_477": uf2(0, 1, payload=477),
        "md5": uf2(0, 1, flags=0x4000),
        "overlap": uf2(0, 2) + uf2(1, 2, 0x08000080),
        "top": uf2(0, 1, 0xFFFFFF80),
        "cut": uf2(0, 1)[:500],
    }
    for name, content in seeds.items():
        put("image_uf2", name, content)


def elf(segments, machine=40, elf_class=1, order=1):
    """segments: (p_type, p_vaddr, p_paddr, data)"""
    offset = 52 + 32 * len(segments)
    headers = contents = b""
    for kind, vaddr, paddr, data in segments:
        headers += struct.pack("<8I", kind, offset + len(contents), vaddr, paddr, len(data),
                               len(data) + 64, 5, 4)
        contents += data
    return (struct.pack("<4s3B9x2H5I6H", b"\x7fELF", elf_class, order, 1, 2, machine, 1, 0x080000ED, 52,
                        0, 0x05000200, 52, 32, len(segments), 40, 0, 0) + headers + contents)


def make_elf():
    data = bytes(range(16))
    text, option = (1, 0x08000000, 0x08000000, data), (1, 0x1FFFF800, 0x1FFFF800, data)
    swept = bytearray(elf([(1, 0x07FFFFAC, 0x07FFFFAC, data)]))
    struct.pack_into("<I", swept, 52 + 4, 0)
    struct.pack_into("<I", swept, 52 + 16, 100)
    seeds = {
        "plain": elf([text]),
        "data": elf([text, (1, 0x20000000, 0x08000010, data), (1, 0x20000010, 0x20000010, b"")]),
        "data_in_ram": elf([text, (1, 0x20000000, 0x20000000, data)]),
        "options": elf([option, text]),
        "exidx": elf([(0x70000001, 0, 0, data), text]),
        "riscv": elf([text], machine=243),
        "x86_64": elf([text], machine=62),
        "class_64": elf([text], elf_class=2),
        "big_endian": elf([text], order=2),
        "swept_in": bytes(swept),
        "cut": elf([text])[:-1],
        "no_segments": elf([]),
        "overlap": elf([text, text]),
        "top": elf([(1, 0, 0xFFFFFFF8, data)]),
    }
    for name, content in seeds.items():
        put("image_elf", name, content)


if __name__ == "__main__":
    for make in (make_hex, make_srec, make_dfu, make_dfuse, make_uf2, make_elf):
        make()
    put("canary", "harmless", "BU")
