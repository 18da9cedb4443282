"""What does a message about notices say? That there are some, of which kinds, and no values.

Messages travel through others' mail systems: no bank, no purpose, no bits, nothing of what was
answered. Whoever wants to know more asks the room with their own key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

MOST_ATTEMPTS = 16
LONGEST_PAUSE = timedelta(hours=6)
# Kind of notice → what it is called, in Chinese and in English. A test holds it complete.
WORDS: Mapping[str, tuple[str, str]] = {
    "key_enrolled": ("新增密钥", "a key was enrolled"),
    "key_replaced": ("密钥已更换", "a key was replaced"),
    "contact_changed": ("通知地址已变更", "the address for notices was changed"),
    "party_suspended": ("机构已暂停", "the organisation was suspended"),
    "version_suspended": ("模型版本已停用", "a model version was stopped"),
    "budget_signed": ("已签署额度", "a budget was signed"),
    "grant_signed": ("已签署授权", "a grant was signed"),
    "grant_revoked": ("授权已撤回", "a grant was revoked"),
    "erased": ("数据已删除", "data were erased"),
    "verified": ("向部门核验", "a department was asked about you"),
    "self_reported": ("自愿填报已收到", "figures of your own report came in"),
    "quality_ticket": ("数据质量工单", "a table of yours needs attention"),
    "release": ("信息已被使用", "a result was released"),
    "own_record_given": ("已提供本企业数据", "your own record was given out"),
    "record_disputed": ("数据异议已登记", "a record was disputed"),
    "looked_up": ("管理人员查阅了贵方记录", "an operator or auditor looked something up"),
    "refusal": ("使用请求被拒绝", "a request was refused"),
}


@dataclass(frozen=True)
class Told:
    """One notice, as far as a message may know it."""

    number: int
    kind: str


@dataclass(frozen=True)
class Message:
    """What is sent to one address."""

    id: str  # the same when it is sent again
    subject: str
    body: str


def compose(origin: str, notices: Sequence[Told]) -> Message:
    """Word one message for several notices."""
    first, last = notices[0].number, notices[-1].number
    counts = Counter(notice.kind for notice in notices)
    lines = [
        f"- {WORDS[kind][0]} / {WORDS[kind][1]}: {count}" for kind, count in sorted(counts.items())
    ]
    body = "\n".join(
        [
            f"{origin}",
            "",
            "数据安全屋中有与贵方有关的新事项：",
            "Something that concerns you happened in the data safe room:",
            "",
            *lines,
            "",
            "请用自己的密钥查看；如非贵方所为，请立即联系运营方。",
            "Look with your own key, and tell the operator at once if it was not you:",
            f"    saferoom notices --key FOLDER --after {first - 1}",
            "",
        ]
    )
    subject = f"数据安全屋通知 / Data safe room: {len(notices)}"
    return Message(id=f"{first}.{last}", subject=subject, body=body)


def pause_after(attempts: int) -> timedelta:
    """Say how long to wait after so many attempts: 1, 2, 4 … minutes, at most six hours."""
    return min(timedelta(minutes=2 ** min(attempts - 1, 16)), LONGEST_PAUSE)
