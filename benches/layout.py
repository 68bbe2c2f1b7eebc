#!/usr/bin/env python3
"""Lists the functions that a gateway runs, for gateway-bin/build.rs, which puts them side by side.

    benches/layout.py target/release/towergate > gateway-bin/layout.txt

Starts the release under valgrind (callgrind), once as it is and once with the plugins of the guide, and sends it a few
requests by every protocol. Needs valgrind, nm, openssl and curl. Run it when start or requests have changed much: names
that are gone do no harm, and functions that are new are found elsewhere.
"""

import collections, pathlib, re, socket, subprocess, sys, tempfile, threading, time

PLUGINS = """
plugins:
- {name: key-auth, config: {key_names: [apikey]}}
- {name: rate-limiting, config: {minute: 1000000, policy: local}}
- {name: correlation-id, config: {header_name: X-Correlation-ID, echo_downstream: true}}
- {name: cors, config: {origins: ["https://app.example.com"], credentials: true}}
- {name: prometheus, config: {status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true}}
consumers:
- {username: alice, keyauth_credentials: [{key: alice-key}]}
"""


def upstream():
    """Answers whoever comes; its port."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(answer)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    return [listener.getsockname()[1] for listener in listeners]


def wait_for(port):
    for _ in range(1200):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
    sys.exit("the gateway does not listen")


def run(program, folder, plugins):
    """The mangled names of all functions that ran."""
    plain, tls, h2, counts = *free_ports(3), folder / "counts"
    (folder / "kong.yml").write_text(
        '_format_version: "3.0"\nservices:\n- name: service\n'
        f'  url: http://127.0.0.1:{upstream()}\n  routes: [{{name: all, paths: ["/"]}}]\n' + plugins)
    (folder / "kong.conf").write_text(
        f"database = off\nprefix = {folder}\nnginx_worker_processes = 1\n"
        f"proxy_listen = 127.0.0.1:{plain}, 127.0.0.1:{tls} ssl http2, 127.0.0.1:{h2} http2\n"
        "admin_listen = off\nstatus_listen = off\n"
        f"ssl_cert = {folder}/cert.pem\nssl_cert_key = {folder}/key.pem\n")
    gateway = subprocess.Popen(
        ["valgrind", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={counts}", program, "start",
         "-c", folder / "kong.conf", folder / "kong.yml"], stderr=subprocess.DEVNULL)
    wait_for(plain)
    for _ in range(3):
        for arguments in (["-d", "body"], []):
            for url, version in ((f"http://127.0.0.1:{plain}", "--http1.1"), (f"https://127.0.0.1:{tls}", "--http1.1"),
                                 (f"https://127.0.0.1:{tls}", "--http2"), (f"http://127.0.0.1:{h2}", "--http2-prior-knowledge")):
                subprocess.run(["curl", "-sko", "/dev/null", version, "-H", "apikey: alice-key", *arguments, url], check=True)
    gateway.terminate()
    gateway.wait()
    return functions(counts.read_text(), program)


def functions(counts, program):
    """The functions of this program in callgrind's file, which spells each name once and then tells its number."""
    known, ours, found = {}, False, set()
    for line in counts.splitlines():
        entry = re.match(r"c?(ob|fn)=(\(\d+\))(?: (.+))?", line)
        if not entry:
            continue
        kind, number, name = entry.groups()
        name = known.setdefault((kind, number), name)
        if line.startswith("ob="):
            ours = pathlib.Path(name).name == pathlib.Path(program).name
        elif line.startswith("fn=") and ours:
            found.add(name)
    return found


def pattern(name):
    """Without what changes with each compiler and each version of a crate."""
    name = re.sub(r"17h[0-9a-f]{16}E.*", "17h*", name.split("'")[0])
    return re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", re.sub(r"^aws_lc_\d+_\d+_\d+_", "aws_lc_*_", name))


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
             "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, stderr=subprocess.DEVNULL)
        folder = pathlib.Path(folder)
        used = {pattern(name) for plugins in ("", PLUGINS) for name in run(program, folder, plugins)}
    lines = subprocess.run(["nm", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    symbols = [line.split(None, 2) for line in lines.splitlines()]
    copies = collections.Counter(pattern(name) for _, kind, name in symbols if kind in "tTwW")
    # What has one name many times over, most of which do not run, comes last.
    names = sorted((name for name in used if name in copies), key=lambda name: (copies[name], name))
    print("# Functions that a start or a request runs, by benches/layout.py; see build.rs.", *names, sep="\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
