"""Redaction: what no log line, no stored cause and no error report may hold. A secret, an address, a person's text."""

import re

NOT_LOGGED = "(not logged)"
LONGEST_CAUSE = 500  # characters

# Secrets in paths: the token of a link in a mail, which whoever reads the log could use first, or of a shared page. A
# token has at least 128 bits, which are 22 characters; or it is a UUID. A name that long, as in a traceback, ends with
# a suffix, or has neither a digit nor a capital letter.
_LINK = re.compile(
    r"/(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?=[\w-]*[0-9A-Z])[\w-]{22,}(?!\w|[.-]\w))"
)
# PostgreSQL quotes the row in DETAIL ("Key (email)=(…) already exists."), with the line breaks of its texts, and in
# LINE a part of the statement, into which psycopg2, the driver of migrations, has written the values.
_QUOTED_BY_POSTGRES = re.compile(
    r"\b(DETAIL:|LINE \d+:).*?(?=\n(?:HINT|CONTEXT):|\n+(?:\[SQL|\(Background|The above exception|During handling)|\Z)",
    re.DOTALL,
)
_PASSWORD_IN_URL = re.compile(r"(://)[^/\s@]*@")
_EMAIL = re.compile(r"[^\s@<>()\"'=,;:/]{1,64}@[^\s@<>()\"'=,;:/]{1,255}")


def redact(text: str, *, keep_links: bool = False) -> str:
    """Return the text without secrets and addresses; links are kept in development, which prints what it would send."""
    if "DETAIL:" in text or "LINE " in text:
        text = _QUOTED_BY_POSTGRES.sub(rf"\1 {NOT_LOGGED}", text)
    if keep_links:
        return text
    if "@" in text:
        text = _EMAIL.sub(NOT_LOGGED, _PASSWORD_IN_URL.sub(rf"\1{NOT_LOGGED}/", text))
    return _LINK.sub(f"/{NOT_LOGGED}", text) if "/" in text else text


def cause(error: BaseException) -> str:
    """Return an error's class and the telling line of its message: the last one, but of a database error the first."""
    origin = getattr(error, "orig", None) or error  # the driver's error inside of SQLAlchemy's
    lines = redact(str(origin)).strip().splitlines() or [""]
    line = lines[0] if hasattr(origin, "diag") else lines[-1]
    told = f"{type(origin).__name__}: {line}".removesuffix(": ")[:LONGEST_CAUSE]
    return "".join(letter if letter.isprintable() else "?" for letter in told)  # PostgreSQL stores no NUL
