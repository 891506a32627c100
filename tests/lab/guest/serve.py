"""The lab's package server: static files, never `not modified`.

apt asks with If-Modified-Since in whole seconds, so an index published twice within one second would be missed.
"""

import functools
import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_head(self):
        del self.headers["If-Modified-Since"]
        return super().send_head()

    def log_message(self, *words):
        pass


http.server.ThreadingHTTPServer(("", 80), functools.partial(Handler, directory=sys.argv[1])).serve_forever()
