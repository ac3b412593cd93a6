"""The risk officer's passphrase: kept as a hash, asked for, and not to be guessed by a program."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ibfloor.manager.risk_officer import RiskOfficer, officer_path, save
from ibfloor.model.errors import ConfigError

RIGHT = "correct horse"


class Time:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_right_passphrase_alone_is_taken_and_its_text_is_nowhere(tmp_path: Path) -> None:
    officer = RiskOfficer(tmp_path, Time())
    assert RiskOfficer(tmp_path / "none", Time()).is_named is False
    save(officer_path(tmp_path), RIGHT)
    assert officer.is_named
    assert officer.objection(RIGHT) == ""
    assert "not the risk officer" in officer.objection("battery staple")
    assert "needed" in officer.objection("")
    file = officer_path(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert RIGHT.encode() not in file.read_bytes()


def test_who_guesses_is_made_to_wait_even_with_the_right_one(tmp_path: Path) -> None:
    time = Time()
    officer = RiskOfficer(tmp_path, time)
    save(officer_path(tmp_path), RIGHT)
    for _ in range(3):
        officer.objection("guess number one")
    assert "too many" in officer.objection(RIGHT)
    time.now_s += 60.0
    assert officer.objection(RIGHT) == ""


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"salt": "", "digest": 5}'])
def test_a_file_that_says_nothing_opens_nothing(tmp_path: Path, content: bytes) -> None:
    officer_path(tmp_path).write_bytes(content)
    officer = RiskOfficer(tmp_path, Time())
    assert officer.is_named
    assert "cannot be read" in officer.objection(RIGHT)


@pytest.mark.parametrize("text", ["short", "x" * 257])
def test_one_too_short_or_too_long_is_not_set(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="10 to 256"):
        save(officer_path(tmp_path), text)
    assert not officer_path(tmp_path).exists()
