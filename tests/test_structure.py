"""What the tree promises: layers, mirrored tests, small files, no import circles, documents that run."""

from __future__ import annotations

import ast
import functools
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "naming", "lb")

_MEDIA = ("edge.rtmp.amf0",)
_HUB = ("edge.media",)
_SERVICE = ("edge.media", "edge.hub")
_NET = ("edge.rtmp", "edge.media", "edge.hub", "edge.service")
_ACCESS = ("edge.hub.key", "edge.service")
_LOGBOOK = ("edge.media", "edge.hub", "edge.service")
_HLS = ("edge.media", "edge.hub")
_QUALITY: tuple[str, ...] = ()
_HLS_DISK = ("edge.media", "edge.hub", "edge.service", "edge.hls", "edge.net.aio")
_PROFILING = ("edge.net.aio",)
_UPSTREAM = (*_NET, "edge.net", "naming", "lb")
_FACTS = ("edge.media", "edge.hub", "edge.service")
_HOOKS = (*_SERVICE, "edge.service", "edge.net.aio")
_HTTPD = (*_UPSTREAM, "edge.upstream", "edge.hls", "edge.quality")
_APPLICATION = (*_HTTPD, "edge.access", "edge.httpd", "edge.profiling", "edge.logbook", "edge.flags", "edge.facts")

# Each package and what of ours it may import beside itself and edge.errors.
LAYERS: dict[str, tuple[str, ...]] = {
    "edge.rtmp": (),
    "edge.media": _MEDIA,
    "edge.hub": _HUB,
    "edge.service": _SERVICE,
    "edge.access": _ACCESS,
    "edge.logbook": _LOGBOOK,
    "edge.net": _NET,
    "edge.handover": ("edge.net.system",),
    "edge.hls": _HLS,
    "edge.hls_disk": _HLS_DISK,
    "edge.quality": _QUALITY,
    "edge.profiling": _PROFILING,
    "edge.upstream": _UPSTREAM,
    "edge.hooks": _HOOKS,
    "edge.httpd": _HTTPD,
    "edge.facts": _FACTS,
    "edge.builtin": _APPLICATION,
    "edge.control": (*_APPLICATION, "proto"),
    # The registry of balancers is but a list of names until one is made.
    "edge.flags": (
        *(
            f"edge.{name}.config"
            for name in (
                *("rtmp", "hub", "net", "upstream", "hls", "hls_disk", "quality", "httpd", "logbook", "builtin"),
                "access",
                *("control", "hooks"),
            )
        ),
        "lb.registry",
        "edge.hls_disk.template",
    ),
    "edge.conf": ("edge.flags",),
    # Its control client reads messages as the server writes them.
    "edge.tools": (*_APPLICATION, "edge.builtin", "edge.control", "edge.handover", "edge.runtime.loop", "proto"),
    "edge.runtime": ("edge", "naming", "lb", "proto"),
    "edge.__main__": ("edge.runtime",),
    "edge.errors": (),
    "naming": (),
    "lb": ("naming.node",),
}

# These take the time, and chance, as arguments and do no I/O.
PURE_PACKAGES = (
    "edge.rtmp",
    "edge.media",
    "edge.hub",
    "edge.service",
    "edge.access",
    "edge.logbook",
    "edge.hls",
    "edge.quality",
    "edge.facts",
    "edge.conf",
    *(
        f"edge.hooks.{name}"
        for name in (
            "answer",
            "breaker",
            "event",
            "form",
            "forms",
            "lanes",
            "mediamtx",
            "memory",
            "nginx",
            "srs",
            "signature",
        )
    ),
)
IMPURE_MODULES = frozenset({"asyncio", "socket", "threading", "time", "random", "absl"})

# Modules that know each other, until each of these is taken apart; no other may come.
CIRCLES = ({f"edge.upstream.{name}" for name in ("link", "manager", "players", "pull", "push")},)

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80
# Only tables of data may be longer; name them here with the reason.
LONG_FILES: dict[str, str] = {}

