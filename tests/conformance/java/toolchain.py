"""Java's part of the matrix: its clients, and how each is built and started.

Maven fetches what the `pom.xml` of the client's project names, `sums/` says what must have come, and `javac` compiles
the sources here and in that project. What is built is kept in the cache under a hash of all that went into it.
"""

import fcntl
import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, beside, place, read, step

HERE = Path(__file__).resolve().parent
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# Many start side by side, and none lives for long: little memory, one compiler, one collector; and no file in /tmp that is
# named by the process ID alone, which is the same in every play's namespace.
JVM = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
DEBIAN = "Debian's packages: openjdk-17-jdk-headless and maven"


@dataclass(frozen=True)
class JavaClient(Client):
    project: str
    profiles: list = field(default_factory=list)

    def install(self, directory):
        built = install(self, directory)
        return Command([found("java"), *JVM, "-cp", f"{built / 'classes'}:{built / 'jars'}/*", "Client"], {})


def clients():
    return read(JavaClient, HERE)


def install(client, directory):
    """Where the client's classes and jars are."""
    sums = HERE / "sums" / f"{client.id}.txt"
    project = HERE / client.project
    sources = [*sorted(HERE.glob("*.java")), *sorted(project.glob("*.java"))]
    compiler = step([found("javac"), "-version"])
    named = (compiler.stdout + compiler.stderr).strip()
    content = [path.read_bytes() for path in (project / "pom.xml", sums, *sources)]
    wanted = place(directory / "java", client.id, b"\0".join([*content, named.encode()]))
    if not wanted.exists():
        with beside(wanted, f"installing {wanted.name}") as scratch:
            jars, classes = scratch / "jars", scratch / "classes"
            fetch(client, project / "pom.xml", jars, wanted.parent)
            verify(client, sums, jars)
            step([found("javac"), "-proc:none", "-d", str(classes), "-cp", f"{jars}/*", *map(str, sources)])
    return wanted


def fetch(client, pom, jars, directory):
    """One Maven at a time: two would write one file of the local repository at once."""
    (version,) = client.versions.values()
    maven = [found("mvn"), "--batch-mode", "--quiet", "--file", str(pom), f"-Dsdk.version={version}"]
    profiles = [f"--activate-profiles={profile}" for profile in client.profiles]
    with (directory / ".maven.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        step([*maven, *profiles, COPY, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"])


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
