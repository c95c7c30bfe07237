"""Ask a web whether it may get requests."""

from http.client import HTTPConnection, HTTPException


def not_ready(port: int, host: str) -> str:
    """Return what /readyz says, or why it does not answer; empty when it is ready."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        answer = connection.getresponse()
        said = answer.read(200).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return "" if answer.status == 200 else f"/readyz is {answer.status}: {said}"