# Sources without a test file of their own, with the reason.
UNMIRRORED: dict[str, str] = {
    "edge/__main__.py": "three lines that hand over to edge.runtime.main; every test that starts the daemon runs them",
}
# Directories of tests that follow the tree of sources; the others follow a theme.
MIRRORED_TEST_DIRECTORIES = (
    *("rtmp", "media", "hub", "service", "access", "facts", "logbook", "net", "upstream"),
    *("handover", "hls", "hls_disk", "quality", "profiling", "hooks", "httpd", "builtin", "control"),
    *("flags", "conf", "runtime", "tools", "naming", "lb"),
)

# Those that may start tasks, and those that may ask for the wall clock.
TASK_OWNERS = frozenset(
    {
        "edge/net/aio.py",
        "naming/watcher.py",  # knows nothing of edge; owns one named task per watched name
    }
)
WALL_CLOCK_OWNERS = frozenset({"edge/net/aio.py"})  # wall_ms, for records that leave the process


def sources() -> list[Path]:
    """Every Python file of the packages, generated stubs excepted."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.fixture(scope="module", autouse=True)
def forgotten_trees() -> Iterator[None]:
    yield
    parse.cache_clear()


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield ``(line, module)`` for each import anywhere in the file, ``from a import b`` as ``a.b``."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer_of(module: str) -> str:
    found = [package for package in LAYERS if is_within(module, package)]
    assert found or module == "edge", f"{module} belongs to no layer: add its package to LAYERS"
    return max(found, key=len, default="edge")


def test_packages_import_only_the_layers_below() -> None:
    faults = []
    for path in sources():
        layer = layer_of(module_of(path))
        allowed = (layer, "edge.errors", *LAYERS.get(layer, ()))
        if layer in ("naming", "lb"):
            allowed = (layer, *LAYERS[layer])
        for line, target in imports_of(path):
            is_ours = any(is_within(target, package) for package in (*PACKAGES, "proto", "tests"))
            if is_ours and not any(is_within(target, package) for package in allowed):
                faults.append(f"{relative(path)}:{line} imports {target}")
    assert not faults, "\n".join(faults)


def circles(imported: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules each of which is reached from each other by imports, those for the type checker included."""

    def reached_from(module: str) -> set[str]:
        found: set[str] = set()
        todo = [module]
        while todo:
            for target in imported[todo.pop()] - found:
                found.add(target)
                todo.append(target)
        return found

    reach = {module: reached_from(module) for module in imported}
    found = []
    for module in sorted(imported):
        circle = {other for other in reach[module] if module in reach[other]} - {module}
        if circle and not any(module in known for known in found):
            found.append({module, *circle})
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_of(path) for path in sources()}
    imported: dict[str, set[str]] = {module: set() for module in modules}
    for path in sources():
        for _, target in imports_of(path):
            owner = target if target in modules else target.rpartition(".")[0]
            if owner in modules and owner != module_of(path):
                imported[module_of(path)].add(owner)
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [{"a", "b", "c"}]
    assert sorted(map(sorted, circles(imported))) == sorted(map(sorted, CIRCLES))


def test_protocol_media_and_hub_know_no_io_time_or_chance() -> None:
    faults = [
        f"{relative(path)}:{line} imports {target}"
        for path in sources()
        if any(is_within(module_of(path), package) for package in PURE_PACKAGES)
        for line, target in imports_of(path)
        if target.partition(".")[0] in IMPURE_MODULES
    ]
    assert not faults, "\n".join(faults)


def test_no_connection_is_asked_what_it_is() -> None:
    """It says itself what may be done with it: ``net/listed.py``."""
    asked = re.compile(r"isinstance\([^()]*Connection\b")
    faults = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in sorted((ROOT / "edge" / "runtime").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if asked.search(line)
    ]
    assert not faults, "\n".join(faults)


