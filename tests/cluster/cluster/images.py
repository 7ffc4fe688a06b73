"""Images without a registry: files and a configuration in a tar that containerd imports."""

import hashlib
import io
import json
import tarfile
from pathlib import Path


def archive(path, name, files, config):
    """`files` by their place in the image; `config` as an image's configuration has it."""
    layer = _tar({place.lstrip("/"): (Path(source).read_bytes(), 0o755) for place, source in files.items()})
    whole = json.dumps({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    Path(path).write_bytes(_tar({
        "config.json": (whole, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (manifest, 0o644),
    }))
    return Path(path)


def _tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for directory in sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
