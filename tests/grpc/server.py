"""A gRPC server with all four kinds of calls, by handlers that take and give plain bytes.

    server.py [<certificate> <key>]

Prints its port as soon as it listens, and serves until its standard input ends.
"""

import json
import sys
import threading
from concurrent import futures

import grpc

DETAILS = "grpc-status-details-bin"


class Shop:
    """The handlers of `shop.Shop`."""

    def __init__(self):
        self.lock = threading.Condition()
        self.waiting = 0
        self.cancelled = 0

    def echo(self, request, context):
        metadata = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-initial", "one"), ("x-initial-bin", b"\x00\xff")))
        asked = ("x-asked", metadata.get("x-ask", ""))
        context.set_trailing_metadata((("x-trailing", "two"), ("x-trailing-bin", b"\x01\xfe"), asked))
        return request

    def fail(self, request, context):
        """`<code>:<details>`: ends with these, and with details in bytes."""
        code, details = request.decode().split(":", 1)
        context.set_trailing_metadata(((DETAILS, b"\x08\x05" + details.encode()),))
        context.abort(grpc.StatusCode[code], details)

    def fail_later(self, request, context):
        """The same after two messages."""
        yield b"one"
        yield b"two"
        self.fail(request, context)

    def collect(self, requests, context):
        return b"+".join(requests)

    def count(self, request, context):
        """`<number> <size>`: so many messages of that size."""
        number, size = (int(word) for word in request.split())
        for place in range(number):
            yield place.to_bytes(4, "big").ljust(size, b"x")

    def chat(self, requests, context):
        context.send_initial_metadata((("x-initial", "one"),))
        for request in requests:
            yield b"re: " + request

    def linger(self, requests, context):
        """The same, but ends only when the client is gone, not when it has said everything."""
        gone = threading.Event()
        context.add_callback(gone.set)
        try:
            yield from self.chat(requests, context)
        except grpc.RpcError:
            # grpcio tells of the end in this way or as if there were no more requests.
            pass
        if gone.wait(20):
            self.note_cancellation()

    def sleep(self, request, context):
        """Ends when the client is gone."""
        gone = threading.Event()
        context.add_callback(gone.set)
        if gone.wait(20):
            self.note_cancellation()
        return b"slept"

    def note_cancellation(self):
        with self.lock:
            self.cancelled += 1

    def cancellations(self, request, context):
        with self.lock:
            return str(self.cancelled).encode()

    def about(self, request, context):
        """What is known of the call."""
        metadata = [(key, value) for key, value in context.invocation_metadata() if isinstance(value, str)]
        about = {"metadata": metadata, "peer": context.peer(), "left": context.time_remaining()}
        return json.dumps(about).encode()

    def gather(self, request, context):
        """Answers when so many calls are there at once."""
        with self.lock:
            self.waiting += 1
            self.lock.notify_all()
            met = self.lock.wait_for(lambda: self.waiting >= int(request), timeout=20)
        return b"met" if met else b"alone"


def handlers(shop):
    unary = grpc.unary_unary_rpc_method_handler
    methods = {
        "Echo": unary(shop.echo),
        "Fail": unary(shop.fail),
        "Sleep": unary(shop.sleep),
        "Cancellations": unary(shop.cancellations),
        "About": unary(shop.about),
        "Gather": unary(shop.gather),
        "FailLater": grpc.unary_stream_rpc_method_handler(shop.fail_later),
        "Count": grpc.unary_stream_rpc_method_handler(shop.count),
        "Collect": grpc.stream_unary_rpc_method_handler(shop.collect),
        "Chat": grpc.stream_stream_rpc_method_handler(shop.chat),
        "Linger": grpc.stream_stream_rpc_method_handler(shop.linger),
    }
    return grpc.method_handlers_generic_handler("shop.Shop", methods)


def main():
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=160), options=options)
    server.add_generic_rpc_handlers((handlers(Shop()),))
    if len(sys.argv) > 1:
        certificate, key = (open(path, "rb").read() for path in sys.argv[1:3])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
