"""A real SMTP server (aiosmtpd) for the tests: takes letters, and writes each as a line of JSON.

Arguments: PORT OUT MODE [CERT KEY]; MODE is `starttls`, `implicit` or `plain`. With `starttls` and
`implicit` a login is required: user `stella`, password `correct horse`.
"""

import json
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, out):
        self.out = out

    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode("utf-8", "replace")
        if "refuse-me" in text:
            return "554 5.6.0 the content is not wanted"
        letter = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": text,
            "tls": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            "authenticated": bool(session.authenticated),
        }
        with open(self.out, "a") as file:
            file.write(json.dumps(letter) + "\n")
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"stella", b"correct horse")
    return AuthResult(success=good, handled=False)


class Server(Controller):
    def __init__(self, handler, mode, context, **kwargs):
        self.mode, self.context = mode, context
        implicit = context if mode == "implicit" else None
        super().__init__(handler, ssl_context=implicit, **kwargs)

    def factory(self):
        tls = self.context if self.mode == "starttls" else None
        return SMTP(
            self.handler,
            tls_context=tls,
            require_starttls=tls is not None,
            auth_required=self.mode != "plain",
            auth_require_tls=tls is not None,
            authenticator=authenticate,
        )


def main():
    port, out, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    context = None
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
    Server(Handler(out), mode, context, hostname="127.0.0.1", port=port).start()
    print("listening", flush=True)
    while True:
        time.sleep(3600)


main()
