"""Listens as systemd does at NOTIFY_SOCKET, and prints each message as a line of JSON: its words, its sender's uid and time."""

import json
import socket
import struct
import sys
import time

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(sys.argv[1])
print(json.dumps({"event": "listening"}), flush=True)
while True:
    data, ancillary, _, _ = listener.recvmsg(4096, 1024)
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            # The barrier of systemd-notify: closing it says that everything before it was read.
            for (descriptor,) in struct.iter_unpack("i", payload):
                socket.close(descriptor)
    words = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    print(json.dumps({"event": next(iter(words)), "words": words, "nowUs": now_us}), flush=True)
