"""Tokens for EC2 signatures: a service in front shows what was signed, and gets a token of whoever signed it."""

from typing import Any

from minicloud.api import bodies
from minicloud.api.auth import digest
from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.identity import tokens as signing_in
from minicloud.api.identity import views
from minicloud.api.identity.targets import OF_ALL
from minicloud.api.routes import Post, Route, scoped
from minicloud.base.errors import Unauthenticated
from minicloud.core.identity import ec2_tokens, tokens
from minicloud.core.identity.assignments import project_scope
from minicloud.core.identity.catalog import CatalogService
from minicloud.core.identity.ec2_signatures import Signed
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

    async def create(call: Call, body: SignedDocument) -> Reply:
        """``POST /v3/ec2tokens``"""
        document = body.credentials or body.credential or body.ec2Credentials or {}
        if "access" not in document:
            raise Unauthenticated("EC2 signature not supplied.")
        signed = bodies.convert(document, Signed)
        if not signed.signature:
            raise Unauthenticated("EC2 signature not supplied.")
        secret = signing_in.new_secret()

        def issue(tx: Transaction) -> tuple[Standing, list[CatalogService] | None]:
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

        standing, services = await call.write(issue)
        return Reply(views.token(standing, services), 200, {"X-Subject-Token": secret, "Vary": "X-Auth-Token"})

    return scoped(OF_ALL, [Post("/ec2tokens", create, policy="identity:ec2tokens_validate", allow=ADMIN_OR_SERVICE)])
