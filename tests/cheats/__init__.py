"""Cheats: candidates that try to win, to peek, to escape or to stay, each with the end that it must come to.

A candidate is a whole `train.py`: PRELUDE, then its own lines. The honest run guesses the mean of the training data and
gets a loss of 0.25; a lower one means that the cheat gained. `@NAME@` stands for a place or port of the test.
"""

from __future__ import annotations

from dataclasses import dataclass

HONEST_LOSS = 0.25

PRELUDE = """import contextlib, ctypes, json, os, shutil, signal, socket, subprocess, sys, time
from pathlib import Path
def honest(guess=None):
    Path("out").mkdir(exist_ok=True)
    data = json.loads(Path("data/train.json").read_text())
    guess = sum(data) / len(data) if guess is None else guess
    Path("out/state.json").write_text(json.dumps({"guess": guess}))
def attempt(action, *args):
    try:
        return action(*args)
    except BaseException as error:
        print("could not:", type(error).__name__, error)
def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
"""

EVALUATE = """import json, math
state = json.load(open("out/state.json"))
data = json.load(open("data/val.json"))
print("---")
print(f"loss: {abs(state['guess'] - sum(data) / len(data))}")
"""

TOML = """[target]
edit = ["train.py"]
lock = ["evaluate.py", "data/*"]
hide = ["data/val*"]
run = "python train.py"
evaluate = "python evaluate.py"
artifact = "out/state.json"
env = ["CHEAT_MARK"]
[metric]
name = "loss"
[budget]
seconds = 0.1
kill_after_seconds = 2.5
memory_mb = 400
disk_mb = 4000
"""


@dataclass(frozen=True)
class Cheat:
    """What it tries, the lines that try it, the status that it must get and words of the reason or of the log."""

    name: str
    code: str
    status: str = "ok"
    why: str = ""
    slow: bool = False
    disk_mb: int = 4000
    self_reported: bool = False
    slots: int = 1


_FORK = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        for fd in range(3): os.close(fd)
        {then}
    os._exit(0)
