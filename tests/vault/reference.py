"""What is each feature, said a second time and in another way?

Written in pandas and plain Python from the definitions (the list of features, the tables,
the as-of rule) and not from the compiler: row by row where that one writes queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

Frame = pd.DataFrame
Row = Mapping[Any, Any]  # cells of any type
Test = Callable[[Row], bool]
NAN = float("nan")
TO_COME = {"due", "expiry", "until", "public_until"}  # days that may lie ahead
GRADES = {"A": 5.0, "B": 4.0, "M": 3.0, "C": 2.0, "D": 1.0}
COLOURS = {"green": 5.0, "blue": 4.0, "yellow": 3.0, "red": 2.0, "black": 1.0}


def pick(frame: Frame, flags: list[bool]) -> Frame:
    return frame[np.array(flags, bool)]


def usable(frame: Frame, as_of: date) -> Frame:
    """Apply the as-of rule by sorting and dropping."""
    night = pd.Timestamp(as_of) + pd.Timedelta(days=1) - pd.Timedelta(hours=8)
    known = frame[pd.to_datetime(frame["known_at"], unit="s") < night]
    record = ["source", "uscc", "record_id"]
    gone = known[known["status"].isin(["repaired", "erased"])][record]
    known = known.sort_values(["known_at", "batch", "row"], kind="stable")
    known = known.drop_duplicates(record, keep="last")
    withdrawn = pd.MultiIndex.from_frame(known[record]).isin(pd.MultiIndex.from_frame(gone))
    known = known[~withdrawn]
    known = pick(known, [day < as_of for day in known["event_date"]]).copy()
    for name in known.columns:
        if name not in TO_COME and name not in {"event_date", "known_at"}:
            known[name] = [
                None if isinstance(cell, date) and cell > as_of else cell for cell in known[name]
            ]
    return known.sort_values(["event_date", "known_at", "batch", "row"], kind="stable")


@dataclass(frozen=True)
class Firm:
    """One enterprise's usable rows, and which tables the room was brought at all."""

    rows: Mapping[str, Frame]
    brought: frozenset[str]
    as_of: date

    def months(self, table: str, first: int, last: int) -> Frame:
        """Take whole calendar months, counted back from the as-of day's."""
        frame = self.rows[table]
        here = self.as_of.year * 12 + self.as_of.month
        ago = [here - day.year * 12 - day.month for day in frame["event_date"]]
        return pick(frame, [first <= one <= last for one in ago])

    def recent(self, table: str, months: int) -> Frame:
        """Take the months up to the as-of day."""
        start = (pd.Timestamp(self.as_of) - pd.DateOffset(months=months)).date()
        frame = self.rows[table]
        return pick(frame, [day >= start for day in frame["event_date"]])

    def year(self, table: str) -> Frame:
        """Take the last calendar year that ended."""
        frame = self.rows[table]
        return pick(frame, [day.year == self.as_of.year - 1 for day in frame["event_date"]])

    def a_year_before_the_last(self, table: str) -> Frame:
        """Take the month twelve months before the last row's."""
        frame = self.rows[table]
        if frame.empty:
            return frame
        last = frame["event_date"].max()
        then = (last.year - 1, last.month)
        return pick(frame, [(day.year, day.month) == then for day in frame["event_date"]])

    def none(self, table: str) -> float:
        """Say what no row means where the source tells of everybody."""
        return 0.0 if table in self.brought else NAN


def kept(frame: Frame, test: Test) -> Frame:
    return pick(frame, [bool(test(row)) for row in frame.to_dict("records")])


def known(cell: object) -> bool:
    return cell is not None and cell == cell  # noqa: PLR0124  # NaN does not equal itself


def count(frame: Frame, test: Test, empty: float = NAN) -> float:
    return empty if frame.empty else float(len(kept(frame, test)))


def any_row(frame: Frame, test: Test, empty: float = NAN) -> float:
    return empty if frame.empty else float(not kept(frame, test).empty)


def cells(frame: Frame, name: str) -> list[float]:
    return [float(cell) for cell in frame[name] if known(cell)]


def total(frame: Frame, name: str, empty: float = NAN) -> float:
    """Sum what is known; rows whose every amount is unknown are no zero."""
    found = cells(frame, name)
    return empty if frame.empty else math.fsum(found) if found else NAN


def mean(frame: Frame, name: str) -> float:
    found = cells(frame, name)
    return math.fsum(found) / len(found) if found else NAN


def spread(frame: Frame, name: str) -> float:
    return float(pd.Series(cells(frame, name), dtype=float).std(ddof=1))


