"""Put first on PYTHONPATH, this ends any Python that is about to use a network, with status 97."""

import os
import sys

NETWORK = {"socket.connect", "socket.sendto", "socket.sendmsg"}
NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


def guard(event, arguments):
    # The address of a socket within this machine is a name, not a tuple.
    if event in NAMES or (event in NETWORK and isinstance(arguments[1], tuple)):
        os.write(2, f"network: {event} {arguments}\n".encode())
        os._exit(97)


sys.addaudithook(guard)
