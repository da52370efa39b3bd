"""
OpenDKIM's library verifies: reads keys and messages as JSON, says of each signature whether it is
good. Its own programs take keys from DNS alone; the library takes them from a file, too.
"""

import base64
import ctypes
import json
import sys
import tempfile

# Of its header, dkim.h.
SET, QUERY_METHOD, QUERY_INFO, IN_FILE = 1, 6, 7, 1
OK, BAD_SIGNATURE = 0, 1
PASSED, MATCHES = 4, 0

pointer = ctypes.c_void_p
library = ctypes.CDLL("libopendkim.so.11")
library.dkim_init.restype = pointer
library.dkim_init.argtypes = [pointer, pointer]
library.dkim_options.argtypes = [pointer, ctypes.c_int, ctypes.c_int, pointer, ctypes.c_size_t]
library.dkim_verify.restype = pointer
library.dkim_verify.argtypes = [pointer, ctypes.c_char_p, pointer, pointer]
library.dkim_chunk.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t]
library.dkim_eom.argtypes = [pointer, pointer]
library.dkim_getsiglist.argtypes = [pointer, pointer, pointer]
library.dkim_getresultstr.restype = ctypes.c_char_p
library.dkim_sig_getflags.argtypes = [pointer]
library.dkim_sig_getbh.argtypes = [pointer]
library.dkim_free.argtypes = [pointer]


def judged(signature):
    if library.dkim_sig_getbh(signature) != MATCHES:
        return "the body has changed"
    return bool(library.dkim_sig_getflags(signature) & PASSED) or "the signature is bad"


def verify(handle, message):
    status = ctypes.c_int()
    dkim = library.dkim_verify(handle, b"test", None, ctypes.byref(status))
    try:
        result = library.dkim_chunk(dkim, message, len(message))
        result = result or library.dkim_chunk(dkim, None, 0) or library.dkim_eom(dkim, None)
        if result not in (OK, BAD_SIGNATURE):
            return [library.dkim_getresultstr(result).decode()]
        signatures, count = ctypes.POINTER(pointer)(), ctypes.c_int()
        library.dkim_getsiglist(dkim, ctypes.byref(signatures), ctypes.byref(count))
        return [judged(signatures[i]) for i in range(count.value)]
    finally:
        library.dkim_free(dkim)


told = json.load(sys.stdin)
handle = library.dkim_init(None, None)
with tempfile.NamedTemporaryFile("w") as file:
    for name, record in told["keys"].items():
        file.write(f"{name} {record}\n")
    file.flush()
    path = ctypes.create_string_buffer(file.name.encode())
    method = ctypes.c_int(IN_FILE)
    library.dkim_options(handle, SET, QUERY_METHOD, ctypes.byref(method), ctypes.sizeof(method))
    library.dkim_options(handle, SET, QUERY_INFO, path, len(path))
    json.dump([verify(handle, base64.b64decode(each)) for each in told["messages"]], sys.stdout)
