"""Excel workbooks as tables of text. They need the extra `xlsx`."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.tables.cells import is_filled

if TYPE_CHECKING:
    from types import ModuleType

SIGNATURE = b"PK\x03\x04"
"""The first bytes of a workbook, which is a ZIP archive."""
MAX_UNPACKED_BYTES = 32 * 1024 * 1024
"""Size of all parts of a workbook. An archive of some kilobytes could unpack to terabytes."""
MAX_SHEET_ROWS = 20_000
"""Rows that are not blank."""
MAX_ALL_ROWS = 1_048_576
MAX_ALL_CELLS = 2_000_000
"""Blank cells included: spreadsheets keep the format of cells that people have cleared."""
MAX_COLUMNS = 500
MAX_NAMED_SHEETS = 10
"""Sheets that are named as not read."""
SHEET = "/worksheet"
"""In the type of a sheet with cells, unlike that of a chart."""
MERGED_CELLS = re.compile(rb'<mergeCell\s[^>]{0,200}?ref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
UNSAVED_FORMULA = re.compile(
    rb'<c r="([A-Z]+[0-9]+)"(?![^>]{0,200}t="str")[^>]{0,200}><f[^<]{0,9000}(?:</f>)?(?:<v ?/>|<v></v>)?</c>'
)
"""A formula in the sheet's XML. Excel saves an empty text as a value of the type `str`."""
CELL_LENGTH = 32_767
"""Characters that a cell of a workbook can hold."""


def read_workbook(raw: bytes) -> tuple[str, tuple[Message, ...]]:
    """Return the first sheet of a workbook as CSV text, and what of the workbook is not read as it looks in Excel.

    Formulas count with the values that were saved with them.

    Raises:
        SaasusMcpError: it is not a workbook, is too large, or the extra `xlsx` is not installed.
    """
    openpyxl = _load_library()
    try:
        _require_bounded_archive(raw)
        reader = openpyxl.reader.excel.ExcelReader(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
        reader.read()
        sheet = reader.wb.worksheets[0]
        sheet.reset_dimensions()  # otherwise each row is filled up to the size that the file claims
        return _to_csv(_bounded_rows(sheet.iter_rows(values_only=True))), tuple(_find_unread(reader))
    except SaasusMcpError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged workbook fails anywhere in the library
        reason = type(error).__name__
        raise SaasusMcpError(
            message("jobs_tables.not_a_workbook", reason=reason), message("jobs_tables.as_csv_hint")
        ) from None


def _find_unread(reader: Any) -> Iterator[Message]:
    """Yield what is not read: other sheets and, of the first sheet, merged cells and formulas without a value.

    Args:
        reader: the `ExcelReader` of the workbook.
    """
    first, *others = (Quoted(sheet.title) for sheet in reader.wb.worksheets[: MAX_NAMED_SHEETS + 1])
    if others:
        more = ("…",) if len(reader.wb.worksheets) > MAX_NAMED_SHEETS + 1 else ()
        yield message("jobs_tables.other_sheets", sheet=first, others=(*others, *more))
    # A sheet whose cells are read one by one tells neither merged cells nor formulas.
    relations = (relation for _, relation in reader.parser.find_sheets())
    sheet = next(each.target for each in relations if each.target in reader.valid_files and SHEET in each.Type)
    xml = reader.archive.read(sheet)
    if merged := MERGED_CELLS.search(xml):
        yield message("jobs_tables.merged_cells", cells=merged[1].decode("ascii"))
    if unsaved := UNSAVED_FORMULA.search(xml):
        yield message("jobs_tables.unsaved_formula", cell=unsaved[1].decode("ascii"))


def write_workbook(text: str) -> bytes:
    """Return a CSV text as a workbook with one sheet. Every cell is text: no spreadsheet evaluates it.

    Raises:
        SaasusMcpError: the extra `xlsx` is not installed.
    """
    openpyxl = _load_library()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    for row in csv.reader(io.StringIO(text, newline="")):
        sheet.append([_text_cell(openpyxl, sheet, value) for value in row])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _require_bounded_archive(raw: bytes) -> None:
    """Raise SaasusMcpError if the parts of an archive are too large. No part can be longer than its entry says."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise _too_large()


def _too_large() -> SaasusMcpError:
    return SaasusMcpError(message("jobs_tables.workbook_too_large"), message("jobs_tables.as_csv_hint"))


def _load_library() -> ModuleType:
    try:
        import openpyxl  # noqa: PLC0415 - in an optional extra
        import openpyxl.cell  # noqa: PLC0415
        import openpyxl.reader.excel  # noqa: PLC0415
    except ImportError:
        raise SaasusMcpError.of("jobs_tables.no_xlsx") from None
    module: ModuleType = openpyxl
    return module


def _text_cell(openpyxl: ModuleType, sheet: Any, value: str) -> Any:
    cell = openpyxl.cell.WriteOnlyCell(sheet, "")
    cell.value = openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:CELL_LENGTH]
    cell.data_type = "s"
    return cell


def _bounded_rows(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield the rows without blank cells at their end, and without blank rows at the end of the sheet."""
    blank, filled, cells = 0, 0, 0
    for number, row in enumerate(rows):
        cells += len(row)
        width = next((width for width in range(len(row), 0, -1) if is_filled(row[width - 1])), 0)
        filled += width > 0
        if number >= MAX_ALL_ROWS or cells > MAX_ALL_CELLS or filled > MAX_SHEET_ROWS or width > MAX_COLUMNS:
            raise _too_large()
        if width:
            yield from [()] * blank  # a row has the number that Excel shows
            yield row[:width]
        blank = 0 if width else blank + 1


def _to_csv(rows: Iterable[Sequence[Any]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)  # a semicolon or tab in a cell is no separator
    for row in rows:
        writer.writerow([_cell_text(value) for value in row])
    return written.getvalue()


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and not (value.hour or value.minute or value.second or value.microsecond):
        return value.date().isoformat()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
