"""Rules for passwords and for those who guess: strength, age, history, lockout, inactivity. All are off unless settings say so."""

import re
from datetime import timedelta

import msgspec

from minicloud.base.clock import moment, stamp
from minicloud.base.errors import Invalid, Unauthenticated
from minicloud.core.identity.users import User
from minicloud.engines.database import Transaction


class PasswordRules(msgspec.Struct, frozen=True, kw_only=True):
    """What Keystone calls security compliance. A number of 0, an empty text or False means that the rule is not there."""

    lockout_attempts: int = 0
    lockout_seconds: float = 1800.0
    expires_days: int = 0
    unique_count: int = 0
    minimum_age_days: int = 0
    regex: str = ""
    regex_description: str = ""
    change_upon_first_use: bool = False
    inactive_days: int = 0


def check_pattern(rules: PasswordRules) -> None:
    """Raises Invalid when the pattern of the settings is no regular expression."""
    try:
        re.compile(rules.regex)
    except re.error as error:
        raise Invalid(f"The setting password_regex is no regular expression: {error}") from error


def check_strength(rules: PasswordRules, password: str) -> None:
    """Raises Invalid when a password is not like passwords must be."""
    if rules.regex and re.match(rules.regex, password) is None:
        raise Invalid(
            "The password does not match the requirements: "
            f"{rules.regex_description or 'it does not match ' + rules.regex}."
        )


def expiry(tx: Transaction, rules: PasswordRules, user: User, *, by_admin: bool) -> str | None:
    """When a password that is set now ends: at once when an administrator's choice is for the first use only."""
    if by_admin and rules.change_upon_first_use and not user.options.get("ignore_change_password_upon_first_use"):
        return tx.now
    if not rules.expires_days or user.options.get("ignore_password_expiry"):
        return None
    return stamp((moment(tx.now) + timedelta(days=rules.expires_days)).replace(microsecond=0))


def remember(tx: Transaction, rules: PasswordRules, user_id: str, password_hash: str) -> None:
    """Keep the hash of a password that is set now, and forget those that may be chosen again."""
    if rules.unique_count:
        tx.execute(
            "INSERT INTO former_passwords (user_id, set_at, password_hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [user_id, tx.now, password_hash],
        )
    tx.execute(
        "DELETE FROM former_passwords WHERE user_id = ? AND (user_id, set_at, password_hash) NOT IN (SELECT user_id, set_at, "
        "password_hash FROM former_passwords WHERE user_id = ? ORDER BY set_at DESC, password_hash LIMIT ?)",
        [user_id, user_id, rules.unique_count],
    )


def former(tx: Transaction, rules: PasswordRules, user_id: str) -> list[str]:
    """The hashes of the passwords that must not be chosen again, the newest first."""
    found = tx.all(
        "SELECT password_hash FROM former_passwords WHERE user_id = ? ORDER BY set_at DESC, password_hash LIMIT ?",
        [user_id, rules.unique_count],
    )
    return [row[0] for row in found]


def repeated(rules: PasswordRules) -> Invalid:
    """The error for a password that was used before."""
    return Invalid(
        "The new password cannot be identical to a previous password. The total number which includes the new password "
        f"must be unique is {rules.unique_count}."
    )


def check_age(tx: Transaction, rules: PasswordRules, user: User) -> None:
    """Raises Invalid when a password is too new to be changed by its owner."""
    if not rules.minimum_age_days or user.password_set_at is None:
        return
    days = (moment(tx.now) - moment(user.password_set_at)).days
    if days < rules.minimum_age_days:
        raise Invalid(
            "You cannot change your password at this time due to the minimum password age. Once you change your password, "
            f"it must be used for {rules.minimum_age_days} day(s) before it can be changed. Please try again in "
            f"{rules.minimum_age_days - days} day(s) or contact your administrator to reset your password."
        )


def check_expired(tx: Transaction, user: User) -> None:
    """Raises Unauthenticated when a password has ended."""
    if user.password_expires_at is not None and user.password_expires_at <= tx.now:
        raise Unauthenticated(f"The password is expired and needs to be changed for user: {user.id}.")


def check_locked(tx: Transaction, rules: PasswordRules, user: User) -> None:
    """Raises Unauthenticated when a user was guessed at too often, a short while ago."""
    if not rules.lockout_attempts or user.options.get("ignore_lockout_failure_attempts") or user.failed_at is None:
        return
    ends = moment(user.failed_at) + timedelta(seconds=rules.lockout_seconds)
    if user.failed_sign_ins >= rules.lockout_attempts and moment(tx.now) < ends:
        raise Unauthenticated(f"The account is locked for user: {user.id}.")


def note_failure(tx: Transaction, rules: PasswordRules, user: User) -> None:
    """Count a wrong password; a lock that has ended starts a new count."""
    if not rules.lockout_attempts or user.options.get("ignore_lockout_failure_attempts"):
        return
    tx.execute(
        "UPDATE users SET failed_sign_ins = CASE WHEN failed_sign_ins >= ? THEN 1 ELSE failed_sign_ins + 1 END, "
        "failed_at = ? WHERE id = ?",
        [rules.lockout_attempts, tx.now, user.id],
    )


def note_success(tx: Transaction, rules: PasswordRules, user: User) -> None:
    """A right password ends the count, and is a sign of life."""
    if user.failed_sign_ins:
        tx.execute("UPDATE users SET failed_sign_ins = 0, failed_at = NULL WHERE id = ?", [user.id])
    if rules.inactive_days and (user.active_at is None or user.active_at[:10] != tx.now[:10]):
        tx.execute("UPDATE users SET active_at = ? WHERE id = ?", [tx.now, user.id])


def check_active(tx: Transaction, rules: PasswordRules, user: User) -> None:
    """Raises Unauthenticated when a user has not been seen for too long."""
    if not rules.inactive_days or user.options.get("ignore_user_inactivity") or user.active_at is None:
        return
    if moment(tx.now) - moment(user.active_at) >= timedelta(days=rules.inactive_days):
        raise Unauthenticated(f"The account is disabled for user: {user.id}")
