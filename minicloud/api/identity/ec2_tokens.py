"""Tokens for EC2 and S3 signatures: a service in front shows what was signed, and gets a token of whoever signed it."""

from typing import Any

from minicloud.api import bodies
from minicloud.api.auth import digest
from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.identity import tokens as signing_in
from minicloud.api.identity import views
from minicloud.api.identity.targets import OF_ALL
from minicloud.api.identity.views import View
from minicloud.api.routes import Post, Route, scoped
from minicloud.base.errors import Unauthenticated
from minicloud.core.identity import ec2_tokens, tokens
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.catalog import CatalogService
from minicloud.core.identity.ec2_signatures import Signed
from minicloud.core.identity.ec2_tokens import SignedRequest
from minicloud.core.identity.s3_signatures import SignedText
from minicloud.core.identity.tokens import Standing
from minicloud.core.records import Transaction

ADMIN_OR_SERVICE = "rule:service_or_admin"


class SignedDocument(Body, open=True):
    """What was signed, under any of the names that clients have for it."""

    credentials: dict[str, Any] | None = None
    credential: dict[str, Any] | None = None
    ec2Credentials: dict[str, Any] | None = None


def routes(token_hours: float) -> list[Route]:
    """The lines of this file, which know how long a token lasts."""

    async def issue(call: Call, signed: SignedRequest) -> tuple[View, str]:
        """A token of whoever signed, and its secret."""
        secret = signing_in.new_secret()

        def made(tx: Transaction) -> tuple[Standing, list[CatalogService] | None]:
            user, project = ec2_tokens.signer(tx, signed)
            standing = tokens.issue(
                tx,
                token_id=digest(secret),
                user=user,
                methods=["ec2credential"],
                scope=project_scope(project.id),
                hours=token_hours,
            )
            return standing, signing_in.catalog_for(tx, call, standing)

        standing, services = await call.write(made)
        return views.token(standing, services), secret

    async def create(call: Call, body: SignedDocument) -> Reply:
        """``POST /v3/ec2tokens``"""
        signed = bodies.convert(_document(body), Signed)
        if not signed.signature:
            raise Unauthenticated("EC2 signature not supplied.")
        token, secret = await issue(call, signed)
        return Reply(token, 200, {"X-Subject-Token": secret, "Vary": "X-Auth-Token"})

    async def validate(call: Call, body: SignedDocument) -> Reply:
        """``POST /v3/s3tokens``: who signed a request to an S3 service; nobody is given the token itself."""
        token, _ = await issue(call, bodies.convert(_document(body), SignedText))
        return Reply(token, 200)

    return scoped(
        OF_ALL,
        [
            Post("/ec2tokens", create, policy="identity:ec2tokens_validate", allow=ADMIN_OR_SERVICE),
            Post("/s3tokens", validate, policy="identity:s3tokens_validate", allow=ADMIN_OR_SERVICE),
        ],
    )


def _document(body: SignedDocument) -> dict[str, Any]:
    """Raises Unauthenticated for a document with no access key."""
    document = body.credentials or body.credential or body.ec2Credentials or {}
    if "access" not in document:
        raise Unauthenticated("EC2 signature not supplied.")
    return document
