"""Keys: fingerprints of public keys and new key pairs. Slow work of a processor, so it is done outside of transactions.

The library that knows keys takes a tenth of a second to import, and most clouds never need it: it is imported where it is used.
"""

import base64
import binascii
import hashlib

import msgspec

from minicloud.base.errors import Invalid

RSA_BITS = 2048


class MadeKey(msgspec.Struct, frozen=True):
    """A new pair: what the server gets, and what only its owner sees, once."""

    public_key: str
    private_key: str


def fingerprint(public_key: str, kind: str) -> str:
    """The fingerprint as upstream shows it: md5 of an SSH key, sha1 of an x509 certificate, in pairs of digits.

    Raises Invalid when it is no such key.
    """
    return _ssh_fingerprint(public_key) if kind == "ssh" else _x509_fingerprint(public_key)


def _ssh_fingerprint(public_key: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(public_key.split(" ")[1])
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm) as error:
        raise Invalid("Keypair data is invalid: failed to generate fingerprint") from error
    return _pairs(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def _x509_fingerprint(certificate: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
    except (ValueError, TypeError) as error:
        raise Invalid(
            f"Keypair data is invalid: failed to generate X509 fingerprint. Error message: {error}"
        ) from error
    return _pairs(found.fingerprint(hashes.SHA1()).hex())


def encrypted(public_key: str, text: str) -> bytes:
    """The text as only the holder of an RSA key can read it (PKCS #1, as ``nova get-password`` expects).

    Raises Invalid where it is no such key, or the text is longer than the key can take.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise Invalid("Nothing can be encrypted for a key that is not RSA")
        return key.encrypt(text.encode(), padding.PKCS1v15())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"Nothing can be encrypted for this key: {error}") from error


def _pairs(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def make_ssh() -> MadeKey:
    """A new RSA key: the one kind that every client and image of the last twenty years understands. Takes a while."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return MadeKey(f"{public.decode()} Generated-by-minicloud", private.decode())


def make_x509(user_id: str) -> MadeKey:
    """A self-signed certificate for passwordless login to Windows as this user, ten years valid. Takes a while."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    upn = f"{user_id}@localhost".encode()
    # A UTF8String in DER: what Windows reads the user's principal name from.
    principal = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c" + _der_length(len(upn)) + upn)
    began = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began - timedelta(minutes=5))
        .not_valid_after(began + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return MadeKey(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())


def _der_length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
