"""Reading the environment variables of mail: the SMTP server, the sender, and the address that links begin with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from environment.values import HOST, LOCAL_HOSTS, ConfigError, read

# scheme: (the port when the URL names none, see RFC 8314 and RFC 6409; how the connection is encrypted)
SCHEMES = {"smtps": (465, "implicit"), "smtp+starttls": (587, "starttls"), "smtp": (25, "none")}
URL_SHAPE = (
    "smtp+starttls://user:password@smtp.example.com:587 or smtps://…, with % @ / ? # [ ] of the password as"
    " %25 %40 %2F %3F %23 %5B %5D, and other letters as they are or as %XX of UTF-8"
)
# One address of plain letters, without a name before it. It stands in the envelope and in the header.
SENDER = re.compile(r"[A-Za-z0-9._+-]{1,64}@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")


@dataclass(frozen=True)
class SmtpServer:
    """Name the server that takes mail. `tls` is "implicit", "starttls" or "none"; without `user` nobody signs in."""

    host: str
    port: int
    tls: str
    user: str
    password: str


def smtp_server(env: Mapping[str, str]) -> SmtpServer | None:
    """Return the server of SMTP_URL; None when it is not set. Refuse one that would send mail unencrypted to another
    machine: a link in a mail is a key.
    """
    value = read(env, "SMTP_URL")
    if not value:
        return None
    try:
        url = urlsplit(value)
        port = url.port
        user, password = (unquote(part or "", errors="strict") for part in (url.username, url.password))
        is_usable = url.scheme in SCHEMES and port != 0 and _ends_after_host(url) and bool(user) == bool(password)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigError(f"SMTP_URL has to look like {URL_SHAPE}.")
    host = url.hostname or ""
    usual_port, tls = SCHEMES[url.scheme]
    if tls == "none" and host not in LOCAL_HOSTS:
        raise ConfigError("SMTP_URL begins with smtp://, which is unencrypted; use smtp+starttls:// or smtps://.")
    return SmtpServer(host, port or usual_port, tls, user, password)


def _ends_after_host(url: SplitResult) -> bool:
    """Require a host, at most one user before it, and nothing behind it."""
    is_host = bool(url.hostname and HOST.fullmatch(url.hostname)) and url.netloc.count("@") <= 1
    return is_host and url.path in ("", "/") and not url.query and not url.fragment


def sender(env: Mapping[str, str]) -> str:
    """Return the address of MAIL_FROM. Raises: ConfigError."""
    address = read(env, "MAIL_FROM")
    if address and not SENDER.fullmatch(address):
        raise ConfigError("MAIL_FROM has to be one address, such as hello@example.com, without a name.")
    return address


def site_url(env: Mapping[str, str], *, needs_https: bool) -> str:
    """Return the address that links in mails begin with, of https where that is needed, but for one of this machine.

    It is never taken from a request: the Host header is the asker's to choose, and the link of a mail would lead to the
    asker's own site (password reset poisoning).
    """
    value = read(env, "SITE_URL")
    if not value:
        return ""
    try:
        url = urlsplit(value)
        is_usable = url.scheme in ("http", "https") and url.port != 0 and _ends_after_host(url)
    except ValueError:
        is_usable = False
    if not is_usable or "@" in value:
        raise ConfigError("SITE_URL has to be a URL such as https://notes.example.com, without a path.")
    if needs_https and url.scheme != "https" and url.hostname not in LOCAL_HOSTS:
        raise ConfigError("SITE_URL has to begin with https://, since the links in mails are keys.")
    return f"{url.scheme}://{url.netloc}"
