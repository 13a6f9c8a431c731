# SPDX-License-Identifier: MIT
"""embed.py OUTPUT FILE...: files as C arrays, so that the server needs no file to show its page."""
import hashlib
import os
import sys


def array(number, data):
    rows = (", ".join(map(str, data[at:at + 20])) for at in range(0, len(data), 20))
    return f"static const unsigned char file_{number}[] = {{\n\t" + ",\n\t".join(rows) + "};\n"


def main(output, *paths):
    files = []
    for path in paths:
        with open(path, "rb") as file:
            files.append((os.path.basename(path), file.read()))
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "fileserver.h"\n')
        for number, (_, data) in enumerate(files):
            out.write(array(number, data))
        out.write("const struct embedded embedded[] = {\n")
        for number, (name, data) in enumerate(files):
            tag = hashlib.sha256(data).hexdigest()[:16]
            out.write(f'\t{{"{name}", "\\"{tag}\\"", file_{number}, sizeof(file_{number})}},\n')
        out.write("\t{0}};\n")


main(*sys.argv[1:])