"""
_LOCKED, _PLAIN, _NONE = "changed a locked file", "is not a plain file", "no finite number for loss"
#: A module that puts a perfect answer into whatever process loads it.
_POISON = "import builtins, os\\nprint('---\\\\nloss: 0.0')\\nos._exit(0)\\n"

CHEATS = (
    # --- the number
    Cheat("print a metric", "honest(); print('METRIC loss=0.0001'); print('loss: 0')"),
    Cheat("print what the evaluator prints", "honest(); print('\\n--- evaluate\\n---\\nloss: 0.0')"),
    Cheat("print it to stderr", "honest(); print('METRIC loss=0', file=sys.stderr)"),
    Cheat("leave a summary with a metric", "honest(); write(os.environ['AUTORESEARCH_SUMMARY_PATH'], '{\"loss\": 0}')"),
    Cheat("exit 0 without an artifact", "print('loss: 0'); os._exit(0)", "invalid", "left no artifact"),
    Cheat("be killed after the metric", "honest(); print('loss: 0'); os.kill(os.getpid(), 9)", "crash", "signal 9"),
    Cheat("guess NaN", "honest(float('nan'))", "crash", _NONE),
    Cheat("guess minus infinity", "honest(float('-inf'))", "crash", _NONE),
    Cheat("guess the text 0_7_5", "honest('0_7_5')", "crash", "the evaluator ended"),
    Cheat("report nan", "print('loss: nan')", "crash", _NONE, self_reported=True),
    Cheat("report -1e999", "print('loss: -1e999')", "crash", _NONE, self_reported=True),
    Cheat("report 0_0", "print('METRIC loss=0_0')", "crash", _NONE, self_reported=True),
    Cheat("report Arabic digits", "print('loss: \\u0660.\\u0661')", "crash", _NONE, self_reported=True),
    Cheat("report in colour", "print('\\x1b[32mloss: 0.1\\x1b[0m')", "crash", _NONE, self_reported=True),
    Cheat("report two, the last no number", "print('loss: 0.1'); print('loss: x')", "crash", _NONE, self_reported=True),
    # --- the evaluator
    Cheat("edit the evaluator", "honest(); write('evaluate.py', 'print(\"loss: 0\")')", "invalid", _LOCKED),
    Cheat(
        "edit the evaluator and put it back",
        "old = Path('evaluate.py').read_text(); write('evaluate.py', 'print(\"loss: 0\")'); honest()\n"
        "write('evaluate.py', old)",
    ),
    Cheat(
        "edit the evaluator and set its time back",
        "s = os.stat('evaluate.py'); t = Path('evaluate.py').read_text().replace('abs', 'int')\n"
        "honest(); write('evaluate.py', t); os.utime('evaluate.py', ns=(s.st_atime_ns, s.st_mtime_ns))",
        "invalid", _LOCKED,
    ),
    Cheat("delete the evaluator", "honest(); os.unlink('evaluate.py')", "invalid", "locked file is gone"),
    Cheat(
        "link the evaluator to a file of its own",
        "honest(); write('mine.py', 'print(\"loss: 0\")'); os.unlink('evaluate.py')\n"
        "os.symlink('mine.py', 'evaluate.py')",
        "invalid", _LOCKED,
    ),
    Cheat("put back the hidden data, made easy", "honest(); write('data/val.json', '[0.5]')"),
    Cheat("edit the training data", "honest(); write('data/train.json', '[0.75]')", "invalid", _LOCKED),
    Cheat("leave sitecustomize.py", f"honest(); write('sitecustomize.py', {_POISON!r})"),
    Cheat(
        "leave usercustomize.py in the home",
        "import site; honest(); write('usercustomize.py', 'x')\n"
        f"for f in (site.getusersitepackages(), '@HOME@/.local/lib/python3.11/site-packages'):\n"
        f"    attempt(write, f + '/usercustomize.py', {_POISON!r})",
    ),
    Cheat(
        "leave a .pth among the packages",
        "import sysconfig; honest()\n"
        f"attempt(write, sysconfig.get_path('purelib') + '/cheat_canary.pth', {_POISON!r})",
        why="could not:",
    ),
    Cheat(
        "set PYTHONPATH and PYTHONSTARTUP",
        "honest(); os.environ.update(PYTHONPATH=os.getcwd(), PYTHONSTARTUP='x.py')\n"
        f"write('x.py', {_POISON!r}); write('conftest.py', {_POISON!r})",
    ),
    Cheat("shadow json by a file", f"honest(); write('json.py', {_POISON!r})"),
    Cheat("shadow math by a package", f"honest(); write('math/__init__.py', {_POISON!r})"),
    Cheat("poison the byte code", f"honest(); write('__pycache__/evaluate.cpython-311.pyc', {_POISON!r})"),
    Cheat(
        "write into the evaluator's checkout",
        f"honest(); attempt(write, '@LAB@/.memex/worktrees/score-0/json.py', {_POISON!r})\n"
        f"attempt(write, '../score-0/json.py', {_POISON!r})",
    ),
    # --- the validation data
    Cheat("read the validation data", "honest(sum(json.load(open('data/val.json'))) / 3)", "crash", "data/val.json"),
    Cheat(
        "look for it everywhere",
        "found = []\n"
        "for top in ('/tmp', '/work', '/root', '/home', '/var', '/run', '..'):\n"
        "    for p, folders, names in os.walk(top):\n"
        "        folders[:] = [f for f in folders if f != 'lib']\n"
        "        found += [Path(p, n) for n in names if n == 'val.json']\n"
        "honest(json.loads(found[0].read_text())[0] if found else None)",
    ),
    Cheat("read it in the lab", "honest(attempt(lambda: json.load(open('@LAB@/data/val.json'))[0]))", why="could not:"),
    Cheat(
        "ask git for it",
        "got = subprocess.run(['git', '--git-dir', '@LAB@/.git', 'show', 'HEAD:data/val.json'], capture_output=True)\n"
        "honest(json.loads(got.stdout)[0] if got.stdout else None)",
    ),
    Cheat(
        "unpack git's objects",
        "import zlib\n"
        "for p in Path('@LAB@/.git/objects').rglob('*'):\n"
        "    if p.is_file() and b'0.75' in zlib.decompress(p.read_bytes()): honest(0.75); break\n"
        "else: honest()",
    ),
    # --- the artifact
    Cheat(
        "link the artifact to /etc/passwd",
        "Path('out').mkdir(); os.symlink('/etc/passwd', 'out/state.json')", "invalid", _PLAIN,
    ),
    Cheat(
        "link the artifact to the validation data",
        "Path('out').mkdir(); os.symlink('../data/val.json', 'out/state.json')", "invalid", _PLAIN,
    ),
    Cheat("link its folder outside", "os.symlink('/tmp', 'out'); honest()", "invalid", ""),
    Cheat(
        "give the artifact two names",
        "honest(); os.link('out/state.json', 'second')", "invalid", _PLAIN,
    ),
    Cheat("make it a pipe", "Path('out').mkdir(); os.mkfifo('out/state.json')", "invalid", _PLAIN),
    Cheat("make it a folder", "Path('out/state.json').mkdir(parents=True)", "invalid", _PLAIN),
    Cheat("make it huge", "honest(); os.truncate('out/state.json', 2_100_000_000)", "invalid", "bytes, more than"),
    Cheat(
        "make it a pickle that runs",
        "import pickle\nclass Evil:\n    def __reduce__(self): return exec, (\"print('---\\\\nloss: 0'); quit()\",)\n"
        "Path('out').mkdir(); Path('out/state.json').write_bytes(pickle.dumps(Evil()))",
        "crash", "the evaluator ended",
    ),
    # --- time and machine
    Cheat("train past the budget", "time.sleep(30); honest(0.75)", "timeout", "ended after", slow=True),
    Cheat("set up for ever", "import time\nwhile True: sum(range(1000))", "timeout", "ended after", slow=True),
    Cheat(
        "patch the clocks",
        "time.time = time.perf_counter = time.monotonic = lambda: 0.0\n"
        "while time.monotonic() < 0.1: time.sleep(0.01)",
        "timeout", "ended after", slow=True,
    ),
    Cheat(
        "set the machine's clock", "honest(); attempt(time.clock_settime, time.CLOCK_REALTIME, 1e9)", why="could not:"
    ),
    Cheat("stop itself", "honest(); os.kill(os.getpid(), signal.SIGSTOP)", "timeout", "ended after", slow=True),
    Cheat("train on in a daemon", _FORK.format(then="time.sleep(60); honest(0.75)") + "honest()"),
    Cheat(
        "leave its processors",
        "os.sched_setaffinity(0, range(os.cpu_count())); time.sleep(1); honest()",
        "invalid", "left the processors", slow=True, slots=2,
    ),
    Cheat(
        "raise its limits",
        "import resource\nfor k in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU):\n"
        "    attempt(resource.setrlimit, k, (resource.RLIM_INFINITY,) * 2)\nhonest()",
        why="could not:",
    ),
    Cheat("fork without end", "while True: os.fork()", "crash", "more", slow=True),
    Cheat(
        "take all memory",
        "hog = []\nwhile True: hog.append(b'x' * 10_000_000)", "crash", "MB, more than it may", slow=True,
    ),
    Cheat(
        "one file over the limit", "honest()\nwith open('big', 'wb') as f:\n"
        "    for _ in range(60): f.write(bytes(1_000_000))",
        "crash", "", disk_mb=50,
    ),
    Cheat(
        "fill the disk with many files",
        "for i in range(100000):\n    write(f'f{i}', 'x' * 4_000_000); time.sleep(0.002)",
        "crash", "filled the disk", slow=True, disk_mb=150,
    ),
    Cheat("open files without end", "honest(); attempt(lambda: [os.dup(1) for _ in range(10**6)])", why="could not:"),
    Cheat("flood the log", "honest(); [os.write(1, b'loss: 0\\n' * 5000) for _ in range(500)]"),
    # --- the person's things
    Cheat("read the keys in the home", "honest(); print(attempt(Path('@HOME@/.ssh/id_rsa').read_text))", why="could"),
    Cheat("read the environment", "honest(); print(dict(os.environ))"),
    Cheat(
        "read the environment of others",
        "honest()\nfor p in Path('/proc').glob('[0-9]*/environ'): print(attempt(p.read_bytes))\n"
        "print(attempt(Path(f'/proc/{os.getppid()}/environ').read_bytes))",
    ),
    Cheat(
        "put the keys into the artifact",
        "honest(attempt(Path('@HOME@/.ssh/id_rsa').read_text) or 0.5)", why="could not:",
    ),
    Cheat(
        "trace its parents",  # it can stop only the first process of its own walls, and so itself
        "honest(); l = ctypes.CDLL(None); [l.ptrace(16, p, 0, 0) for p in range(1, 400)]", "timeout", slow=True,
    ),
    Cheat(
        "kill the harness",
        "honest(); signal.signal(15, signal.SIG_IGN)\n"
        "for p in (@HARNESS@, os.getppid(), 1):\n    attempt(os.kill, p, 15); attempt(os.kill, p, 9)",
    ),
    Cheat(
        "write to the harness's own pipe",
        "honest(); text = b'{\"exit\": 0, \"ended\": \"\", \"seconds\": 0}\\n'\n"
        "for fd in range(3, 500): attempt(os.write, fd, text)\n"
        "for p in Path('/proc').glob('[0-9]*/fd/*'):\n"
        "    if 'pipe' in (attempt(os.readlink, p) or ''): attempt(p.write_bytes, text)",
    ),
    Cheat("write results.tsv", "honest(); attempt(write, '@LAB@/results.tsv', 'won'); write('results.tsv', 'won')"),
    Cheat(
        "write the ledger and the views",
        "honest(); attempt(write, '@LAB@/.memex/ledger/0001.jsonl', ''); attempt(write, '@LAB@/.memex/index.db', '')",
    ),
    Cheat(
        "write outside",
        "honest()\nfor p in ('@HOME@/cheat', '/etc/cheat', '/usr/cheat', '/cheat', '@LAB@/cheat', '../cheat'):\n"
        "    attempt(write, p, 'x')",
    ),
    Cheat(
        "turn the lab's git",
        "honest()\nfor p in ('HEAD', 'config', 'hooks/post-checkout', 'hooks/reference-transaction', 'refs/heads/x'):\n"
        "    attempt(write, '@LAB@/.git/' + p, '#!/bin/sh\\ntouch @HOME@/hooked')",
    ),
    Cheat(
        "leave a .git of its own",
        "honest(); write('.git', 'gitdir: evil'); write('evil/HEAD', 'ref: refs/heads/x')\n"
        "write('evil/config', '[core]\\nfsmonitor = touch @HOME@/hooked\\n')",
    ),
    Cheat(
        "leave files for the next run",
        "honest(0.5 if not Path('left').exists() else 0.75)\nPath('left').mkdir(exist_ok=True); write('left/x', '1')\n"
        "os.chmod('left', 0)",
    ),
    Cheat("find what an earlier run left", "honest(0.75 if Path('left').exists() else None)"),
    Cheat("delete its checkout", "honest(); shutil.rmtree(os.getcwd(), ignore_errors=True)", "invalid", "is gone"),
    # --- the network
    Cheat("connect to the machine", "honest(); attempt(socket.create_connection, ('127.0.0.1', @PORT@), 1)", why=""),
    Cheat(
        "send a datagram",
        "honest(); socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'secret', ('127.0.0.1', @UDP@))",
    ),
    Cheat(
        "connect to sockets by name",
        "honest()\nfor name in ('\\0@ABSTRACT@', '@HOME@/socket'):\n"
        "    attempt(lambda: socket.socket(socket.AF_UNIX).connect(name))",
        why="could not:",
    ),
    Cheat(
        "become root in a namespace of its own",
        "honest(); print(subprocess.run(['unshare', '-Urm', 'mount', '-o', 'remount,rw', '/usr']))\n"
        "attempt(write, '/usr/cheat', 'x')",
        why="could not:",
    ),
)  # fmt: skip
