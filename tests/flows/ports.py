"""A port for a server that is still to start."""

import random
import socket

#: Below those that the system hands to connections (32768 on Linux), and above those of Ray's workers: a test beside
#: this one is not given it by chance while its server still starts.
_RANGE = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    while True:
        port = random.choice(_RANGE)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