def test_front_door_speaks_no_protocol() -> None:
    """Who may play and publish is the same question in each; how the answer is said is the transports' business."""
    words = re.compile(r"NetStream|NetConnection|RTMP|FLV|HLS|WebSocket|asyncio")
    faults = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in sorted((ROOT / "edge" / "service").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not faults, "\n".join(faults)


# What settings are called, where they are handed over and where a class keeps them for itself.
_SETTINGS = frozenset(["config", "options", "settings", "hub", "http", "net", "rtmp", "upstream", "naming", "pages"])


def _is_of_settings(node: ast.AST) -> bool:
    """Whether an attribute is one of settings: ``config.x``, ``self._config.x``, ``settings.net.x``."""
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value
    word = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return word.lstrip("_") in _SETTINGS


def reads_of(tree: ast.AST, names: set[str]) -> set[str]:
    """Those of ``names`` that are read as an attribute of settings."""
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_of_settings(node)}
    return found & names


def frozen_in(cls: ast.ClassDef, live: set[str]) -> set[str]:
    """Values of ``live`` flags that the constructor of a class takes, and no method that is told of new ones."""
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    told = [method for method in methods if method.name.startswith(("reconfigure", "_apply"))]
    taken = {name for method in methods if method.name == "__init__" for name in reads_of(method, live)}
    return taken.difference(*(reads_of(method, live) for method in told))


