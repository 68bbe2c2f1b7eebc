"""One case of a gRPC client against a gateway in front of server.py.

    client.py <case> <address> [<certificate to trust>]

Ends with a traceback if something is not as promised.
"""

import itertools
import json
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "/shop.Shop/"
LIMIT = 20


class Client:
    def __init__(self, address, trusted=None):
        options = [("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0)]
        if trusted:
            credentials = grpc.ssl_channel_credentials(open(trusted, "rb").read())
            self.channel = grpc.secure_channel(address, credentials, options=options)
        else:
            self.channel = grpc.insecure_channel(address, options=options)

    def unary(self, method, request=b"", timeout=LIMIT, metadata=None, service=SERVICE):
        call = self.channel.unary_unary(service + method)
        return call.with_call(request, timeout=timeout, metadata=metadata)

    def count(self, request, timeout=LIMIT):
        return self.channel.unary_stream(SERVICE + "Count")(request, timeout=timeout)

    def chat(self, requests, timeout=LIMIT, metadata=None, method="Chat"):
        return self.channel.stream_stream(SERVICE + method)(requests, timeout=timeout, metadata=metadata)

    def refused(self, method, request=b"", **more):
        """The error a call ends with."""
        try:
            self.unary(method, request, **more)
        except grpc.RpcError as error:
            return error
        raise AssertionError("no error")


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def until(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "waited for a condition that did not come"
        time.sleep(0.01)


def four_kinds(client):
    equal(client.unary("Echo", b"hello")[0], b"hello")
    equal(client.unary("Echo", b"")[0], b"")
    equal([message[:4] for message in client.count(b"5 10")], [place.to_bytes(4, "big") for place in range(5)])
    equal(list(client.count(b"0 0")), [])
    collect = client.channel.stream_unary(SERVICE + "Collect")
    equal(collect(iter([b"a", b"b", b"c"]), timeout=LIMIT), b"a+b+c")
    equal(collect(iter([]), timeout=LIMIT), b"")
    equal(list(client.chat(iter([b"a", b"b"]))), [b"re: a", b"re: b"])


def dialogue(client):
    """Each message waits for the answer to the one before: nothing may be held back."""
    answers, said = [], threading.Semaphore(0)

    def requests():
        for number in range(200):
            yield str(number).encode()
            assert said.acquire(timeout=LIMIT)

    responses = client.chat(requests())
    equal(dict(responses.initial_metadata())["x-initial"], "one")
    for response in responses:
        answers.append(response)
        said.release()
    equal(answers, [b"re: %d" % number for number in range(200)])
    equal(responses.code(), grpc.StatusCode.OK)


def interrupted(client):
    """A dialogue in whose middle something happens: it is asked for on standard output, and over with a line of input."""
    said = threading.Semaphore(0)

    def requests():
        for number in range(20):
            yield str(number).encode()
            assert said.acquire(timeout=LIMIT)

    answers = []
    for response in client.chat(requests()):
        answers.append(response)
        if len(answers) == 10:
            print("now", flush=True)
            sys.stdin.readline()
        said.release()
    equal(answers, [b"re: %d" % number for number in range(20)])


def metadata(client):
    _, call = client.unary("Echo", b"x", metadata=(("x-ask", "why"), ("x-ask-bin", b"\x00\x01")))
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    equal((initial["x-initial"], initial["x-initial-bin"]), ("one", b"\x00\xff"))
    equal((trailing["x-trailing"], trailing["x-trailing-bin"], trailing["x-asked"]), ("two", b"\x01\xfe", "why"))
    # What the gateway says about itself.
    assert "x-kong-upstream-latency" in initial, initial
    assert initial["via"].startswith("2 "), initial
    about = json.loads(client.unary("About")[0])
    sent = dict(about["metadata"])
    equal(sent["x-forwarded-for"], "127.0.0.1")
    assert sent["user-agent"].startswith("grpc-python/"), sent
    assert sent["via"].startswith("2 "), sent


def deadline(client):
    left = json.loads(client.unary("About", timeout=7)[0])["left"]
    assert 0 < left <= 7, left
    left = json.loads(client.unary("About", timeout=None)[0])["left"]
    assert left is None or left > 1e6, left
    begun = time.monotonic()
    equal(client.refused("Sleep", timeout=0.5).code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - begun < 5
    until(lambda: client.unary("Cancellations")[0] == b"1")


def cancellation(client):
    call = client.channel.unary_unary(SERVICE + "Sleep").future(b"", timeout=LIMIT)
    time.sleep(0.2)
    call.cancel()
    until(lambda: client.unary("Cancellations")[0] == b"1")
    requests = iter([b"a"])
    never = threading.Event()

    def endless():
        yield next(requests)
        never.wait(LIMIT)

    chat = client.chat(endless(), method="Linger")
    equal(next(chat), b"re: a")
    chat.cancel()
    until(lambda: client.unary("Cancellations")[0] == b"2")
    never.set()
    equal(client.unary("Echo", b"still here")[0], b"still here")


def large(client):
    message = bytes(range(256)) * (4 << 12)
    equal(len(message), 4 << 20)
    assert client.unary("Echo", message)[0] == message
    total = 0
    for place, part in enumerate(client.count(b"512 65536")):
        equal((len(part), part[:4]), (65536, place.to_bytes(4, "big")))
        total += len(part)
    equal(total, 32 << 20)
    chunk = b"y" * (1 << 20)
    collected = client.channel.stream_unary(SERVICE + "Collect")(itertools.repeat(chunk, 16), timeout=LIMIT)
    equal(len(collected), 16 * len(chunk) + 15)


def failures(client):
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        for details in ["", "plain", "100 % sünd"]:
            error = client.refused("Fail", f"{code.name}:{details}".encode())
            equal((error.code(), error.details()), (code, details))
            equal(dict(error.trailing_metadata())["grpc-status-details-bin"], b"\x08\x05" + details.encode())
    call = client.channel.unary_stream(SERVICE + "FailLater")(b"ABORTED:enough", timeout=LIMIT)
    got = []
    try:
        for message in call:
            got.append(message)
    except grpc.RpcError as error:
        equal((error.code(), error.details()), (grpc.StatusCode.ABORTED, "enough"))
    equal(got, [b"one", b"two"])
    equal(client.refused("NoSuchMethod").code(), grpc.StatusCode.UNIMPLEMENTED)


def unauthenticated(client):
    """Kong words refusals of plugins by the name of the status."""
    error = client.refused("Echo", b"x")
    equal((error.code(), error.details()), (grpc.StatusCode.UNAUTHENTICATED, "Unauthenticated"))
    for response in (client.chat(iter([b"a"])), client.count(b"1 1")):
        try:
            next(response)
        except grpc.RpcError as error:
            equal(error.code(), grpc.StatusCode.UNAUTHENTICATED)
    key = (("apikey", "secret"),)
    equal(client.unary("Echo", b"x", metadata=key)[0], b"x")
    equal(list(client.chat(iter([b"a"]), metadata=key)), [b"re: a"])
    sent = dict(json.loads(client.unary("About", metadata=key)[0])["metadata"])
    equal(sent["x-consumer-username"], "alice")


def no_route(client):
    error = client.refused("Do", service="/other.Thing/")
    equal((error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "NotFound"))


def down(client):
    """nginx's 502 has its message, and the code that Kong has for it."""
    error = client.refused("Echo", b"x")
    expected = "An invalid response was received from the upstream server"
    equal((error.code(), error.details()), (grpc.StatusCode.INTERNAL, expected))


def silent(client):
    error = client.refused("Sleep")
    equal((error.code(), error.details()), (grpc.StatusCode.DEADLINE_EXCEEDED, "The upstream server is timing out"))
    until(lambda: client.unary("Cancellations")[0] == b"1")


def hundred(client):
    """All of them are under way at once, more than one worker's or one connection's share."""
    call = client.channel.unary_unary(SERVICE + "Gather")
    answers = [call.future(b"100", timeout=LIMIT) for _ in range(100)]
    equal({answer.result() for answer in answers}, {b"met"})


def many(client):
    """Calls of all kinds beside each other."""
    with futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(four_kinds, client) for _ in range(64)]:
            done.result()


def grpcs_only(client):
    """A route for grpcs that is reached in cleartext."""
    error = client.refused("Echo", b"x")
    equal((error.code(), error.details()), (grpc.StatusCode.CANCELLED, "gRPC request matched gRPCs route"))


if __name__ == "__main__":
    globals()[sys.argv[1]](Client(*sys.argv[2:]))