def last(frame: Frame, name: str) -> float:
    cell: Any = None if frame.empty else frame[name].iloc[-1]
    return float(cell) if known(cell) else NAN


def code(frame: Frame, name: str, codes: Mapping[str, float]) -> float:
    return NAN if frame.empty else codes.get(frame[name].iloc[-1], NAN)


def over(top: float, bottom: float) -> float:
    return NAN if bottom == 0 or math.isnan(top + bottom) else top / bottom


def always(_: object) -> bool:
    return True


def late(row: Row, paid: str = "paid_at") -> bool:
    return known(row[paid]) and known(row["due"]) and row[paid] > row["due"]


def missing(name: str) -> Test:
    return lambda row: not known(row[name])


def equals(name: str, value: object) -> Test:
    return lambda row: bool(row[name] == value)


def months_since(days: Frame, as_of: date) -> float:
    born: Any = None if days.empty else days["est_date"].iloc[-1]
    if not known(born):
        return NAN
    target = (as_of.year * 12 + as_of.month, as_of.day)
    return float(
        max(n for n in range(2000) if (born.year * 12 + born.month + n, born.day) <= target)
    )


def sales(firm: Firm, first: int, until: int) -> float:
    return total(firm.months("tax_month", first, until), "sales")


def used(firm: Firm, kind: str, first: int, until: int) -> float:
    return total(metered(firm, kind, first, until), "usage")


def metered(firm: Firm, kind: str, first: int, until: int) -> Frame:
    return kept(firm.months("util_month", first, until), equals("kind", kind))


def growth(top: float, bottom: float) -> float:
    return over(top, bottom) - 1


def clipped(value: float, low: float, high: float) -> float:
    return value if math.isnan(value) else min(high, max(low, value))


def owed(frame: Frame, test: Test, name: str, empty: float) -> float:
    """Sum what is open; nothing open is zero, nothing known at all is what `empty` says."""
    if frame.empty:
        return empty
    open_rows = kept(frame, test)
    return 0.0 if open_rows.empty else total(open_rows, name)


def streak(firm: Firm) -> float:
    window = firm.months("tax_month", 1, 24)
    if window.empty:
        return NAN
    zero = {day.year * 12 + day.month for day in kept(window, equals("sales", 0))["event_date"]}
    longest = 0
    for month in zero:
        run = 0
        while month + run in zero:
            run += 1
        longest = max(longest, run)
    return float(longest)


def delays(frame: Frame) -> float:
    days = [
        (row["paid_at"] - row["due"]).days
        for row in frame.to_dict("records")
        if known(row["paid_at"]) and known(row["due"])
    ]
    return float(max(days)) if days else NAN


def correlation(firm: Firm) -> float:
    pairs = [(used(firm, "power", n, n), sales(firm, n, n)) for n in range(1, 13)]
    both = pd.DataFrame([pair for pair in pairs if not math.isnan(sum(pair))], columns=["k", "s"])
    if len(both) < 6 or any(len(set(both[name])) == 1 for name in both):
        return NAN
    return float(both["k"].corr(both["s"]))


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else NAN


def elasticity(firm: Firm) -> float:
    now, then = (mean(firm.months("si_month", *span), "headcount") for span in ((1, 12), (13, 24)))
    heads = logarithm(over(now, then))
    return over(heads, logarithm(over(sales(firm, 1, 12), sales(firm, 13, 24))))


def stopped_months(firm: Firm) -> float:
    peaks = cells(metered(firm, "power", 1, 24), "usage")
    by_month = [used(firm, "power", month, month) for month in range(1, 7)]
    if not peaks or all(math.isnan(one) for one in by_month):
        return NAN
    return float(sum(one < 0.01 * max(peaks) for one in by_month))


def division(frame: Frame) -> float:
    text = "" if frame.empty else str(frame["industry"].iloc[-1])[:3]
    letters = {"A": (1, 5), "C": (13, 43), "F": (51, 52), "I": (63, 65), "T": (97, 97)}
    low, high = letters.get(text[:1], (1, 0))
    return float(text[1:]) if text[1:].isdigit() and low <= int(text[1:]) <= high else NAN


def valid(row: Row, as_of: date) -> bool:
    return not known(row["expiry"]) or row["expiry"] > as_of


def expiring(row: Row, as_of: date) -> bool:
    return known(row["expiry"]) and 0 < (row["expiry"] - as_of).days <= 90