def kept_in(cls: ast.ClassDef, live: set[str]) -> set[str]:
    """Values of ``live`` flags that a class reads from settings which it was made with, and is given no others."""
    stored: dict[str, set[str]] = {}
    for method in (node for node in cls.body if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                stored.setdefault(node.attr, set()).add(method.name)
    found = set()
    for node in ast.walk(cls):
        if not (isinstance(node, ast.Attribute) and node.attr in live and isinstance(node.value, ast.Attribute)):
            continue
        holder = node.value
        is_own = isinstance(holder.value, ast.Name) and holder.value.id == "self" and holder.attr.startswith("_")
        if is_own and _is_of_settings(node) and stored.get(holder.attr) == {"__init__"}:
            found.add(f"{holder.attr}.{node.attr}")
    return found


def test_nobody_keeps_what_a_live_flag_had_when_he_was_made() -> None:
    """It is read where it is used, or again in ``reconfigure``; of naming services a watcher makes new ones."""
    from edge.flags.classes import Reload
    from edge.flags.registry import DEFINITIONS

    live = {name for name, definition in DEFINITIONS.items() if definition.reload is Reload.LIVE}
    example = ast.parse(
        "class A:\n def __init__(self, config):\n  self._config = config\n  self.x = config.v\n"
        " def f(self):\n  return self._config.v"
    ).body[0]
    assert isinstance(example, ast.ClassDef)
    assert (frozen_in(example, {"v"}), kept_in(example, {"v"})) == ({"v"}, {"_config.v"})
    faults = [
        f"{relative(path)}:{cls.lineno} {cls.name} keeps {name}"
        for path in sources()
        if relative(path).startswith("edge/")
        for cls in ast.walk(parse(path))
        if isinstance(cls, ast.ClassDef)
        for name in sorted(frozen_in(cls, live) | kept_in(cls, live))
    ]
    assert not faults, "\n".join(faults)


def has_code(path: Path) -> bool:
    """Whether a file does anything: a function whose body is more than a docstring and ``...``."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ]
            if body:
                return True
    return False


def test_each_source_has_its_test_file() -> None:
    missing = []
    for path in sources():
        name = relative(path)
        mirrored = name.removeprefix("edge/")
        folder, _, file = mirrored.rpartition("/")
        test = ROOT / "tests" / folder / f"test_{Path(file).stem}.py"
        if has_code(path) and name not in UNMIRRORED and not test.exists():
            missing.append(f"{name} has no {relative(test)}")
    assert not missing, "\n".join(missing)


def test_each_mirrored_test_file_has_its_source() -> None:
    orphans = []
    for directory in MIRRORED_TEST_DIRECTORIES:
        root = ROOT if directory in PACKAGES else ROOT / "edge"
        for test in sorted((ROOT / "tests" / directory).rglob("test_*.py")):
            folder = test.parent.relative_to(ROOT / "tests")
            source = root / folder / f"{test.stem.removeprefix('test_')}.py"
            if not source.exists():
                orphans.append(f"{relative(test)} has no {relative(source)}")
    assert not orphans, "\n".join(orphans)


def test_exemptions_are_still_needed() -> None:
    assert [name for name in (*LONG_FILES, *UNMIRRORED) if not (ROOT / name).exists()] == []


def test_files_and_functions_stay_small() -> None:
    faults = []
    for path in [*sources(), *sorted((ROOT / "tests").rglob("*.py"))]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES and relative(path) not in LONG_FILES:
            faults.append(f"{relative(path)}: {lines} lines")
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    faults.append(f"{relative(path)}:{node.lineno} {node.name}: {length} lines")
    assert not faults, "\n".join(faults)


_IMPORT_EACH_ALONE = """
import importlib, os, sys
import absl.flags, absl.logging, aiohttp.web, asyncio, jinja2, prometheus_client  # once, before the forks
import grpc, grpc_health.v1.health_pb2_grpc, grpc_reflection.v1alpha.reflection
failed = 0
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    failed |= os.waitpid(child, 0)[1]
sys.exit(1 if failed else 0)
"""


def test_modules_whose_circles_no_import_shows_import_alone() -> None:
    """Registries import modules by name that import the registry; all other circles are found in the sources."""
    by_name = {
        module_of(path).partition(".")[0] for path in sources() if "import_module(module)" in path.read_text("utf-8")
    }
    assert by_name == {"lb", "naming"}
    modules = [module_of(path) for path in sources() if module_of(path).partition(".")[0] in by_name]
    modules += sorted(set().union(*CIRCLES))
    # What comes first when a program starts, and all the rest with it.
    modules += ["edge.__main__", "edge.runtime.main", "edge.flags.all", "edge.builtin.site", "edge.tools.why"]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_EACH_ALONE, *modules], cwd=ROOT, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr


def banned_calls(path: Path) -> Iterator[str]:
    name = relative(path)
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.Attribute | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom):
            taken = {f"{node.module}.{alias.name}" for alias in node.names}
        else:
            taken = {ast.unparse(node)}
        owner_and_call = [text.rpartition(".")[::2] for text in taken]
        for owner, call in owner_and_call:
            starts_task = call == "ensure_future" or (
                call == "create_task" and (owner == "asyncio" or owner.endswith(("loop", "loop()")))
            )
            if starts_task and name not in TASK_OWNERS:
                yield f"{name}:{node.lineno} starts a task that nobody owns: use edge.net.aio.spawn"
            if (owner, call) in (("time", "time"), ("time", "time_ns")) and name not in WALL_CLOCK_OWNERS:
                yield f"{name}:{node.lineno} reads the wall clock: take the time as an argument"


def test_Y7_Y12_tasks_are_owned_and_the_wall_clock_is_left_alone() -> None:
    faults = [fault for path in sources() for fault in banned_calls(path)]
    assert not faults, "\n".join(faults)


#: Programs whose documented commands are run, those that ask no node.
PROGRAMS = {"edge": "edge", "edge-ctl": "edge.tools.ctl"}


def edge(*arguments: str, module: str = "edge") -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_sample_flagfiles_pass_the_check() -> None:
    flagfiles = sorted((ROOT / "flagfiles").glob("*.flags"))
    assert flagfiles, "no sample flagfiles"
    faults = []
    for path in flagfiles:
        done = edge("--check", "--strict_flagfile", f"--flagfile={path}")
        if done.returncode != 0:
            faults.append(f"{relative(path)}: {done.stdout}{done.stderr}")
    assert not faults, "\n".join(faults)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documented_commands() -> Iterator[tuple[str, str]]:
    """Yield ``(place, command)`` for the ``$`` lines of console blocks that follow ``<!-- test -->``."""
    block = re.compile(r"<!-- test -->\s*```console\n(.*?)```", re.DOTALL)
    for path in documents():
        for found in block.finditer(path.read_text(encoding="utf-8")):
            for line in found.group(1).splitlines():
                if line.startswith("$ "):
                    yield relative(path), line[2:]


def test_documented_commands_run() -> None:
    commands = list(documented_commands())
    assert commands, "no document has a tested command"
    faults = []
    for place, command in commands:
        program, *arguments = shlex.split(command)
        assert program in PROGRAMS, f"{place}: only commands of edge can be tested: {command}"
        done = edge(*arguments, module=PROGRAMS[program])
        if done.returncode != 0:
            faults.append(f"{place}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    assert not faults, "\n".join(faults)


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path in documents():
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                broken.append(f"{relative(path)}: {target}")
    assert not broken, "\n".join(broken)


def text_files() -> list[Path]:
    """Every text file that belongs to the project: all that git tracks or would, else the known places."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [*sources(), *documents(), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "requirements.lock"]
    binary = {".bin", ".flv", ".mp4", ".ts", ".png", ".jpg", ".pem", ".gz"}
    return [path for path in paths if path.is_file() and path.suffix not in binary]


def test_what_is_cited_stands_in_the_repository() -> None:
    """Numbered rows and decisions of papers elsewhere tell a reader nothing: say the thing itself."""
    elsewhere = re.compile(
        r"\b[Rr]ows? (?:HS|[A-Z])\d|\b[Dd]ecisions? (?:\d|on\b)|\((?:R|U|N|O|M|V|Q|H|X|Y|T)\d{1,2}\)"
    )
    document = re.compile(r"[\w./-]+\.md\b")
    known = {path.name for path in documents()} | {"CHANGELOG.md"}
    faults = []
    for path in text_files():
        if path.suffix not in (".py", ".md", ".flags") or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            is_test = path.is_relative_to(ROOT / "tests")  # they write pages of their own
            is_unknown = any(Path(name).name not in known for name in document.findall(line))
            if (is_unknown and not is_test) or elsewhere.search(line):
                faults.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert not faults, "\n".join(faults)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """Such a path is true on one machine only."""
    private = re.compile(r"(?<![\w.<{$/])/(?:work|root|home)/\w|(?<![\w.<{$/])/(?:work|root)\b(?![\w/-])")
    faults = []
    for path in text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if private.search(line) or (path.suffix == ".md" and "/tmp/" in line):
                faults.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("needle", "why"),
    [
        (r"--index-url|--find-links|--hash=", "the lock names versions only"),
        (r"^(?!#)(?!\s*$)(?![A-Za-z0-9._-]+==[^=\s]+( ; .+)?$)", "each line is one exact pin"),
    ],
)
def test_lock_is_exact_pins_only(needle: str, why: str) -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.search(needle, line)] == [], why


def test_lock_covers_all_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["fast"], *extras["media"], *extras["dev"]]
    locked = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower() for requirement in asked}  # type: ignore[index]
    assert names - locked == set()


def test_lock_of_players_is_exact_and_names_no_registry() -> None:
    """Without ``resolved``, npm asks the registry that it is set up for; the digests hold whichever that is."""
    folder = ROOT / "tests" / "browser"
    asked = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = (folder / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    assert packages.pop("")["dependencies"] == asked
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked.values()), asked
    assert "://" not in lock
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []


def test_packages_are_named_one_by_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = set(project["tool"]["setuptools"]["packages"])
    generated = sorted((ROOT / "proto").rglob("__init__.py"))
    present = {module_of(path) for path in [*sources(), *generated] if path.name == "__init__.py"}
    assert named == present
