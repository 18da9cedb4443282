"""Where do sealed models rest, and who has read them?

Under the digest of their sealed bytes, as they came. They are unsealed for a cage and for
nothing else; the vault's own process never parses one. The seal is bound to the bank and its
delivery key: another bank's manifest over copied bytes opens nothing.
"""

from __future__ import annotations

from pathlib import Path

from saferoom.cage.host import CageFault, Shape
from saferoom.canonical import digest_bytes
from saferoom.core.manifest import Manifest
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.vault.cages import Cages, Model
from saferoom.vault.durable import write_file


class Models:
    """The folder of sealed artefacts."""

    def __init__(self, folder: Path, key: SealingKey) -> None:
        self._folder, self._key = folder, key

    def check(self, manifest: Manifest, sealed: bytes, cages: Cages) -> Shape:
        """Read a submitted model strictly in a cage, and keep it if it is as declared."""
        self._check_bytes(manifest, sealed)
        artefact = self._unseal(manifest, sealed)
        try:
            with cages.empty() as cage:
                shape = cage.load(artefact, manifest.features, len(manifest.grades), golden=True)
        except CageFault as fault:
            raise BadInput("MODEL_MALFORMED", "reading it ended the cage") from fault
        if (shape.features, shape.grades) != (manifest.features, len(manifest.grades)):
            raise BadInput("MODEL_MALFORMED", "its features or grades are not the manifest's")
        write_file(self._folder / manifest.artefact, sealed)
        return shape

    def model(self, manifest: Manifest) -> Model:
        """Name what a cage loads for this version."""
        return Model(
            manifest.digest,
            manifest.features,
            len(manifest.grades),
            lambda: self._unseal(manifest, self._read(manifest)),
        )

    def _unseal(self, manifest: Manifest, sealed: bytes) -> bytes:
        try:
            return unseal(sealed, self._key, manifest.artefact_aad)
        except Tampered as error:
            why = "not sealed to this vault for this bank and its delivery key"
            raise Tampered("SEAL_INVALID", why) from error

    def _read(self, manifest: Manifest) -> bytes:
        try:
            sealed = (self._folder / manifest.artefact).read_bytes()
        except FileNotFoundError as error:
            raise Refusal("MODEL_UNFILED", "the vault has not read its artefact") from error
        self._check_bytes(manifest, sealed)
        return sealed

    def _check_bytes(self, manifest: Manifest, sealed: bytes) -> None:
        if digest_bytes(sealed) != manifest.artefact or len(sealed) != manifest.artefact_bytes:
            raise Tampered("CONTENT_CHANGED", "the artefact")
