"""Serves this folder at a free port, which is the first line on standard output. A page that posts what it shows ends it, and
that is what follows."""

import http.server
import pathlib
import threading


class Pages(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        shown = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
        print(shown.decode(), flush=True)
        threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_):
        pass


folder = str(pathlib.Path(__file__).parent)
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *it: Pages(*it, directory=folder)) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
