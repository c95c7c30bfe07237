"""Delivery status notifications as mail servers write them, for a letter with a tag."""

LETTER = """To: alice@example.com
X-Semicircle-Tag: {tag}

Your password was changed.
"""

POSTFIX = """Return-Path: <>
Content-Type: multipart/report; report-type=delivery-status; boundary="4F2A81.1732300000/mx.example.net"

This is a MIME-encapsulated message.

--4F2A81.1732300000/mx.example.net
Content-Type: text/plain; charset=us-ascii

<alice@example.com>: 550 5.1.1 User unknown

--4F2A81.1732300000/mx.example.net
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; alice@example.com
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--4F2A81.1732300000/mx.example.net
Content-Type: text/rfc822-headers

{letter}
--4F2A81.1732300000/mx.example.net--
"""

GMAIL = """Return-Path: <>
Content-Type: multipart/report; boundary="000000000000d3a1b2062abc"; report-type=delivery-status

--000000000000d3a1b2062abc
Content-Type: multipart/related; boundary="000000000000d3a1c0062abd"

--000000000000d3a1c0062abd
Content-Type: text/html; charset="UTF-8"

<html><body>Address not found</body></html>
--000000000000d3a1c0062abd--
--000000000000d3a1b2062abc
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com

Final-Recipient: rfc822; alice@example.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; The email account that you tried to reach does not exist.

--000000000000d3a1b2062abc
Content-Type: message/rfc822

{letter}
--000000000000d3a1b2062abc--
"""

# Not a multipart/report, and upper-case letters, as an old server has it.
OLD = POSTFIX.replace("multipart/report; report-type=delivery-status", "MULTIPART/MIXED").replace(
    "message/delivery-status", "MESSAGE/DELIVERY-STATUS"
)

SERVERS = {"postfix": POSTFIX, "gmail": GMAIL, "old": OLD}


def report(
    server: str,
    tag: str,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 User unknown",
) -> bytes:
    """Return what this server sends back, with the line ends of mail. Only Postfix has another diagnostic."""
    letter = LETTER.format(tag=tag)
    text = SERVERS[server].format(letter=letter, action=action, status=status, diagnostic=diagnostic)
    return text.replace("\n", "\r\n").encode()
