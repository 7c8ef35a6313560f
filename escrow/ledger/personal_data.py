"""Personal data at rest: sealed with AES-256-GCM, found again by a keyed blind index.

A sealed value is `key id · nonce · ciphertext`, bound to the row and column it belongs to, so that a value
copied to another row does not open. The blind index is HMAC-SHA256 under a key of its own: equal values of
one platform meet, and a copy of the database alone cannot be searched by guessing.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32


class PersonalDataUnreadable(Exception):
    """A sealed value does not open: unknown key id, changed bytes, or moved to another row."""


class PersonalDataBox:
    """Seals and opens personal data, and computes blind indexes.

    Args:
        keys: AES-256 keys (32 bytes) by id 0-255; more than one while a key is being replaced.
        current_key_id: the key that new values are sealed with.
        index_key: HMAC key (at least 32 bytes) of the blind index.

    Raises:
        ValueError: a key of the wrong length, or no key under `current_key_id`.
    """

    def __init__(self, *, keys: Mapping[int, bytes], current_key_id: int, index_key: bytes) -> None:
        if any(len(key) != _KEY_BYTES for key in keys.values()):
            raise ValueError(f"a data key must have {_KEY_BYTES} bytes")
        if current_key_id not in keys or not all(0 <= key_id <= 255 for key_id in keys):
            raise ValueError("key ids are 0-255 and the current one must be among them")
        if len(index_key) < _KEY_BYTES:
            raise ValueError(f"the index key must have at least {_KEY_BYTES} bytes")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current_key_id = current_key_id
        self._index_key = index_key

    @classmethod
    def from_hex(cls, *, data_key: str, index_key: str) -> "PersonalDataBox":
        """Box with one data key (id 1), both keys given as hex as they stand in the settings."""
        return cls(keys={1: bytes.fromhex(data_key)}, current_key_id=1, index_key=bytes.fromhex(index_key))

    def seal(self, text: str, *, place: str) -> bytes:
        """Seal `text`; `place` names its row and column, e.g. `HOME/member/O-1/name`, and is needed to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current_key_id].encrypt(nonce, text.encode(), place.encode())
        return bytes([self._current_key_id]) + nonce + sealed

    def open(self, sealed: bytes, *, place: str) -> str:
        """Open what `seal` made for the same `place`.

        Raises:
            PersonalDataUnreadable: unknown key, changed bytes or another place.
        """
        cipher = self._ciphers.get(sealed[0]) if sealed else None
        if cipher is None:
            raise PersonalDataUnreadable(f"no key to open {place}")
        try:
            text = cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], place.encode())
        except InvalidTag as error:
            raise PersonalDataUnreadable(f"{place} was altered or belongs elsewhere") from error
        return text.decode()

    def blind_index(self, text: str, *, field: str) -> bytes:
        """Keyed digest by which equal values of one `field` (e.g. `HOME/account_no`) are found again."""
        return hmac.digest(self._index_key, f"{field}\x00{text}".encode(), hashlib.sha256)
