"""dkimpy verifies: reads keys and messages as JSON, says of each signature whether it is good."""

import base64
import json
import sys

import dkim


def judged(message, keys, index):
    try:
        signed = dkim.DKIM(message)
        good = signed.verify(idx=index, dnsfunc=lambda name, timeout=5: keys.get(name))
        return bool(good) or "the signature is bad"
    except dkim.DKIMException as error:
        return str(error)


def verify(message, keys):
    try:
        headers = dkim.DKIM(message).headers
    except dkim.DKIMException as error:
        return [str(error)]
    count = sum(name.lower() == b"dkim-signature" for name, _ in headers)
    return [judged(message, keys, index) for index in range(count)]


told = json.load(sys.stdin)
keys = {f"{name}.".encode(): record.encode() for name, record in told["keys"].items()}
json.dump([verify(base64.b64decode(each), keys) for each in told["messages"]], sys.stdout)
