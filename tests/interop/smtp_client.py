"""Speaks SMTP to a server with Python's smtplib, then by hand in odd pieces.

Usage: smtp_client.py PORT MESSAGE_FILE. The server hosts south.example with the account
bob@south.example, the alias sales@south.example and the list team@south.example.
"""

import smtplib
import socket
import sys

port = int(sys.argv[1])
content = open(sys.argv[2], "rb").read()


def check(what, condition):
    if not condition:
        raise SystemExit(f"failed: {what}")
    print("ok:", what)


# smtplib in order.
client = smtplib.SMTP("127.0.0.1", port, local_hostname="python.example", timeout=30)
code, _ = client.ehlo()
check("EHLO", code == 250)
for extension in ("pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes"):
    check(f"offers {extension}", client.has_extn(extension))
check("NOOP", client.noop()[0] == 250)
check("RSET", client.rset()[0] == 250)
check("HELP", b"HELO" in client.help().upper() or len(client.help()) > 0)
check("VRFY", client.verify("bob@south.example")[0] in (250, 251, 252))
code, answer = client.expn("team@south.example")
check("EXPN gives the members, one a line", code == 250 and answer.count(b"\n") == 1 and b"bob@south.example" in answer)
refused = client.sendmail(
    "python@client.example",
    ["bob@south.example", "nobody@south.example"],
    content,
    mail_options=["BODY=8BITMIME"],  # smtplib adds SIZE by itself.
)
check("one recipient is refused, with its code", list(refused) == ["nobody@south.example"] and refused["nobody@south.example"][0] == 550)
try:
    client.sendmail("python@client.example", ["bob@elsewhere.example"], content)
    check("relaying is refused", False)
except smtplib.SMTPRecipientsRefused as error:
    check("relaying is refused", error.recipients["bob@elsewhere.example"][0] in (550, 554))
limit = int(client.esmtp_features["size"])
code, answer = client.docmd("MAIL", f"FROM:<python@client.example> SIZE={limit + 1}")
check("a size over the limit is refused at MAIL", code == 552 and answer.startswith(b"5.3.4"))
client.rset()
client.mail("grüße@client.example", ["SMTPUTF8", "BODY=8BITMIME"])
check("an internationalized recipient is answered", client.rcpt("bob@south.example")[0] == 250)
check("QUIT", client.quit()[0] == 221)

# By hand: whole transactions in one write, and one octet at a time.
WHOLE = (
    b"EHLO odd.example\r\n"
    b"MAIL FROM:<odd@client.example>\r\nRCPT TO:<bob@south.example>\r\nDATA\r\n"
    b"Subject: odd\r\n\r\n..leading\r\n...\r\nend\r\n.\r\n"
    b"mail from:<odd@client.example>\r\nrcpt to:<nobody@south.example>\r\nDATA\r\nRSET\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<@old.example,@route.example:bob@south.example>\r\nRCPT TO:<postmaster>\r\nQUIT\r\n"
)
EXPECTED = ["220", "250", "250", "250", "354", "250", "250", "550", "503", "250", "250", "250", "250", "221"]


def converse(pieces):
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        stream.sendall(piece)
    answer = b""
    while chunk := stream.recv(65536):
        answer += chunk
    return [line[:3].decode() for line in answer.split(b"\r\n") if line[3:4] == b" "]


def after_data(codes):
    # After the refusal of all recipients DATA may get 503 or 554 (RFC 5321 §3.3).
    return ["503" if code == "554" else code for code in codes]


check("all in one write", after_data(converse([WHOLE])) == EXPECTED)
check("octet by octet", after_data(converse([WHOLE[i : i + 1] for i in range(len(WHOLE))])) == EXPECTED)
