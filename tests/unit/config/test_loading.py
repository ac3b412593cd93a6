"""floor.toml: what is read, and what is said of every kind of mistake."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from ibfloor.config import ClockSource, Durability, Mode, StopPolicy, load_settings
from ibfloor.model.capital import CapitalBasis, CapitalRule
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId

GOOD = """\
[floor]
name = "test"

[gateway]
port = 4002

[risk]
max_order_qty = 100
max_order_notional = "off"
max_position_qty = 0.1
max_position_notional = "250000.50"
collar_pct = 5
order_rate_per_s = 10
order_burst = 20
max_gross_exposure = 1_000_000

[[strategy]]
name = "sma-spy"
file = "sma.py"
class = "SmaCross"
params = {symbol = "SPY", fast = 20, weight = 0.5}
stop_policy = "flatten"

[strategy.risk]
max_order_qty = 7
collar_pct = "off"

[[strategy]]
name = "other"
file = "sma.py"
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_floor_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IBFLOOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "sma.py").write_text("")

    def written(text: str) -> Path:
        file = tmp_path / "floor.toml"
        file.write_text(text)
        return file

    return written


def problem(file: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_settings(file)
    return str(error.value)


def test_a_good_file_is_read_with_paths_made_absolute(write: Write, tmp_path: Path) -> None:
    settings = load_settings(write(GOOD))

    assert settings.home == tmp_path / "floor-home"
    assert settings.recorder.path == tmp_path / "floor-home" / "market"
    assert settings.web.password_file == tmp_path / "floor-home" / "web-password"
    assert settings.strategies[0].file == tmp_path / "sma.py"
    assert settings.strategies[0].class_name == "SmaCross"
    assert settings.strategies[0].params == {"symbol": "SPY", "fast": 20, "weight": 0.5}
    assert settings.strategies[0].stop_policy is StopPolicy.FLATTEN


def test_what_is_not_written_is_the_careful_choice(write: Write) -> None:
    settings = load_settings(write(GOOD))

    assert settings.floor.mode is Mode.PAPER
    assert settings.floor.durability is Durability.PROCESS
    assert settings.clock.follow is ClockSource.SYSTEM
    assert settings.web.host == "127.0.0.1"
    assert settings.strategies[1].stop_policy is StopPolicy.CANCEL


def test_limits_are_exact_decimals_and_off_means_none(write: Write) -> None:
    risk = load_settings(write(GOOD)).risk

    assert risk.max_position_qty == Decimal("0.1")
    assert risk.max_position_notional == Decimal("250000.50")
    assert risk.max_order_notional is None


def test_a_strategys_own_limits_replace_only_those_it_writes(write: Write) -> None:
    settings = load_settings(write(GOOD))
    mine, theirs = settings.risk_of(StrategyId("sma-spy")), settings.risk_of(StrategyId("other"))

    assert (mine.max_order_qty, mine.collar_pct, mine.order_burst) == (Decimal(7), None, 20)
    assert mine.max_position_qty == Decimal("0.1")
    assert theirs == settings.risk


def test_settings_cannot_be_changed(write: Write) -> None:
    settings = load_settings(write(GOOD))
    with pytest.raises(ValidationError, match="frozen"):
        settings.gateway.port = 1  # type: ignore[misc]


def test_home_is_expanded(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    settings = load_settings(write(GOOD.replace('name = "test"', 'home = "~/floor"')))
    assert settings.home == tmp_path / "me" / "floor"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("port = 4002", 'port = "4002"', 'line 5, [gateway] port: should be a valid integer, not "4002"'),
        ("port = 4002", "port = true", "line 5, [gateway] port: should be a valid integer, not true"),
        ("port = 4002", "port = 70000", "line 5, [gateway] port: should be less than or equal to 65535, not 70000"),
        ("port = 4002", "prot = 4002", 'line 5, [gateway] prot: unknown key: did you mean "port"?'),
        ("port = 4002", 'host = "x"', 'line 4, [gateway] port: the key "port" is missing'),
        ("[gateway]\nport = 4002\n", "", '[gateway]: the section "gateway" is missing'),
        ("[gateway]", "[gatway]", 'line 4, [gatway]: unknown key: did you mean "gateway"?'),
        ('name = "test"', 'mode = "real"', "line 2, [floor] mode: should be 'paper' or 'live', not \"real\""),
        ("max_order_qty = 100", "max_order_qty = -1", "line 8, [risk] max_order_qty: should be greater than 0, not -1"),
        ("max_order_qty = 100", "max_order_qty = 1e15", "line 8, [risk] max_order_qty: should be less than"),
        ("max_order_qty = 100", "max_order_qty = inf", "line 8, [risk] max_order_qty: should be a finite number"),
        ("max_order_qty = 100", "max_order_qty = true", "line 8, [risk] max_order_qty: a number is needed"),
        ("max_order_qty = 100", 'max_order_qty = "of"', "line 8, [risk] max_order_qty: should be a valid decimal"),
        ('name = "other"', 'name = "sma-spy"', 'line 29, [[strategy]] number 2 name: "sma-spy" is the name of'),
        ('name = "other"', 'name = "UNASSIGNED"', "line 29, [[strategy]] number 2 name: a name is a lower-case"),
        (
            '"sma-spy"\nfile = "sma.py"',
            '"x"\nfile = "smaa.py"',
            "line 19, [[strategy]] number 1 file: there is no file",
        ),
        (
            "max_order_qty = 7",
            "max_order_qyt = 7",
            "line 25, [[strategy]] number 1 risk.max_order_qyt: unknown key: did",
        ),
        (
            'stop_policy = "flatten"',
            'stop_policy = "sell"',
            "line 22, [[strategy]] number 1 stop_policy: should be 'keep'",
        ),
        ("[[strategy]]", "[strategy]", "not TOML"),
        ("port = 4002", "port 4002", "line 5: this is not TOML"),
        ("port = 4002", "port = 4002\nport = 4002", "line 6: this is not TOML: Cannot overwrite"),
        (
            "port = 4002",
            "port = 4002\nfirst_strategy_client_id = 1",
            "line 6, [gateway] first_strategy_client_id: should be greater than or equal to 10, not 1",
        ),
        ("port = 4002", "port = 4002\n[web]\nhost = '0.0.0.0'", "line 7, [web] host: the pages are served on loopback"),
        (
            'name = "test"',
            'mode = "live"\n[clock]\nfollow = "gateway"',
            "line 4, [clock] follow: a live floor keeps the system's time",
        ),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(write: Write, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    file = write(GOOD.replace(old, new, 1))
    text = problem(file)
    assert expected in text
    assert str(file) in text


def test_every_mistake_is_told_at_once(write: Write) -> None:
    text = problem(write(GOOD.replace("4002", "0").replace("order_burst = 20", "order_burst = 0")))
    assert len(text.splitlines()) == 2


def test_an_absent_file_tells_how_to_write_one(tmp_path: Path) -> None:
    assert "ibfloor init" in problem(tmp_path / "floor.toml")


def test_the_environment_overrides_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBFLOOR_GATEWAY__PORT", "7497")
    monkeypatch.setenv("IBFLOOR_FLOOR__NAME", "from env")
    monkeypatch.setenv("IBFLOOR_RISK__COLLAR_PCT", "off")
    monkeypatch.setenv("IBFLOOR_WEB__ENABLED", "false")
    monkeypatch.setenv("IBFLOOR_MARKET", "not ours")
    settings = load_settings(write(GOOD))

    assert (settings.gateway.port, settings.floor.name) == (7497, "from env")
    assert settings.risk.collar_pct is None
    assert settings.web.enabled is False


def test_a_mistake_in_the_environment_names_the_variable(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBFLOOR_GATEWAY__PORT", "abc")
    assert 'environment variable IBFLOOR_GATEWAY__PORT: should be a valid integer, not "abc"' in problem(write(GOOD))


def test_the_environment_never_chooses_live(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBFLOOR_FLOOR__MODE", "live")
    assert "IBFLOOR_FLOOR__MODE: only floor.toml chooses paper or live" in problem(write(GOOD))


CAPITAL = '\n[strategy.capital]\nbasis = "weight"\nweight = 0.6\nband_min = 0.5\n'


def test_capital_is_read_as_a_rule(write: Write) -> None:
    section = load_settings(write(GOOD + CAPITAL)).strategies[-1].capital
    assert section is not None
    assert section.rule == CapitalRule(basis=CapitalBasis.WEIGHT, weight=Decimal("0.6"), band_min=Decimal("0.5"))
    assert load_settings(write(GOOD)).strategies[-1].capital is None


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ('basis = "weight"', "needs weight"),
        ('basis = "fixed"\namount = 5\nweight = 0.2', "has no weight"),
        ('basis = "weight"\nweight = 1.5', "less than or equal to 1"),
        ('basis = "weight"\nweight = 0.2\nband_max = 0.1', "must lie between band_min and band_max"),
        ('basis = "weight"\nwieght = 0.2', 'did you mean "weight"?'),
        ('basis = "half"', '"half"'),
    ],
)
def test_capital_that_makes_no_sense_says_where_and_what(write: Write, lines: str, text: str) -> None:
    with pytest.raises(ConfigError, match="capital") as caught:
        load_settings(write(f"{GOOD}\n[strategy.capital]\n{lines}\n"))
    assert text in str(caught.value)


def test_weights_of_more_than_the_account_are_refused(write: Write) -> None:
    second = '\n[[strategy]]\nname = "second"\nfile = "sma.py"\nclass = "SmaCross"\n'
    with pytest.raises(ConfigError, match=r"weights sum up to 1\.2, more than the whole account: other 0\.6"):
        load_settings(write(GOOD + CAPITAL + second + CAPITAL.replace("band_min = 0.5\n", "")))
