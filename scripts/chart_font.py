"""Make the fallback font of charts: what IPAex Gothic lacks of Hangul and of the rarer Chinese characters in names, from Noto Sans CJK.

usage: python -m scripts.chart_font NotoSansCJK-Regular.ttc

The collection is at https://github.com/notofonts/noto-cjk (version 2.004, SIL Open Font License 1.1). The subset has another
name, so that no installed font is mistaken for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont
from matplotlib_fontja import get_font_ttf_path

TARGET = Path("saasus_mcp/jobs/reports/charts/fonts/chart_fallback.otf")
SOURCE_FAMILY, FAMILY = "Noto Sans CJK JP", "Chart Fallback"
SUPPLEMENTARY_IDEOGRAPHS = range(0x20000, 0x40000)
LICENCE_NAMES = [0, 1, 2, 3, 4, 5, 6, 13, 14]
LAYOUT_TABLES = ["vhea", "vmtx", "VORG", "BASE", "GSUB", "GPOS", "GDEF"]


def main() -> None:
    source = Path(sys.argv[1])
    fonts = TTCollection(source).fonts
    number = next(index for index, font in enumerate(fonts) if font["name"].getDebugName(1) == SOURCE_FAMILY)
    font = TTFont(source, fontNumber=number)
    present = set(TTFont(get_font_ttf_path()).getBestCmap())
    wanted = {code for code in font.getBestCmap() if code in SUPPLEMENTARY_IDEOGRAPHS or _is_korean(code)}
    options = Options(layout_features=[], hinting=False, glyph_names=False, legacy_cmap=False, name_IDs=LICENCE_NAMES)
    options.drop_tables += LAYOUT_TABLES
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted - present)
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 3, 4):
            record.string = FAMILY
        elif record.nameID == 6:  # noqa: PLR2004 - the PostScript name
            record.string = FAMILY.replace(" ", "")
    font["CFF "].cff.fontNames[0] = FAMILY.replace(" ", "")
    font.save(TARGET)


def _is_korean(code: int) -> bool:
    """Return whether a character is of KS X 1001, or a syllable that is not in it."""
    try:
        return code >= 0x80 and bool(chr(code).encode("cp949"))  # noqa: PLR2004 - after ASCII
    except UnicodeEncodeError:
        return False


if __name__ == "__main__":
    main()