def trade(firm: Firm, first: int, until: int) -> float:
    window = firm.months("customs_month", first, until)
    return total(window, "export") + total(window, "import")


def changes(firm: Firm, item: str) -> float:
    return count(firm.recent("reg_change", 24), equals("item", item), firm.none("reg_change"))


def executions(firm: Firm) -> Frame:
    return firm.recent("exec", 24)


Feature = Callable[[Firm], float]
REGISTRATION: dict[str, Feature] = {
    "reg_age_m": lambda f: months_since(f.rows["reg_base"], f.as_of),
    "reg_cap_ln": lambda f: math.log1p(last(f.rows["reg_base"], "reg_cap")),
    "paid_cap_r": lambda f: over(
        last(f.rows["reg_base"], "paid_cap"), last(f.rows["reg_base"], "reg_cap")
    ),
    "legal_rep_chg_24": lambda f: changes(f, "legal_rep"),
    "holder_chg_24": lambda f: changes(f, "holder"),
    "addr_chg_24": lambda f: changes(f, "address"),
    "scope_chg_24": lambda f: changes(f, "scope"),
    "abn_now": lambda f: any_row(f.rows["reg_abn"], missing("out_date"), f.none("reg_abn")),
    "abn_n36": lambda f: count(f.recent("reg_abn", 36), always, f.none("reg_abn")),
    "pledge_r": lambda f: over(
        owed(
            f.rows["pledge"],
            lambda row: row["kind"] == "equity" and not known(row["released"]),
            "amount",
            f.none("pledge"),
        ),
        last(f.rows["reg_base"], "reg_cap"),
    ),
    "chattel_n": lambda f: count(
        f.rows["pledge"],
        lambda row: row["kind"] == "chattel" and not known(row["released"]),
        f.none("pledge"),
    ),
    "branch_n": lambda f: count(f.rows["branch"], missing("closed"), f.none("branch")),
    "invest_n": lambda f: count(f.rows["investment"], missing("ended"), f.none("investment")),
    "ind_woe": lambda f: division(f.rows["reg_base"]),
}
TAX: dict[str, Feature] = {
    "sales_12": lambda f: sales(f, 1, 12),
    "sales_yoy": lambda f: clipped(growth(sales(f, 1, 12), sales(f, 13, 24)), -1, 5),
    "sales_qoq": lambda f: growth(sales(f, 1, 3), sales(f, 4, 6)),
    "sales_half_yoy": lambda f: growth(sales(f, 1, 6), sales(f, 13, 18)),
    "sales_cv_12": lambda f: over(
        spread(f.months("tax_month", 1, 12), "sales"), mean(f.months("tax_month", 1, 12), "sales")
    ),
    "zero_m12": lambda f: count(f.months("tax_month", 1, 12), equals("sales", 0)),
    "zero_streak24": streak,
    "vat_12": lambda f: total(f.months("tax_month", 1, 12), "vat"),
    "vat_burden": lambda f: over(total(f.months("tax_month", 1, 12), "vat"), sales(f, 1, 12)),
    "cit_y": lambda f: total(f.year("tax_month"), "cit"),
    "margin": lambda f: over(
        last(f.rows["tax_statement"], "profit"), last(f.rows["tax_statement"], "revenue")
    ),
    "late_file_n12": lambda f: count(
        f.months("tax_month", 1, 12), lambda row: late(row, "filed_at")
    ),
    "late_pay_days_max12": lambda f: delays(f.months("tax_month", 1, 12)),
    "arrears_now": lambda f: owed(
        f.rows["tax_arrears"], missing("cleared"), "amount", f.none("tax_arrears")
    ),
    "arrears_n24": lambda f: count(f.recent("tax_arrears", 24), always, f.none("tax_arrears")),
    "tax_grade": lambda f: code(f.rows["tax_year"], "grade", GRADES),
    "tax_grade_delta": lambda f: (
        code(f.rows["tax_year"], "grade", GRADES)
        - code(f.a_year_before_the_last("tax_year"), "grade", GRADES)
    ),
}
INVOICE: dict[str, Feature] = {
    "inv_active_m12": lambda f: count(
        f.months("invoice_month", 1, 12), lambda row: bool(row["n"] > 0)
    ),
    "inv_gap_max12": lambda f: max(
        cells(f.months("invoice_month", 1, 12), "gap_days"), default=NAN
    ),
    "void_r12": lambda f: over(
        total(f.months("invoice_month", 1, 12), "void"),
        total(f.months("invoice_month", 1, 12), "n"),
    ),
    "red_r12": lambda f: over(
        total(f.months("invoice_month", 1, 12), "red"),
        total(f.months("invoice_month", 1, 12), "amount"),
    ),
    "buyer_top1_12": lambda f: last(f.months("invoice_month", 1, 12), "top1_share"),
    "buyer_top5_12": lambda f: last(f.months("invoice_month", 1, 12), "top5_share"),
    "buyer_hhi_12": lambda f: last(f.months("invoice_month", 1, 12), "buyer_hhi"),
    "supplier_hhi_12": lambda f: last(f.months("invoice_month", 1, 12), "supplier_hhi"),
    "buyer_repeat_r": lambda f: last(f.months("invoice_month", 1, 12), "repeat_buyers") / 10,
}
SOCIAL: dict[str, Feature] = {
    "si_head": lambda f: last(f.months("si_month", 1, 3), "headcount"),
    "si_head_yoy": lambda f: growth(
        last(f.months("si_month", 1, 3), "headcount"),
        last(f.a_year_before_the_last("si_month"), "headcount"),
    ),
    "si_head_minmax12": lambda f: over(
        min(cells(f.months("si_month", 1, 12), "headcount"), default=NAN),
        max(cells(f.months("si_month", 1, 12), "headcount"), default=NAN),
    ),
    "si_unpaid_m12": lambda f: count(
        f.months("si_month", 1, 12), lambda row: bool(row["paid"] < row["due"])
    ),
    "si_arrears": lambda f: total(f.rows["si_month"], "due") - total(f.rows["si_month"], "paid"),
    "si_base_r": lambda f: over(
        mean(f.months("si_month", 1, 3), "base"), mean(f.months("si_month", 1, 3), "min_wage")
    ),
    "sales_per_head": lambda f: over(
        sales(f, 1, 12), mean(f.months("si_month", 1, 12), "headcount")
    ),
    "hf_head": lambda f: last(f.months("hf_month", 1, 3), "headcount"),
    "hf_unpaid_m12": lambda f: count(
        f.months("hf_month", 1, 12), lambda row: bool(row["paid"] < row["due"])
    ),
    "hf_avg_dep": lambda f: over(
        total(f.months("hf_month", 1, 3), "paid"), total(f.months("hf_month", 1, 3), "headcount")
    ),
    "hf_cover_r": lambda f: over(
        last(f.months("hf_month", 1, 3), "headcount"),
        last(f.months("si_month", 1, 3), "headcount"),
    ),
}
UTILITIES: dict[str, Feature] = {
    "kwh_3m_yoy": lambda f: growth(used(f, "power", 1, 3), used(f, "power", 13, 15)),
    "kwh_qoq": lambda f: growth(used(f, "power", 1, 3), used(f, "power", 4, 6)),
    "kwh_cv12": lambda f: over(
        spread(metered(f, "power", 1, 12), "usage"), mean(metered(f, "power", 1, 12), "usage")
    ),
    "kwh_per_sales": lambda f: over(used(f, "power", 1, 12), sales(f, 1, 12)),
    "zero_kwh_m6": stopped_months,
    "power_late_n12": lambda f: count(metered(f, "power", 1, 12), late),
    "power_arrears": lambda f: owed(
        kept(f.rows["util_month"], equals("kind", "power")),
        lambda row: known(row["due"]) and row["due"] < f.as_of and not known(row["paid_at"]),
        "bill",
        NAN,
    ),
    "cutoff_12": lambda f: any_row(f.months("util_month", 1, 12), equals("cutoff", 1)),
    "water_3m_yoy": lambda f: growth(used(f, "water", 1, 3), used(f, "water", 13, 15)),
    "gas_3m_yoy": lambda f: growth(used(f, "gas", 1, 3), used(f, "gas", 13, 15)),
    "util_late_n12": lambda f: count(f.months("util_month", 1, 12), late),
}


