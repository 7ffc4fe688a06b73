"""Go's part of the matrix: its clients, each a small program built from the module and the sources that it names.

The sources are shared where the SDK's API allows it; each version has its go.mod and go.sum in `modules/`. A new one is
made beside copies of the sources, in a directory of its own:

    go mod init conformance/client
    go get github.com/aws/aws-sdk-go@v1.55.8
    GOFLAGS=-mod=mod go list -deps . >/dev/null      # go.sum holds what the program needs and no more
"""

from dataclasses import dataclass
from pathlib import Path

from go.build import build
from harness.children import Command
from harness.toolchain import Client, read

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class GoClient(Client):
    module: str
    sources: list

    def install(self, directory):
        module = HERE / "modules" / self.module
        files = [module / "go.mod", module / "go.sum", HERE / "requests.go", *(HERE / source for source in self.sources)]
        return Command([str(build(self.id, files, directory))], {})


def clients():
    return read(GoClient, HERE)
