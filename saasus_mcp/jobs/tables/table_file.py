"""A file with a table: bytes of a CSV or workbook as CSV text, and back."""

from __future__ import annotations

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.jobs.tables import workbook
from saasus_mcp.jobs.tables.decoding import DecodedText, decode_table
from saasus_mcp.jobs.tables.table_reading import XLSX

BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads a CSV in the encoding of the system."""
WORKBOOK_SUFFIX = ".xlsx"
CSV_SUFFIX = ".csv"
REPLACEMENT = "\ufffd"


def decode_table_file(raw: bytes, name: str) -> DecodedText:
    """Return the table of a file as CSV text, and how it was read.

    Args:
        name: of the file, for errors.

    Raises:
        SaasusMcpError: its encoding is not clear, or it is an invalid workbook.
    """
    if raw.startswith(workbook.SIGNATURE):
        text, notes = workbook.read_workbook(raw)
        return DecodedText(text, XLSX, notes)
    decoded = decode_table(raw)
    if decoded is None:
        raise SaasusMcpError.of("cli.file_not_utf8", file=name)
    return decoded


def encode_table_file(text: str, suffix: str) -> bytes:
    """Return a CSV text as the bytes of a file with this suffix. A `.csv` opens in Excel as it is.

    NUL is replaced, since it makes a text look like UTF-16.

    Raises:
        SaasusMcpError: the suffix is `.xlsx`, and the extra `xlsx` is not installed.
    """
    if suffix.lower() == WORKBOOK_SUFFIX:
        return workbook.write_workbook(text)
    mark = BYTE_ORDER_MARK if suffix.lower() == CSV_SUFFIX else ""
    return (mark + text.replace("\0", REPLACEMENT)).encode()
