"""Our name and our certificate say the same."""

from pathlib import Path

import pytest

from gridroom.security import pki, speaker
from gridroom.security.pki import PkiError


def test_a_certificate_of_ours_or_of_no_party_is_taken(tmp_path: Path) -> None:
    pki.init(tmp_path)
    speaker.check("dso", pki.issue(tmp_path, "dso")[0])
    speaker.check("dso", tmp_path / "ca.pem")  # as one of an official authority, it is for peers to map


def test_a_certificate_of_another_party_is_told_with_both_names(tmp_path: Path) -> None:
    pki.init(tmp_path)
    cert = pki.issue(tmp_path, "dso")[0]
    with pytest.raises(
        PkiError, match=r"^`party` is 'dso2', but .*dso\.pem speaks for 'dso', so peers would refuse us"
    ):
        speaker.check("dso2", cert)


def test_what_is_no_certificate_is_told_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(PkiError, match=r"none\.pem cannot be read: No such file or directory"):
        speaker.check("dso", tmp_path / "none.pem")
    (tmp_path / "odd.pem").write_text("dear aunt")
    with pytest.raises(PkiError, match=r"odd\.pem holds no certificate"):
        speaker.check("dso", tmp_path / "odd.pem")
