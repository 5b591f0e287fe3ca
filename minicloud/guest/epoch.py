"""The one date and the identities that every built file carries, so that the same inputs give the same bytes."""

EPOCH = 1_700_000_000
"""Seconds since 1970 (14 November 2023)."""

ROOT_UUID = "6d696e69-6c69-4e75-b800-000000000001"
HASH_SEED = "6d696e69-6c69-4e75-b800-000000000002"
FAT_SERIAL = "6D696E69"

ENVIRONMENT = {
    "LC_ALL": "C",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "E2FSPROGS_FAKE_TIME": str(EPOCH),
    "MTOOLS_SKIP_CHECK": "1",
}
"""What the programs that write file systems are told; nothing of the caller's own environment reaches them."""
