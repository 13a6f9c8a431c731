# SPDX-License-Identifier: MIT
"""A tree of files with everything a file server meets, and what sha256sum says about it."""
import os
import random
import subprocess

SPARSE_SIZE = (4 << 30) + (3 << 20) + 17

ODD_NAMES = [
    b"two  spaces", b"percent%41%", b"100%", b"quote\"s and 'quotes'", b"a&b<c>d", b"question?mark",
    b"hash#mark", b"plus+sign", b"semi;colon:and=more", b"back\\slash", b"new\nline", b"tab\tname",
    b"-leading-dash", b"--help", b"...", b"..two", b".hidden", b"~tilde", b"caf\xc3\xa9",
    b"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", b"\xff\xfe not utf-8", b"trailing.", b"trailing ",
    b"%2e%2e", b"%00", b"*", b"[brackets]", b"{braces}", b"$HOME", b"`x`", b"|", b"n" * 255,
    b"-", b"\x01\x7f control",
]


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def make(root):
    """At least 1,000 files of many sizes; returns the path of the sparse one."""
    rand = random.Random(4)
    sizes = [0, 1, 2, 4095, 4096, 4097, 65536, 262143, 262144, 262145, 524288, 1000000, 3000001]
    root = os.fsencode(root)
    for directory in range(40):
        path = os.path.join(root, b"dir %d" % directory, b"deeper")
        os.makedirs(path)
        for number in range(25):
            write(os.path.join(path, b"file-%d.bin" % number), rand.randbytes(rand.randrange(9000)))
    odd = os.path.join(root, b"odd & names")
    os.mkdir(odd)
    for name in ODD_NAMES:
        write(os.path.join(odd, name), b"this is " + name)
    os.mkdir(os.path.join(root, b"empty directory"))
    for size in sizes:
        write(os.path.join(root, b"size-%d.txt" % size), rand.randbytes(size))
    sparse = os.path.join(root, b"sparse")
    with open(sparse, "wb") as file:
        for offset in (0, 1 << 20, (4 << 30) - 5, SPARSE_SIZE - 9):
            file.seek(offset)
            file.write(b"not zero!")
    return sparse


def files(root):
    """Every regular file under root, as bytes relative to it."""
    root = os.fsencode(root)
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)


def sha256sum(root, paths):
    """What the command says: path to digest, in hexadecimal digits."""
    found = {}
    paths = list(paths)
    for start in range(0, len(paths), 500):
        some = paths[start:start + 500]
        output = subprocess.run([b"sha256sum", b"-z", b"--", *some], cwd=root, check=True,
                                stdout=subprocess.PIPE).stdout
        for record in output.split(b"\0")[:-1]:
            digest, _, path = record.partition(b"  ")
            found[path] = digest.decode()
    return found