def held(firm: Firm) -> Frame:
    return kept(firm.rows["real_estate"], missing("ended"))


def held_or_none(firm: Firm, figure: Callable[[Frame], float]) -> float:
    """Give the figure of what is held; a firm that holds nothing any more has zero."""
    if firm.rows["real_estate"].empty:
        return firm.none("real_estate")
    return figure(held(firm)) if not held(firm).empty else 0.0


PROPERTY: dict[str, Feature] = {
    "re_n": lambda f: held_or_none(f, lambda rows: float(len(rows))),
    "re_area": lambda f: held_or_none(f, lambda rows: total(rows, "area")),
    "re_mortgaged_r": lambda f: over(
        owed(held(f), equals("mortgaged", 1), "area", 0.0), total(held(f), "area")
    ),
    "re_sealed": lambda f: held_or_none(
        f, lambda rows: float(any(cell == 1 for cell in rows["sealed"]))
    ),
}
JUDICIAL: dict[str, Feature] = {
    "dishonest_now": lambda f: any_row(
        f.rows["dishonest"], missing("removed"), f.none("dishonest")
    ),
    "exec_n24": lambda f: count(executions(f), equals("by_lender", 0), f.none("exec")),
    "exec_amt_r": lambda f: over(
        owed(executions(f), equals("by_lender", 0), "amount", f.none("exec")), sales(f, 1, 12)
    ),
    "exec_terminated": lambda f: any_row(
        f.recent("exec", 36),
        lambda row: known(row["terminated"]) and row["terminated"] < f.as_of,
        f.none("exec"),
    ),
    "def_n24": lambda f: count(
        f.recent("court_case", 24), equals("role", "defendant"), f.none("court_case")
    ),
    "def_amt24": lambda f: owed(
        f.recent("court_case", 24), equals("role", "defendant"), "amount", f.none("court_case")
    ),
    "loan_dispute_n36": lambda f: count(
        f.recent("court_case", 36), equals("cause", "lending"), f.none("court_case")
    ),
    "labour_n24": lambda f: count(
        f.recent("court_case", 24), equals("cause", "labour"), f.none("court_case")
    ),
    "bankruptcy": lambda f: any_row(f.rows["bankruptcy"], always, f.none("bankruptcy")),
}
ADMIN: dict[str, Feature] = {
    "pen_n24": lambda f: count(f.recent("penalty", 24), always, f.none("penalty")),
    "pen_amt24": lambda f: total(f.recent("penalty", 24), "amount", f.none("penalty")),
    "pen_severe_n36": lambda f: count(
        f.recent("penalty", 36), equals("severity", "severe"), f.none("penalty")
    ),
    "enforce_n36": lambda f: count(f.recent("enforce", 36), always, f.none("enforce")),
    "permit_n": lambda f: count(
        f.rows["permit"],
        lambda row: valid(row, f.as_of) and not known(row["revoked"]),
        f.none("permit"),
    ),
    "permit_exp90": lambda f: any_row(
        f.rows["permit"],
        lambda row: expiring(row, f.as_of) and not known(row["revoked"]),
        f.none("permit"),
    ),
    "env_grade": lambda f: code(f.rows["env_grade"], "grade", COLOURS),
    "env_pen24": lambda f: count(f.recent("env_penalty", 24), always, f.none("env_penalty")),
}
CUSTOMS: dict[str, Feature] = {
    "customs_grade": lambda f: code(
        f.rows["customs_grade"], "grade", {"advanced": 3, "filed": 2, "dishonest": 1}
    ),
    "trade_12": lambda f: trade(f, 1, 12),
    "trade_yoy": lambda f: growth(trade(f, 1, 12), trade(f, 13, 24)),
    "inv_patent_n": lambda f: count(
        f.rows["patent"],
        lambda row: row["kind"] == "invention" and valid(row, f.as_of),
        f.none("patent"),
    ),
    "patent_new24": lambda f: count(f.recent("patent", 24), always, f.none("patent")),
    "hightech": lambda f: any_row(
        f.rows["hightech"], lambda row: bool(row["until"] > f.as_of), f.none("hightech")
    ),
    "rd_r": lambda f: over(
        total(f.year("rd_year"), "rd_spend"), total(f.year("tax_month"), "sales")
    ),
    "win_n24": lambda f: count(f.recent("procure", 24), always, f.none("procure")),
    "win_amt24": lambda f: total(f.recent("procure", 24), "amount", f.none("procure")),
}
CROSS: dict[str, Feature] = {"kwh_sales_corr12": correlation, "head_sales_elast": elasticity}


def official_or_told(firm: Firm) -> float:
    official = sales(firm, 1, 12)
    told = total(firm.months("self_month", 1, 12), "sales")
    return told if math.isnan(official) else official


SELF: dict[str, Feature] = {
    "told_sales_12": lambda f: total(f.months("self_month", 1, 12), "sales"),
    "sales_12_or_told": official_or_told,
}
FEATURES: dict[str, Feature] = (REGISTRATION | TAX | INVOICE | SOCIAL | UTILITIES) | (
    PROPERTY | JUDICIAL | ADMIN | CUSTOMS | CROSS | SELF
)
