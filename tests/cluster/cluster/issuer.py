"""The bucket to which a self-managed cluster publishes what its API server says of its tokens: plain HTTP, read at each
request from the API server itself."""

import http.server
import ssl
import threading
import urllib.request

from cluster.control_plane import ISSUER

PATHS = ("/.well-known/openid-configuration", "/openid/v1/jwks")


class Bucket:
    def __init__(self, certificate, address):
        context = ssl.create_default_context(cafile=str(certificate))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path not in PATHS:
                    self.send_error(404)
                    return
                with urllib.request.urlopen(ISSUER + self.path, context=context, timeout=10) as found:
                    body = found.read()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


OPEN = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "issuer-is-public"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"}],
}
"""As every cluster with IRSA has it: whoever asks may read the documents."""
