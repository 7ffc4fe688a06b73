"""Keys and certificates, made by openssl for one run: an authority, the servers, and the users of the API server."""

import subprocess
from pathlib import Path


class Authority:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "ca.crt"
        self._key = self.directory / "ca.key"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self._key)
        _openssl("req", "-x509", "-new", "-key", self._key, "-subj", "/CN=cluster", "-days", "2", "-out", self.certificate)

    def issue(self, name, subject, names=(), days=1):
        """A key and a certificate: of a server where it has `names`, else of a client. With -1 days it is over."""
        key, request, certificate = (self.directory / f"{name}.{end}" for end in ("key", "csr", "crt"))
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        _openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        extensions = self.directory / f"{name}.ext"
        usage = "serverAuth,clientAuth" if names else "clientAuth"
        alternatives = f"subjectAltName={','.join(names)}\n" if names else ""
        extensions.write_text(f"extendedKeyUsage={usage}\n{alternatives}")
        if days < 0:
            self._sign_for_the_past(request, certificate, extensions)
        else:
            _openssl(
                "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                "-extfile", extensions, "-out", certificate, "-days", days,
            )
        return certificate, key

    def _sign_for_the_past(self, request, certificate, extensions):
        """`openssl x509` signs from now on alone."""
        register = self.directory / "register"
        register.write_text("")
        settings = self.directory / "ca.cnf"
        settings.write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={register}\nnew_certs_dir={self.directory}\nserial={self.directory}/past.srl\n"
            "rand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        _openssl(
            "ca", "-batch", "-config", settings, "-in", request, "-out", certificate, "-cert", self.certificate, "-keyfile",
            self._key, "-startdate", "20250101000000Z", "-enddate", "20250102000000Z", "-extfile", extensions, "-notext",
        )

    def signing_key(self, name):
        """What ServiceAccounts' tokens are signed with: RS256, as on EKS."""
        key, public = self.directory / f"{name}.key", self.directory / f"{name}.pub"
        _openssl("genrsa", "-out", key, "2048")
        _openssl("rsa", "-in", key, "-pubout", "-out", public)
        return key, public


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
