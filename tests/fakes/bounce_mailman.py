"""Reads bounces with flufl.bounce, as Mailman does: one on each line, as JSON, and so the answers."""

import base64
import email
import json
import sys

from flufl.bounce import all_failures

for line in sys.stdin:
    octets = base64.b64decode(json.loads(line)["octets"])
    temporary, permanent = all_failures(email.message_from_bytes(octets))
    told = {
        "delayed": sorted(address.decode() for address in temporary),
        "failed": sorted(address.decode() for address in permanent),
    }
    print(json.dumps(told), flush=True)
