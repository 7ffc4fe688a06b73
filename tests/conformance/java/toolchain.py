"""Java's part of the matrix: its clients, and how each is built and started.

Maven fetches what the `pom.xml` of the client's project names, `sums/` says what must have come, and `javac` compiles
the sources here and in that project. What is built is kept in the cache under a hash of all that went into it.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable

HERE = Path(__file__).resolve().parent
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# Many start side by side, and none lives for long: little memory, one compiler, one collector; and no file in /tmp that is
# named by the process ID alone, which is the same in every play's namespace.
JVM = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
DEBIAN = "Debian's packages: openjdk-17-jdk-headless and maven"


@dataclass(frozen=True)
class Client:
    id: str
    name: str
    year: int
    versions: dict
    project: str
    profiles: list
    endpoints: dict
    not_: dict
    needed: str

    def install(self, directory):
        built = install(self, directory)
        return Command([found("java"), *JVM, "-cp", f"{built / 'classes'}:{built / 'jars'}/*", "Client"], {})


def clients():
    given = json.loads((HERE / "clients.json").read_text(encoding="utf-8"))
    return [
        Client(
            c["id"],
            c["client"],
            c["year"],
            c["versions"],
            c["project"],
            c.get("profiles", []),
            c["endpoints"],
            c.get("not", {}),
            c["needed"],
        )
        for c in given
    ]


def install(client, directory):
    """Where the client's classes and jars are."""
    sums = HERE / "sums" / f"{client.id}.txt"
    project = HERE / client.project
    sources = [*sorted(HERE.glob("*.java")), *sorted(project.glob("*.java"))]
    compiler = said([found("javac"), "-version"])
    content = [path.read_bytes() for path in (project / "pom.xml", sums, *sources)]
    key = hashlib.sha256(b"\0".join([*content, compiler.encode()])).hexdigest()[:16]
    wanted = directory / "java" / f"{client.id}-{key}"
    if not wanted.exists():
        build(client, project / "pom.xml", sums, sources, wanted)
    return wanted


def build(client, pom, sums, sources, wanted):
    """Builds beside the place and renames: what stands there is whole, whoever else builds it at the same moment."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        print(f"installing {wanted.name} …", file=sys.stderr, flush=True)
        jars = scratch / "jars"
        fetch(client, pom, jars, wanted.parent)
        verify(client, sums, jars)
        classes = scratch / "classes"
        said([found("javac"), "-proc:none", "-d", str(classes), "-cp", f"{jars}/*", *map(str, sources)])
        try:
            scratch.rename(wanted)
        except OSError:
            if not wanted.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def fetch(client, pom, jars, directory):
    """One Maven at a time: two would write one file of the local repository at once."""
    (version,) = client.versions.values()
    maven = [found("mvn"), "--batch-mode", "--quiet", "--file", str(pom), f"-Dsdk.version={version}"]
    profiles = [f"--activate-profiles={profile}" for profile in client.profiles]
    with (directory / ".maven.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said([*maven, *profiles, COPY, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"])


def verify(client, sums, jars):
    pinned = set(sums.read_text(encoding="utf-8").splitlines())
    came = {f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}" for jar in jars.iterdir()}
    if came != pinned:
        other = "\n".join(sorted(came ^ pinned))
        raise Unavailable(f"{client.id}: what Maven brought is not what {sums} pins. They differ in:\n{other}")


def found(program):
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"Java's clients need `{program}`: have a JDK from 17 on and Maven in PATH ({DEBIAN})")
    return path


def said(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    output = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise Unavailable(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{output}")
    return output
