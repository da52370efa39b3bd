"""A receiver of aiosmtpd for one test, by rules given as JSON.

Each line of its standard output is JSON: first the port, then every command that its log tells
of, and every message that it has taken, before it answers either.
"""

import asyncio
import json
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP

rules = json.loads(sys.argv[1])
refused = rules.get("refused", {})
hidden = {
    "SIZE": rules.get("hidesSize"),
    "8BITMIME": rules.get("lacks8BitMime"),
}


def tell(**what):
    print(json.dumps(what), flush=True)


class Commands(logging.Handler):
    def emit(self, record):
        if record.msg == "%r >> %r":
            tell(command=record.args[1].decode("latin1"))


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [each for each in responses if not hidden.get(each[4:].split(" ")[0])]

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address in refused:
            return f"{refused[address]} no {address}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in refused:
            return f"{refused[address]} no {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        content = envelope.content.decode("latin1")
        for word, code in refused.items():
            if word in content:
                return f"{code} no {word}"
        cipher = session.ssl and session.ssl["cipher"]
        tell(message={
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "parameters": sorted(envelope.mail_options),
            "content": content,
            "session": str(session.peer[1]),
            "tls": cipher and f"{cipher[1]} {cipher[0]}",
        })
        return "250 taken"


async def main():
    log = logging.getLogger("mail.log")
    log.setLevel(logging.INFO)
    log.addHandler(Commands())
    log.propagate = False
    context = None
    if "pair" in rules:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain("cert.pem", "key.pem")
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            Handler(),
            hostname="receiver",
            data_size_limit=rules.get("size"),
            enable_SMTPUTF8=not rules.get("lacksSmtpUtf8"),
            tls_context=context,
        ),
        "127.0.0.1",
        0,
    )
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
