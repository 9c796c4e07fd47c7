"""The program from outside: what it prints and how it exits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def edge(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *arguments],
        cwd=options.get("cwd", ROOT),
        env={"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_version_and_help_exit_with_0() -> None:
    version = edge("--version")
    assert (version.returncode, version.stdout.startswith("edge version ")) == (0, True)
    usage = edge("--help")
    assert (usage.returncode, usage.stderr) == (0, "")
    assert "Listening, connections and process (server)" in usage.stdout


def test_check_of_sound_flags_exits_with_0() -> None:
    done = edge("--check", "-port=1935")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the flags are valid\n", "")


@pytest.mark.parametrize("path", sorted((ROOT / "flagfiles").glob("*.[cf]*")), ids=lambda path: path.name)
def test_sample_flagfiles_pass_the_check(path: Path) -> None:
    done = edge("--check", "--strict_flagfile", f"--flagfile={path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("the flags are valid\n")


def test_a_file_by_vhost_is_checked_and_dumped(tmp_path: Path) -> None:
    sample = ROOT / "flagfiles" / "vhosts" / "live.conf"
    done = edge("-c", str(sample), "-t")
    assert (done.returncode, done.stdout) == (0, "loaded 2 vhosts; 0 warnings\nthe flags are valid\n")
    path = tmp_path / "dump.conf"
    path.write_text(edge("-c", str(sample), "-dump_config").stdout)
    assert f"    queue_length_s 10; # {sample}:12\n" in path.read_text()
    again = edge("-c", str(path), "-dump_config")
    assert (again.returncode, again.stdout) == (0, path.read_text())
    path.write_text(
        "hooks_on_play http://user:swordfish@127.0.0.1:1/x; vhost a { hooks_on_stop http://u:swordfish@h/; }"
    )
    done = edge("-c", str(path), "-dump_config")
    assert "hooks_on_stop http://***@h/;" in done.stdout
    assert "swordfish" not in done.stdout
    path.write_text("listen 1935\nvhost a { dvr { enabled on; } }\n")
    done = edge("-c", str(path), "-dump_config")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ERROR: {path}:1: missing ';' after `listen 1935`?\n"


def test_all_of_the_configuration_of_the_reference_is_acted_on() -> None:
    done = edge("--check", f"--flagfile={ROOT / 'flagfiles' / 'ms-edge.conf'}")
    assert done.returncode == 0
    assert done.stdout == "the flags are valid\n"


def test_a_flag_that_does_nothing_yet_is_named() -> None:
    done = edge("--check", "-workers=2")
    assert done.returncode == 0
    assert "not acted on yet: -workers\n" in done.stdout


# One planted error of each kind, and what the message must name.
PLANTED = {
    "int32": ("-port=80a", "flag -port=80a: not an integer"),
    "range": ("-port=70000", "flag -port=70000: out of range 0..65535"),
    "int64": ("-ts_duration_ms=9223372036854775808", "flag -ts_duration_ms"),
    "bool": ("-https=maybe", "flag -https=maybe: not a bool"),
    "negated bool": ("-nohttps=true", "flag -nohttps takes no value"),
    "double": ("-loop_stall_warn_ms=slow", "flag -loop_stall_warn_ms=slow: not a number"),
    "choice": ("-completion=fish", "flag -completion=fish: not one of"),
    "port list": ("-listen=1935,0", "port 0 is out of range"),
    "address": ("-bind=localhost", "-bind=localhost: not a numeric IPv4 or IPv6 address"),
    "target": ("-proxy_to=nowhere", "-proxy_to: bad address"),
    "scheme": ("-proxy_to=zk://a", "valid: list, dlist, file"),
    "balancer": ("-proxy_lb=best", "valid: rr, wrr"),
    "parameter of a balancer": ("-proxy_lb=c_murmurhash:load_facto=1.25", "valid: replicas, load_factor"),
    "merge port": ("-cdn_merge_to=http://a", "does not contain a port"),
    "ports": ("-internal_port=8079", "internal_port=8079 is same with port=8079"),
    "order": ("-ts_pre_generated=99", "-ts_pre_generated=99 is not below -ts_max_stored=32"),
    "file": ("-log_dir=nowhere/at/all", "-log_dir=nowhere/at/all: not a directory"),
    "certificate": ("-https", "-certificate=./cert.pem: No such file"),
    "loop": ("-proxy_to=127.0.0.1:8079", "proxies to itself"),
    "trailing blank": ("-default_app=a ", "the value ends with a blank"),
    "nested file": ("-flagfile=nowhere.flags", "flagfile nowhere.flags: No such file"),
}


@pytest.mark.parametrize(("planted", "text"), PLANTED.values(), ids=PLANTED)
def test_check_finds_an_error_of_each_kind_at_its_line(tmp_path: Path, planted: str, text: str) -> None:
    path = tmp_path / "bad.flags"
    path.write_text(f"# a comment\n{planted}\n-log_hostname\n")
    done = edge("--check", "--flagfile=bad.flags", cwd=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if "warning" not in line]
    assert lines[0].startswith("bad.flags:2: ")
    assert text in done.stdout


def test_check_shows_all_errors_at_once() -> None:
    done = edge("--check", "-port=x", "-prot=1", "-bind=y")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("-prot=1", "unknown flag -prot; did you mean -port?"),
        ("-port=x", "flag -port=x"),
        ("-proxy_to=zk://a", "unknown naming scheme"),
        ("-internal_port=0", "-internal_port=0"),
    ],
)
def test_EXIT_bad_flags_end_the_start_with_one_error_line(argument: str, text: str) -> None:
    done = edge(argument)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ERROR: command line: ")
    assert text in line


def test_a_reader_of_the_help_may_leave_early() -> None:
    command = f"'{sys.executable}' -m edge --helpfull | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


STARTED = """
import sys, types
daemon = types.ModuleType("edge.runtime.daemon")
def run(settings):
    print(settings.net.port, settings.not_acted_on)
    {body}
