"""Reads bounces with Python's email, strictly: one on each line, as JSON, and so the answers.

A defect is told of wherever Python finds one, but not in the message that is returned: that is
as its sender wrote it.
"""

import base64
import email
import json
import sys
from email import policy
from email.errors import NonASCIILocalPartDefect
from email.parser import Parser

EXACT = policy.default.clone(raise_on_defect=False)


def fields(message, defects):
    """As they stand there, but unfolded."""
    for name, value in message.items():
        defects += [
            f"{name}: {defect!r}" for defect in value.defects
            # It is where UTF-8 may stand.
            if not isinstance(defect, NonASCIILocalPartDefect)
        ]
    return [[name, str(value).replace("\r\n", "").lstrip()] for name, value in message.raw_items()]


def groups(part, defects):
    """Those of a delivery status. Python knows only the type without UTF-8 as made of them."""
    if part.get_content_type() == "message/delivery-status":
        blocks = part.get_payload()
    else:
        text = part.get_payload(0).as_string(policy=policy.SMTPUTF8)
        status = "Content-Type: message/delivery-status\r\n\r\n" + text
        blocks = Parser(policy=EXACT).parsestr(status).get_payload()
    for block in blocks:
        defects += [repr(defect) for defect in block.defects]
        if not block.is_multipart() and block.get_payload():
            defects.append(f"more than fields: {block.get_payload()!r}")
    return [fields(block, defects) for block in blocks]


def read(octets, utf8):
    if utf8:
        text = octets.decode("utf-8", "surrogateescape")
        message = email.message_from_string(text, policy=EXACT)
    else:
        message = email.message_from_bytes(octets, policy=EXACT)
    defects = [repr(defect) for defect in message.defects]
    parts = list(message.iter_parts())
    for part in parts:
        fields(part, defects)
        defects += [repr(defect) for defect in part.defects]
    explanation, status = parts[:2]
    if utf8:
        words = explanation.get_payload()
    else:
        words = explanation.get_content()
    return {
        "defects": defects,
        "type": message.get_content_type(),
        "report": message.get_param("report-type"),
        "epilogue": message.epilogue,
        "preamble": message.preamble,
        "fields": fields(message, defects),
        "parts": [[part.get_content_type(), part.get("Content-Transfer-Encoding", "")]
                  for part in parts],
        "explanation": words,
        "groups": groups(status, defects),
    }


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(read(base64.b64decode(asked["octets"]), asked["utf8"])), flush=True)
