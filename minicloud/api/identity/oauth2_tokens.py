"""Access tokens of OAuth 2.0 (OS-OAUTH2): the grant ``client_credentials``, whose clients are application credentials.

An access token is a token as any other; services take it in ``Authorization: Bearer``, too.
"""

import base64
import binascii
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from minicloud.api.call import Call
from minicloud.api.identity.sign_in import SignIn
from minicloud.api.identity.tokens import Tokens
from minicloud.api.routes import Post, Route
from minicloud.base.errors import CloudError, Unauthenticated
from minicloud.core.identity.sign_in import ApplicationCredentialNamed

GRANT = "client_credentials"


def _refused(call: Call, status: int, error: str, description: str) -> Response:
    """A refusal in OAuth's own form."""
    headers = {"WWW-Authenticate": f'Keystone uri="{call.public_url}"'} if status == 401 else {}
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def _client(call: Call, form: dict[str, str]) -> tuple[str, str]:
    """Id and secret of the client: of the header, else of the form; empty where there are none."""
    scheme, _, encoded = (call.header("authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def routes(tokens: Tokens, token_hours: float) -> list[Route]:
    """The line of this file, which knows how tokens are issued and how long one lasts."""

    async def create(call: Call, body: bytes) -> Response:
        """``POST /v3/OS-OAUTH2/token``"""
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        grant = form.get("grant_type")
        if grant is None:
            return _refused(call, 400, "invalid_request", "The parameter grant_type is required.")
        if grant != GRANT:
            return _refused(call, 400, "unsupported_grant_type", f"The parameter grant_type {grant} is not supported.")
        name, secret = _client(call, form)
        if not name or not secret:
            return _refused(call, 401, "invalid_client", "Client authentication failed.")
        asked = SignIn(
            methods=["application_credential"],
            application_credential=ApplicationCredentialNamed(id=name),
            secret=secret,
        )
        try:
            issued = await tokens.sign_in(call, asked, with_catalog=False)
        except Unauthenticated as error:
            return _refused(call, 401, "invalid_client", error.message)
        except CloudError as error:
            return _refused(call, 400, "invalid_request", error.message)
        told = {"access_token": issued.secret, "token_type": "Bearer", "expires_in": int(token_hours * 3600)}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    return [Post("/OS-OAUTH2/token", create, policy=None, open=True)]