daemon.run = run
sys.modules["edge.runtime.daemon"] = daemon
from edge.runtime.main import main
sys.exit(main(sys.argv[1:]))
"""


def start(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``main`` with a daemon that does ``body``."""
    command = [sys.executable, "-c", STARTED.format(body=body), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_daemon_is_given_the_settings_and_gives_the_exit_code() -> None:
    done = start("return 75", "-port=1935", "-workers=2")
    assert (done.returncode, done.stdout) == (75, "1935 ('workers',)\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("W")
    assert line.endswith("] not acted on yet: -workers")


def test_warnings_are_logged_before_the_start() -> None:
    done = start("return 0", "-nolog_prefix", "-handshake_timeout_ms=0", "stray")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        'command line: "stray" is no flag and is ignored',
        "command line: -handshake_timeout_ms=0 switches this limit off",
    ]


def test_an_internal_error_before_there_is_a_log_exits_with_70_too() -> None:
    program = "import sys\nfrom edge.runtime import main\nmain.read_command_line = None\nsys.exit(main.main([]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 70
    assert done.stderr.startswith("internal error\nTraceback ") and "TypeError: " in done.stderr


def test_an_internal_error_exits_with_70_and_a_traceback_in_the_log() -> None:
    done = start("raise RuntimeError('planted')")
    assert done.returncode == 70
    assert "] internal error\n" in done.stderr
    assert "    RuntimeError: planted\n" in done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_R6_signal_during_the_start_is_a_clean_end(name: str) -> None:
    done = start(f"import os, signal, time; os.kill(os.getpid(), signal.{name}); time.sleep(60)")
    assert (done.returncode, done.stderr) == (0, "")


_IN_A_DESTRUCTOR = """
    import os, signal, time
    class Lost:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
    Lost()
    time.sleep(60)
"""


def test_R6_a_signal_that_comes_while_a_destructor_runs_is_not_lost() -> None:
    done = start(_IN_A_DESTRUCTOR.strip())
    assert (done.returncode, done.stderr) == (0, "")


_SIGNALLED = """
import os, signal, sys
import edge.runtime.main as program
program.main = lambda: os.kill(os.getpid(), signal.{name})
from edge.__main__ import run
run()
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", -15), ("SIGINT", -2), ("SIGHUP", 0)])
def test_R6_signal_before_anything_is_loaded_shows_no_traceback(name: str, code: int) -> None:
    command = [sys.executable, "-c", _SIGNALLED.format(name=name)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGQUIT", 131)])
def test_R6_process_1_can_be_ended_before_anything_is_loaded(name: str, code: int) -> None:
    program = "import os; os_kill, me = os.kill, os.getpid(); os.getpid = lambda: 1" + _SIGNALLED.format(name=name)
    command = [sys.executable, "-c", program.replace("os.kill(os.getpid()", "os_kill(me")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == code


# --- what is loaded ----------------------------------------------------------

_LOADED = """
import atexit, os, sys

def tell():
    print("LOADED", *sorted(sys.modules), flush=True)

async def tell_and_leave(node):  # it listens
    tell()
    os._exit(0)

if "-port=0" in sys.argv:
    from edge.runtime import daemon
    daemon.announce = tell_and_leave
atexit.register(tell)
from edge.runtime.main import main
sys.exit(main(sys.argv[1:]))
"""
# Of the standard library: what takes long and is not needed to serve RTMP.
_SLOW = ("difflib", "email", "http", "importlib.metadata", "unittest", "urllib.request", "xml.etree")


def loaded(*arguments: str) -> set[str]:
    """The modules of a program at its end, or once it listens."""
    command = [sys.executable, "-c", _LOADED, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("LOADED ")]
    return set(line.split()[1:])


def libraries(modules: set[str]) -> set[str]:
    """Those that are neither ours nor of Python, nor there without us."""
    tops = {name.partition(".")[0] for name in modules if not name.startswith("_")}
    return tops - {"edge", "naming", "lb", "sitecustomize", *sys.stdlib_module_names}


_START = ("-port=0", "-bind=127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--version",), {"absl"}),
        (("--help",), {"absl"}),
        (("--check",), {"absl"}),
        (("--check", "-proxy_to=list://127.0.0.1:1", "-proxy_lb=c_murmurhash"), {"absl", "mmh3"}),
        (_START, {"absl", "uvloop"}),
        ((*_START, "-proxy_to=127.0.0.1:1"), {"absl", "uvloop", "mmh3"}),
        ((*_START, "-proxy_to=list://127.0.0.1:1", "-proxy_lb=rr"), {"absl", "uvloop", "mmh3"}),
        ((*_START, "-proxy_to=dns://a.invalid:1", "-proxy_lb=rr"), {"absl", "uvloop", "mmh3", "dns"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_only_what_a_start_needs_is_loaded_before_it_listens(arguments: tuple[str, ...], wanted: set[str]) -> None:
    modules = loaded(*arguments)
    # uvloop is there where it is installed, and so is what absl and dnspython find.
    optional = {"uvloop", "cython_runtime", "typing_extensions", "idna"}
    assert libraries(modules) - optional == wanted - optional
    if "dns" not in wanted:
        assert [name for name in modules if name in _SLOW] == []


def test_an_origin_starts_without_what_edges_need() -> None:
    modules = loaded(*_START)
    assert {name for name in modules if name.startswith("edge.upstream.")} == {"edge.upstream.config"}
    assert {name for name in modules if name.startswith("edge.httpd.")} == {"edge.httpd.config"}


def test_a_registry_brings_its_client_when_a_flag_names_it() -> None:
    for use in (("--check",), _START):
        assert "aiohttp" in loaded(*use, "-proxy_to=consul://a", "-proxy_lb=rr")


def test_answers_without_a_server_load_neither_the_log_nor_the_loop() -> None:
    modules = loaded("--version")
    assert not modules & {"asyncio", "ssl", "edge.runtime.logs", "edge.runtime.targets", "naming.base"}
