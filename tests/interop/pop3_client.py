"""Speaks POP3 to a server with Python's poplib, then by hand in odd pieces.

Usage: pop3_client.py PORT USER PASSWORD MESSAGE_FILE. The maildrop holds exactly three messages, each
the file's content below trace fields; the account has the same secret for APOP.
"""

import poplib
import socket
import sys

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
content = open(sys.argv[4], "rb").read()


def check(what, condition):
    if not condition:
        raise SystemExit(f"failed: {what}")
    print("ok:", what)


def log_in(apop=False):
    client = poplib.POP3("127.0.0.1", port, timeout=30)
    if apop:
        client.apop(user, password)
    else:
        client.user(user)
        client.pass_(password)
    return client


client = log_in()
count, octets = client.stat()
check("STAT", count == 3)
_, listing, _ = client.list()
sizes = [int(line.split()[1]) for line in listing]
check("LIST agrees with STAT", len(listing) == 3 and sum(sizes) == octets)
_, uidl, _ = client.uidl()
identities = [line.split()[1] for line in uidl]
check("UIDL is unique", len(set(identities)) == 3)
check("UIDL of one", client.uidl(2).split()[2] == identities[1])
for number in (1, 2, 3):
    _, lines, _ = client.retr(number)
    message = b"".join(line + b"\r\n" for line in lines)
    check(f"RETR {number} has the octets that LIST says", len(message) == sizes[number - 1])
    check(f"RETR {number} ends with the content", message.endswith(content))
    check(f"RETR {number} begins with Return-Path", message.startswith(b"Return-Path: <"))
_, top, _ = client.top(1, 1)
blank = top.index(b"")
check("TOP 1 1 is the header and one line", len(top) == blank + 2)
capabilities = client.capa()
check("CAPA", all(name in capabilities for name in ("USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES")))
client.dele(2)
for what in ("retr", "dele", "list"):
    try:
        getattr(client, what)(2)
        check(f"{what} of a deleted message is refused", False)
    except poplib.error_proto:
        check(f"{what} of a deleted message is refused", True)
client.rset()
check("RSET brings it back", client.stat()[0] == 3)
client.dele(1)
client.close()  # No QUIT: nothing may be deleted (RFC 1939 section 6).

client = log_in(apop=True)
check("without QUIT nothing is deleted", client.stat()[0] == 3)
client.dele(1)
client.quit()
client = log_in()
check("after QUIT it is deleted", client.stat()[0] == 2)
check("UIDs stay", [line.split()[1] for line in client.uidl()[1]] == identities[1:])
client.quit()

for wrong in (("user", "wrong"), ("apop", "wrong")):
    client = poplib.POP3("127.0.0.1", port, timeout=30)
    try:
        if wrong[0] == "apop":
            client.apop(user, wrong[1])
        else:
            client.user(user)
            client.pass_(wrong[1])
        check(f"a wrong password by {wrong[0]} is refused", False)
    except poplib.error_proto:
        check(f"a wrong password by {wrong[0]} is refused", True)
    client.close()

WHOLE = (
    f"USER {user}\r\nPASS {password}\r\nSTAT\r\nlist\r\nTOP 1 0\r\nRETR 9\r\nUIDL 1\r\nNOOP\r\nQUIT\r\n".encode()
)


def converse(pieces):
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        stream.sendall(piece)
    answer = b""
    while chunk := stream.recv(65536):
        answer += chunk
    # The banner's timestamp differs from session to session.
    return answer.split(b"\r\n", 1)[1]


once = converse([WHOLE])
check("all in one write", once.count(b"-ERR") == 1 and b"\r\n-ERR" in once and once.endswith(b"\r\n"))
check("octet by octet gives the same", converse([WHOLE[i : i + 1] for i in range(len(WHOLE))]) == once)
