"""How do tests write Excel workbooks, also such as Excel would never write?"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def workbook(rows: Sequence[Sequence[object]], **parts: bytes) -> bytes:
    """Write rows; texts are shared, days are numbers, as Excel does it."""
    texts: dict[str, int] = {}
    body = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            cell(f"{letter(place)}{number}", value, texts) for place, value in enumerate(row)
        )
        body.append(f'<row r="{number}">{cells}</row>')
    shared = "".join(f"<si><t xml:space='preserve'>{escape(one)}</t></si>" for one in texts)
    return packed(
        {
            **usual(),
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>'.encode(),
            "xl/worksheets/sheet1.xml": sheet("".join(body)),
            **{name.replace("__", "/"): data for name, data in parts.items()},
        }
    )


def usual(sheets: int = 1, workbook_pr: str = "") -> dict[str, bytes]:
    named = "".join(
        f'<sheet name="{n}" sheetId="{n}" r:id="rId{n}"/>' for n in range(1, sheets + 1)
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, sheets + 1)
    )
    related += (
        f'<Relationship Id="s" Type="{OFFICE}/sharedStrings" Target="/xl/sharedStrings.xml"/>'
    )
    head = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{workbook_pr}<sheets>'
    return {
        "[Content_Types].xml": b"<Types/>",
        "xl/workbook.xml": f"{head}{named}</sheets></workbook>".encode(),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}">{related}</Relationships>'.encode()
        ),
    }


def sheet(rows: str) -> bytes:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def packed(parts: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return written.getvalue()


def letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else letter(place // 26 - 1) + letter(place % 26)


def cell(place: str, value: object, texts: dict[str, int]) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f'<c r="{place}"><v>{value!r}</v></c>'
        case date():
            return f'<c r="{place}" s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
    return f'<c r="{place}" t="s"><v>{texts.setdefault(str(value), len(texts))}</v></c>'
