"""What lies in a loan file, to be read by people and compared by programs?

One page of HTML for a receipt that was verified a moment ago, in Chinese and English, made to be
printed: no scripts, nothing fetched, everything that the receipt says escaped. It proves nothing
by itself; it says how to prove it, and its QR code carries what must be compared. The grade
stands there only when whoever made the page opened it with a key of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from saferoom.canonical import Json
from saferoom.core.qr import Modules, encode
from saferoom.core.receipt import Verified

QR_KIND = "saferoom-receipt-1"
_QUIET = 4  # light modules around a code (ISO/IEC 18004, section 5.3.8)

# What a receipt opens → how it is called.
LABELS: Mapping[str, tuple[str, str]] = {
    "enterprise": ("企业", "Enterprise"),
    "bank": ("银行", "Bank"),
    "caller": ("查询人", "Asked by"),
    "purpose": ("用途", "Purpose"),
    "loan_reference": ("贷款申请编号", "Loan reference"),
    "approvers": ("审批人", "Approved by"),
    "charge_mbit": ("披露量（毫比特）", "Charged (milli-bits)"),
    "source": ("结果来源", "Source of the answer"),
    "override": ("见证豁免", "Witness override"),
    "request": ("请求摘要", "Request"),
    "grant": ("授权摘要", "Grant"),
    "budget": ("预算摘要", "Budget"),
    "answer": ("加密结果摘要", "Sealed answer"),
    "version": ("模型版本摘要", "Model version"),
    "views": ("特征视图摘要", "Views"),
    "snapshot": ("数据快照摘要", "Snapshot"),
    "policy_set": ("策略集摘要", "Policy set"),
    "statement": ("签名声明摘要", "Signed statement"),
    "certificate": ("删除证明摘要", "Certificate"),
    "code": ("拒绝原因", "Refused because"),
    "party": ("机构", "Party"),
    "holder": ("持有人", "Holder"),
    "role": ("角色", "Role"),
    "key": ("密钥", "Key"),
    "replaces": ("替换的密钥", "Replaces"),
    "voter": ("表决人", "Voter"),
    "voters": ("表决人", "Voters"),
    "decision": ("表决", "Decision"),
    "subject": ("表决对象", "Voted on"),
    "group": ("银行集团", "Bank group"),
    "limit_mbit": ("预算（毫比特）", "Budget (milli-bits)"),
    "ceiling_mbit": ("上限（毫比特）", "Ceiling (milli-bits)"),
    "by": ("操作人", "By"),
}
KINDS: Mapping[str, tuple[str, str]] = {
    "release": ("结果放行", "Release of a result"),
    "refusal": ("拒绝", "Refusal"),
    "grant_signed": ("授权", "Grant"),
    "grant_revoked": ("撤回授权", "Revocation of a grant"),
    "budget_signed": ("预算", "Budget"),
    "version_approved": ("模型版本批准", "Approval of a model version"),
    "vote_cast": ("表决", "Vote"),
    "erased": ("数据删除", "Erasure"),
    "key_enrolled": ("密钥登记", "Enrolment of a key"),
}
# Paper → its fields that say more than the entry does.
_FROM_PAPERS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "saferoom/grant/1": (
        ("enterprise_name", "企业名称", "Enterprise's name"),
        ("bank_name", "银行名称", "Bank's name"),
        ("model_name", "模型名称", "Model"),
        ("purpose", "授权用途", "Granted for"),
        ("valid_from", "授权起", "Granted from"),
        ("valid_until", "授权止", "Granted until"),
    ),
    "saferoom/version/1": (("name", "模型版本名称", "Version's name"),),
    "saferoom/erasure-certificate/1": (
        ("unreadable_here_at", "本机房不可读自", "Unreadable here from"),
        ("unreadable_everywhere_from", "各处不可读自", "Unreadable everywhere from"),
    ),
}
_STYLE = """
@page { size: A4; margin: 14mm }
body { font: 9.5pt/1.35 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif;
  color: #000; background: #fff; max-width: 182mm; margin: 0 auto; overflow-wrap: anywhere }
h1 { font-size: 14pt; margin: 0 0 1mm } h2 { font-size: 10.5pt; margin: 4mm 0 1mm }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .5mm 2mm .5mm 0;
  border-bottom: .2mm solid #bbb }
th { width: 52mm; font-weight: 600 } td, code { font-size: 8.5pt }
svg { float: right; width: 38mm; height: 38mm; margin: 0 0 2mm 4mm }
ol { margin: 0; padding-left: 5mm } li { margin: .3mm 0 } .grade { font-size: 13pt }
"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is told beside the receipt itself."""

    verified: Verified
    fingerprint: str  # of the trust file by which it was verified
    grade: str | None = None  # opened by whoever makes the page
    opened_by: str | None = None


def render(page: Page) -> str:
    """Write the page."""
    seen = page.verified
    zh, en = KINDS.get(seen.kind, (seen.kind, seen.kind))
    rows = "".join(map(_row, _rows(page)))
    links = "".join(f"<li>{escape(link)}</li>" for link in seen.links)
    return f"""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(f"回执 / Receipt {receipt_id(seen)[:16]}")}</title>
<style>{_STYLE}</style></head><body>
{_drawn(encode(qr_text(page).encode()))}
<h1>数据安全屋回执 / Receipt of a data safe room</h1>
<p>{escape(zh)} / {escape(en)}</p>
<table>{rows}</table>
<h2>已核验 / What was verified</h2><ol>{links}</ol>
<h2>如何再次核验 / How to verify it again</h2>
<p>本页本身不是证明。请取回执文件、另行获得的信任文件（核对上列指纹）和自存的检查点，
离线运行下列命令；二维码内容应与其输出一致。</p>
<p>This page is no proof by itself. Take the receipt's file, the trust file got by another way
(compare the fingerprint above) and a checkpoint that you kept, and run this without any network;
what the QR code says must be what it prints.</p>
<p><code>saferoom verify receipt.json --checkpoint checkpoint --trust trust.json --json</code></p>
</body></html>
"""


def qr_text(page: Page) -> str:
    """Say in lines what a program compares."""
    seen = page.verified
    return "\n".join(
        [QR_KIND, seen.origin, receipt_id(seen), str(seen.index), str(seen.size), seen.root]
    )


def receipt_id(seen: Verified) -> str:
    """Name the entry, or the record of it, as the room's receipts are named."""
    return seen.entry if seen.record is None else f"{seen.entry}-{seen.record}"


def _rows(page: Page) -> Iterator[tuple[str, str, Json]]:
    seen = page.verified
    for paper in seen.papers:
        for field, zh, en in _FROM_PAPERS.get(paper.kind, ()):
            yield zh, en, paper.body.get(field)
    for name, value in {**seen.opened, **seen.artefacts}.items():
        yield *LABELS.get(name, (name, name)), value
    for name in seen.shredded:
        yield *LABELS.get(name, (name, name)), "已销毁 / shredded"
    if seen.answer is not None:
        yield "等级", "Grade", _grade(page)
    yield "记录时间（小时）", "Hour of the entry", seen.hour
    yield "回执编号", "Receipt", receipt_id(seen)
    yield "日志及序号", "Log and place in it", f"{seen.origin}, {seen.index}"
    yield "检查点", "Checkpoint", f"{seen.size}: {seen.root}"
    yield "信任文件指纹", "Trust file's fingerprint", page.fingerprint


def _grade(page: Page) -> str:
    if page.grade is None:
        return "密封；仅银行或企业可开启 / sealed: only the bank or the enterprise opens it"
    return f"{page.grade} （由 {page.opened_by} 以本方密钥开启 / opened by {page.opened_by}'s key）"


def _row(row: tuple[str, str, Json]) -> str:
    zh, en, value = row
    if value is None:
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    kind = ' class="grade"' if en == "Grade" else ""
    return f"<tr><th>{escape(zh)} / {escape(en)}</th><td{kind}>{escape(text)}</td></tr>"


def _drawn(modules: Modules) -> str:
    side = len(modules) + 2 * _QUIET
    dark = "".join(
        f"M{column + _QUIET},{row + _QUIET}h1v1h-1z"
        for row, line in enumerate(modules)
        for column, one in enumerate(line)
        if one
    )
    return (
        f'<svg viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img"'
        f' aria-label="QR"><path fill="#fff" d="M0,0h{side}v{side}h-{side}z"/>'
        f'<path d="{dark}"/></svg>'
    )
